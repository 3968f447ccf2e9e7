"""Tells of a verdict when a training first has it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from neuroact.errors import VerdictWarning
from neuroact.report.activity_report import ActivityReport
from neuroact.results.diagnosis import Verdict

OnVerdict: TypeAlias = Literal["warn", "stop"] | Callable[[Verdict, int], object]
"""What to do about a verdict: warn, stop the training, or call a function of it and the step.

Verdicts that a healthy network may have, those of severity "note", are told to a function alone.
"""

Key: TypeAlias = tuple[str, str]
"""A layer and a kind of verdict."""

# Verdicts on a layer as a whole, for which one batch is enough. A single neuron may be dead (or
# saturated) on one batch and not on the next.
_OF_A_STEP = frozenset({"silent", "fading", "busy", "saturating", "vanishing", "exploding"})


class VerdictWatch:
    """Finds the verdicts that a training did not have before: once for each layer and kind.

    Args:
        on_verdict: what to do about them; None to look for none.

    Raises:
        ValueError: `on_verdict` is none of these.
    """

    def __init__(self, on_verdict: OnVerdict | None) -> None:
        if not (on_verdict in (None, "warn", "stop") or callable(on_verdict)):
            raise ValueError(
                'expected on_verdict= to be "warn", "stop" or a function of a verdict and a step, '
                f"came {on_verdict!r}"
            )
        self._on_verdict = on_verdict
        self._told: set[Key] = set()
        self._last: set[Key] = set()  # that the last recorded step had
        self._once_without: set[Key] = set()  # that some recorded step did not have

    def of_step(self, report: ActivityReport, step: int) -> list[Verdict]:
        """Look at one recorded step, for the verdicts on a layer as a whole.

        They count if a step before did not have them and two steps in a row have them. Before a
        network has learned anything, a layer may be silent in one batch and not in the next.

        Returns:
            The new verdicts if they are to stop the training, else none.
        """
        if self._on_verdict is None:
            return []
        found = [verdict for verdict in report.diagnose() if verdict.name in _OF_A_STEP]
        now = {key for verdict in found for key in _keys(verdict)}
        began = now & self._last & self._once_without
        self._last = now
        self._once_without |= {(layer, kind) for layer in report for kind in _OF_A_STEP} - now
        new = [verdict for verdict in found if _keys(verdict) & began]
        return self._tell(new, step, stacklevel=5)  # a `with` block ends in contextlib

    def of_epoch(self, report: ActivityReport, step: int) -> list[Verdict]:
        """Look at all recorded steps of an epoch, for every verdict. `step` is its last step."""
        return [] if self._on_verdict is None else self._tell(report.diagnose(), step, stacklevel=4)

    def _tell(self, verdicts: Iterable[Verdict], step: int, *, stacklevel: int) -> list[Verdict]:
        new = [verdict for verdict in verdicts if not self._told.issuperset(_keys(verdict))]
        for verdict in new:
            self._told.update(_keys(verdict))
        if callable(self._on_verdict):
            for verdict in new:
                self._on_verdict(verdict, step)
            return []
        wrong = [verdict for verdict in new if verdict.severity != "note"]
        if self._on_verdict == "stop":
            return wrong
        for verdict in wrong:
            said = f"training step {step}: {verdict}"
            warnings.warn(said, VerdictWarning, stacklevel=stacklevel)
        return []

    def state(self) -> dict[str, list[list[str]]]:
        """What was told and seen, as plain values."""
        return {
            name: [list(key) for key in sorted(keys)]
            for name, keys in (
                ("told", self._told),
                ("last", self._last),
                ("once_without", self._once_without),
            )
        }

    def load(self, state: Mapping[str, Iterable[Any]]) -> None:
        """Go on from what `state` returned."""
        self._told, self._last, self._once_without = (
            {(str(layer), str(kind)) for layer, kind in state.get(name, ())}
            for name in ("told", "last", "once_without")
        )


def _keys(verdict: Verdict) -> set[Key]:
    return {(layer, verdict.name) for layer in verdict.layers}

"""Tells of a verdict when a training first has it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

from neuroact.errors import VerdictWarning
from neuroact.report.activity_report import ActivityReport
from neuroact.results.diagnosis import Verdict

OnVerdict: TypeAlias = Literal["warn", "stop"] | Callable[[Verdict, int], object]
"""What to do about a verdict: warn, stop the training, or call a function of it and the step.

Verdicts that a healthy network may have, those of severity "note", are told to a function alone.
"""

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
        self._told: set[tuple[str, str]] = set()

    def of_step(self, report: ActivityReport, step: int) -> list[Verdict]:
        """Look at one recorded step, for the verdicts on a layer as a whole.

        Returns:
            The new verdicts if they are to stop the training, else none.
        """
        return self._look(report, step, lambda verdict: verdict.name in _OF_A_STEP)

    def of_epoch(self, report: ActivityReport, step: int) -> list[Verdict]:
        """Look at all recorded steps of an epoch, for every verdict. `step` is its last step."""
        return self._look(report, step, lambda verdict: True)

    def _look(
        self, report: ActivityReport, step: int, matters: Callable[[Verdict], bool]
    ) -> list[Verdict]:
        if self._on_verdict is None:
            return []
        found = [verdict for verdict in report.diagnose() if matters(verdict)]
        new = [verdict for verdict in found if not self._told.issuperset(_keys(verdict))]
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
            warnings.warn(f"training step {step}: {verdict}", VerdictWarning, stacklevel=5)
        return []

    def state(self) -> list[list[str]]:
        """Which verdicts were told, as plain values."""
        return [list(key) for key in sorted(self._told)]

    def load(self, state: Iterable[Any]) -> None:
        """Go on from what `state` returned."""
        self._told = {(str(layer), str(kind)) for layer, kind in state}


def _keys(verdict: Verdict) -> set[tuple[str, str]]:
    return {(layer, verdict.name) for layer in verdict.layers}

"""What each check of a statistic gets, and what makes a function a check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.testing import strategies
from neuroact.testing.outcomes import Check
from neuroact.testing.same import assert_same_result, assert_same_state
from neuroact.testing.strategies import Stream, cuts, streams

BINARY, GRADED, ANALOG = SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG
LEVELS = {
    BINARY: strategies.BINARY_LEVELS,
    GRADED: strategies.GRADED_LEVELS,
    ANALOG: (0.0, -1.25, 0.375, 2.5, 0.0625),
}
Expected = Callable[[Stream, SignalKind], Mapping[str, Any]]


@dataclass(frozen=True)
class StatisticCase:
    """A statistic to check.

    Attributes:
        build: builds one.
        expected: computes what attributes of `result()` have to be, with NumPy, from a stream.
    """

    build: Callable[[], Any]
    expected: Expected | None = None

    @property
    def kinds(self) -> list[SignalKind]:
        """The kinds of layers that it applies to."""
        applies = getattr(self.build(), "kinds", frozenset(SignalKind))
        return [kind for kind in SignalKind if kind in applies]

    def fed(self, sequences: Iterable[Any], kind: SignalKind) -> Any:
        """A fresh one that got each sequence in one chunk."""
        statistic = self.build()
        for sequence in sequences:
            statistic.update(chunk(sequence, kind))
        return statistic

    def merged(self, *parts: Any) -> Any:
        """A fresh one into which all parts are merged."""
        whole = self.build()
        for part in parts:
            whole.merge(part)
        return whole

    def resumed(self, statistic: Any) -> Any:
        """A fresh one that loaded the state."""
        again = self.build()
        again.load_state_dict(statistic.state_dict())
        return again

    def assert_same(self, came: Any, expected: Any, what: str) -> None:
        """Both counted the same; which sequences are still open does not matter."""
        assert_same_result(came.result(), expected.result(), what)
        assert_same_state(self.merged(came), self.merged(expected), what)


def chunk(values: Any, kind: SignalKind, starts: bool = True, valid: Any = None) -> SpikeChunk:
    """A chunk of an array."""
    mask = None if valid is None else torch.as_tensor(valid)
    return SpikeChunk(torch.as_tensor(values), kind, starts, mask)


Function = Callable[[StatisticCase], None]


def statistic_check(
    applies: Callable[[StatisticCase], bool] = lambda case: True,
) -> Callable[[Function], Check[StatisticCase]]:
    """Make a function a check. Its claim is the first line of the docstring."""

    def made(run: Function) -> Check[StatisticCase]:
        claim = (run.__doc__ or "").strip().splitlines()[0].rstrip(".")
        return Check(run.__name__, claim, run, applies)

    return made


def hold(*drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Run a law at once on what Hypothesis draws, as often as Hypothesis's profile says."""
    quiet = settings(
        deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False
    )

    def run(law: Callable[..., None]) -> None:
        quiet(given(*drawn)(law))()

    return run


@st.composite
def kinds_and_streams(draw: st.DrawFn, case: StatisticCase) -> tuple[SignalKind, Stream]:
    """One of the statistic's kinds, and a stream of its levels."""
    kind = draw(st.sampled_from(case.kinds))
    return kind, draw(streams(LEVELS[kind]))


@st.composite
def pieces(draw: st.DrawFn, sequence: NDArray[Any], kind: SignalKind) -> list[SpikeChunk]:
    """A sequence in consecutive chunks."""
    ways = draw(cuts(len(sequence)))
    return [chunk(sequence[piece], kind, number == 0) for number, piece in enumerate(ways)]

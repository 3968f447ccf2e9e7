"""Statistics: what is kept of a layer's stream, in memory that grows with neurons, not with data.

One file a statistic. A statistic of your own is a class that is built without arguments and has
the verbs of `Statistic`; `neuroact.record(model, statistics=[YourStatistic])` runs it beside
`Firing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from neuroact.errors import StatisticKindError
from neuroact.statistics.firing import Firing, FiringResult
from neuroact.statistics.interspike_intervals import (
    InterspikeIntervals,
    InterspikeIntervalsResult,
)
from neuroact.statistics.raster import Raster, RasterResult
from neuroact.statistics.spike_counts import SpikeCounts, SpikeCountsResult
from neuroact.statistics.synchrony import Synchrony, SynchronyResult
from neuroact.statistics.time_course import TimeCourse, TimeCourseResult
from neuroact.stream import SignalKind, SpikeChunk

__all__ = [
    "Firing",
    "FiringResult",
    "InterspikeIntervals",
    "InterspikeIntervalsResult",
    "Raster",
    "RasterResult",
    "SpikeCounts",
    "SpikeCountsResult",
    "Statistic",
    "StepStatistic",
    "Synchrony",
    "SynchronyResult",
    "TimeCourse",
    "TimeCourseResult",
    "TraceableStatistic",
]


@runtime_checkable
class Statistic(Protocol):
    """Running figures of one layer.

    A class may say which kinds of layers it applies to: `kinds`, a frozenset of `SignalKind`. A
    layer of another kind is then refused, see `check_kind`.

    The laws, for any stream: splitting it anywhere between steps, or its samples between two
    statistics that are then merged, in any order and grouping, gives the same state to the bit.
    """

    def update(self, chunk: SpikeChunk, /) -> None:
        """Count the layer's next chunk: no host sync, nothing kept of the chunk's tensors."""

    def merge(self, other: Any, /) -> None:
        """Add what another statistic of the same class counted; `other` stays unchanged."""

    def reset(self) -> None:
        """Forget everything counted."""

    def state_dict(self) -> dict[str, Tensor]:
        """Everything counted, an open sequence included, as tensors of its own."""

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> None:
        """Take over a state that `state_dict` gave, in place of the present one."""

    def result(self) -> Any:
        """The figures so far, on the host, free of torch; may be asked in mid-sequence."""


def check_kind(
    statistics: Iterable[Statistic], kind: SignalKind, *, layer: str | None = None
) -> None:
    """Refuse a layer of a kind to which one of its statistics does not apply.

    Raises:
        StatisticKindError: names the layer and the statistic.
    """
    for statistic in statistics:
        kinds = getattr(statistic, "kinds", None)
        if kinds is not None and kind not in kinds:
            raise StatisticKindError(type(statistic).__name__, kind, kinds, layer=layer)


@runtime_checkable
class StepStatistic(Statistic, Protocol):
    """A statistic that can be told of one more step without a chunk being built for it."""

    def advance(self, values: Tensor, /) -> None:
        """Count one more step of the open sequences, as `update` would, at less cost.

        Called only right after an `update` or `advance` that counted a binary step without padding
        for the same batch, on the same device; `update` sees at least every 64th step.

        Args:
            values: `[batch, *neurons]`, without gradients.
        """


@runtime_checkable
class TraceableStatistic(Statistic, Protocol):
    """A statistic that `torch.compile` can look into; others it calls as they are."""

    def traced(self, values: Tensor, kind: SignalKind, starts: bool | Tensor, /) -> None:
        """Count a chunk without padding by tensor operations alone.

        Args:
            values: `[time, batch, *neurons]`, without gradients.
            kind: what they mean.
            starts: whether step 0 starts a sequence; a bool tensor `[]` where only the run tells.
        """

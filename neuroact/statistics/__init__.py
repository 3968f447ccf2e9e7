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
from neuroact.statistics.class_activity import ClassActivity, ClassActivityResult
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
    "ClassActivity",
    "ClassActivityResult",
    "Firing",
    "FiringResult",
    "InterspikeIntervals",
    "InterspikeIntervalsResult",
    "Raster",
    "RasterResult",
    "SpikeCounts",
    "SpikeCountsResult",
    "Statistic",
    "Synchrony",
    "SynchronyResult",
    "TimeCourse",
    "TimeCourseResult",
]


@runtime_checkable
class Statistic(Protocol):
    """Running figures of one layer.

    It may have `count(block)` besides, which takes a `StepBlock`, some steps of a binary layer, and
    leaves the state that `update(block.chunk())` would; without it, that is what is called.

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


OURS: Mapping[str, type[Statistic]] = {
    cls.__name__: cls
    for cls in (
        Firing,
        ClassActivity,
        SpikeCounts,
        TimeCourse,
        InterspikeIntervals,
        Synchrony,
        Raster,
    )
}
"""neuroact's own, by name, in the order in which they are told."""


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

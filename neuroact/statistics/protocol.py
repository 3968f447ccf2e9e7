"""What a statistic is: its methods, its laws, and the kinds of layers that it applies to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from neuroact.errors import StatisticKindError
from neuroact.stream.chunk import SignalKind, SpikeChunk


@runtime_checkable
class Statistic(Protocol):
    """Running figures of one layer.

    A statistic may also have `count(block)`. It takes a `StepBlock`, some steps of a binary layer,
    and must leave the same state as `update(block.chunk())`. If a statistic has no `count`, its
    `update` is called so.

    A class may have an attribute `kinds`, a frozenset of `SignalKind`: the kinds of layers that it
    applies to. A layer of another kind is refused, see `check_kind`.

    Two laws hold for any stream. Splitting it between any steps gives the same state to the bit. So
    does splitting its samples among statistics and merging these, in any order and grouping.
    """

    def update(self, chunk: SpikeChunk, /) -> None:
        """Count the layer's next chunk. Must not wait for a device or keep the chunk's tensors."""

    def merge(self, other: Any, /) -> None:
        """Add the counts of another statistic of the same class. Must not change `other`."""

    def reset(self) -> None:
        """Forget everything counted."""

    def state_dict(self) -> dict[str, Tensor]:
        """Everything counted, open sequences included, as new tensors."""

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> None:
        """Replace the state by one that `state_dict` returned."""

    def result(self) -> Any:
        """The figures so far, on the host, without torch. Also works in mid-sequence."""


def check_kind(
    statistics: Iterable[Statistic], kind: SignalKind, *, layer: str | None = None
) -> None:
    """Refuse a layer if one of its statistics does not apply to its kind.

    Raises:
        StatisticKindError: names the layer and the statistic.
    """
    for statistic in statistics:
        kinds = getattr(statistic, "kinds", None)
        if kinds is not None and kind not in kinds:
            raise StatisticKindError(type(statistic).__name__, kind, kinds, layer=layer)

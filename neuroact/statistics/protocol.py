"""What a statistic is: its verbs, its laws, and the kinds of layers that it applies to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from neuroact.errors import StatisticKindError
from neuroact.stream.chunk import SignalKind, SpikeChunk


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

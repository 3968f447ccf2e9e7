"""Cheaper ways to tell a statistic what `update` would: optional, and equal to it to the bit."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from neuroact.statistics import Statistic
from neuroact.statistics.event_counts import MOST_ADVANCES
from neuroact.stream import SignalKind, SpikeChunk

__all__ = ["MOST_ADVANCES", "StepStatistic", "TraceableStatistic"]


@runtime_checkable
class StepStatistic(Statistic, Protocol):
    """A statistic that can be told of one more step without a chunk being built for it."""

    def advance(self, values: Tensor, /) -> None:
        """Count one more step of the open sequences, as `update` would, at less cost.

        Called only right after an `update` or `advance` that counted a binary step without padding
        for the same batch, on the same device; there are at most `MOST_ADVANCES` between
        two updates.

        Args:
            values: `[batch, *neurons]`, without gradients.
        """


@runtime_checkable
class TraceableStatistic(Statistic, Protocol):
    """A statistic that `torch.compile` can look into; others it calls as they are."""

    def is_traceable(self, kind: SignalKind, /) -> bool:
        """Whether what `traced` needs is there; while it is not, `update` is called instead."""

    def prepare_traced(self, chunk: SpikeChunk, /) -> None:
        """Make what `traced` needs for chunks like this one; outside of the program."""

    def traced(self, values: Tensor, kind: SignalKind, starts: bool | Tensor, /) -> None:
        """Count a chunk without padding by tensor operations alone.

        Args:
            values: `[time, batch, *neurons]`, without gradients.
            kind: what they mean.
            starts: whether step 0 starts a sequence; a bool tensor `[]` where only the run tells.
        """

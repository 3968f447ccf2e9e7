"""Steps of a layer that several statistics count together, a bit for each value.

Where loops compiled by numba can be had (see `native`), a step is one loop over its values, which
writes a bit each, whatever is counted; 64 steps later each statistic reads them off the words. So
all of them together cost little more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.statistics.native import loops_for
from neuroact.stream import SignalKind, SpikeChunk

if TYPE_CHECKING:
    from neuroact.kernel.steps import Steps

WIDTH = 64
"""Steps in a block."""

# What is an instance of it is dense float32 on a CPU: one look instead of three.
_FLOATS: type[Any] = torch.FloatTensor


@dataclass(frozen=True, slots=True)
class PackedBlock:
    """Some steps of a binary layer, in a row, of sequences under way.

    Attributes:
        words: uint32 `[planes, batch, neurons]`: bit k of plane p is step `32 p + k`.
        sums: events of each sample at each step, int32 `[steps, batch]`.
        loops: `neuroact.statistics.loops`.
    """

    words: NDArray[np.uint32]
    sums: NDArray[np.int32]
    loops: ModuleType

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.sums)

    @property
    def batch(self) -> int:
        """Number of samples."""
        return int(self.sums.shape[1])


@runtime_checkable
class PackedStatistic(Protocol):
    """A statistic that can count many steps at once, packed."""

    def share(self, steps: PackedSteps, /) -> None:
        """Have `steps.settle()` called before anything is asked or told; `close()` at a reset."""

    def takes_packed(self) -> bool:
        """Whether the steps that go on with what it was told last may come packed."""

    def may_begin_packed(self, step: Tensor, /) -> bool:
        """Whether a sequence that starts with that step, on a CPU, may come packed."""

    def begin_packed(self, step: Tensor, /) -> None:
        """A sequence starts, and its steps come packed.

        Args:
            step: its first step `[batch, *neurons]`, which is not to be counted yet.
        """

    def count_packed(self, block: PackedBlock, /) -> None:
        """Count a block, as `update` would."""

    def update(self, chunk: SpikeChunk, /) -> None:
        """Count the layer's next chunk."""

    def advance(self, values: Tensor, /) -> None:
        """Count one more step; see `StepStatistic`."""


class PackedSteps:
    """Feeds several statistics of one layer.

    Args:
        statistics: those that it feeds.
    """

    def __init__(self, statistics: Sequence[PackedStatistic]) -> None:
        self._statistics = tuple(statistics)
        self._filled = 0
        self._shape: torch.Size | None = None  # of a step, `[batch, *neurons]`
        self._loops: ModuleType | None = None
        self._lent: Steps | None = None  # packs in its place
        for statistic in statistics:
            statistic.share(self)

    def update(self, chunk: SpikeChunk) -> None:
        """Count a chunk."""
        self.take_back()
        values = chunk.values
        packable = (
            chunk.steps
            and chunk.kind is SignalKind.BINARY
            and chunk.valid is None
            and type(values) is Tensor
            and isinstance(values, _FLOATS)
            and values.is_contiguous()
        )
        if not packable:
            self._tell(chunk)
            self.close()
            return
        if not self._goes_on_packed(chunk):
            # Told its first step as it is, they may take the others packed.
            told = chunk.steps if loops_for(values[0]) is None else 1
            self._tell(SpikeChunk(values[:told], chunk.kind, chunk.starts_sequence))
            self._open(values[0])
            values = values[told:]
        for step in values:
            self.advance(step)

    def advance(self, values: Tensor) -> None:
        """Count one more step `[batch, *neurons]`, like the last one; see `StepStatistic`."""
        if self._lent is not None:
            self.take_back()
        loops = self._loops
        # An address says nothing of what is there, so all of it is looked at here. A subclass of
        # Tensor, such as one of a fake mode, may have nothing there at all.
        if (
            loops is None
            or type(values) is not Tensor
            or not isinstance(values, _FLOATS)
            or not values.is_contiguous()
            or values.numel() != self._numel
        ):
            self._count_unpacked(values)
            return
        at = self._filled
        if at == WIDTH:
            self.settle()
            at = 0
        if loops.pack(values.data_ptr(), self._words_at, self._sums_at, at, *self._size):
            # A value is neither 0 nor 1: each of them sees it as it is, as without packing.
            self._count_unpacked(values)
        else:
            self._filled = at + 1

    def lend(self, steps: Steps, step: Tensor) -> bool:
        """Have the kernel pack; see `neuroact.kernel.steps.Lender`."""
        self.take_back()
        if self._loops is None or step.shape != self._shape:
            return False
        words, sums = torch.from_numpy(self._words.view(np.int32)), torch.from_numpy(self._sums)
        if type(words) is not Tensor:
            return False  # made by a mode, it has no memory
        steps.pack_into(self._shape, words, sums, self.settle, self._filled)
        self._filled, self._lent = 0, steps
        return True

    def take_back(self) -> None:
        """Have the kernel pack no more."""
        if self._lent is not None:
            self._filled, _ = self._lent.take()
            self._lent.give_back()
            self._lent = None

    @property
    def is_packing(self) -> bool:
        """Whether the next step will be packed."""
        return self._loops is not None

    def settle(self) -> None:
        """Have the statistics count what is packed."""
        steps = self._filled if self._lent is None else self._lent.take()[0]
        if not steps or self._loops is None:
            return
        self._filled = 0
        words = self._words[: 1 + (steps - 1) // 32]
        block = PackedBlock(words, self._sums[:steps], self._loops)
        try:
            for statistic in self._statistics:
                statistic.count_packed(block)
        finally:
            words.fill(0)  # interrupted too, lest bits of these steps be among those to come

    def close(self) -> None:
        """Settle, and pack no more until the statistics have been told a step unpacked."""
        self.take_back()
        self.settle()
        self._loops = None

    def _tell(self, chunk: SpikeChunk) -> None:
        self.settle()
        for statistic in self._statistics:
            statistic.update(chunk)

    def _goes_on_packed(self, chunk: SpikeChunk) -> bool:
        """Whether all of a chunk can be packed; the sequence that it starts is begun then."""
        step = chunk.values[0]
        if not chunk.starts_sequence:
            return self.is_packing and step.shape == self._shape
        if loops_for(step) is None:
            return False
        self.settle()
        if not all(statistic.may_begin_packed(step) for statistic in self._statistics):
            return False
        for statistic in self._statistics:
            statistic.begin_packed(step)
        self._open(step)
        return True

    def _count_unpacked(self, values: Tensor) -> None:
        self.settle()
        if self.is_packing:
            self._tell(SpikeChunk(values.unsqueeze(0), SignalKind.BINARY, starts_sequence=False))
        else:
            for statistic in self._statistics:
                statistic.advance(values)

    def _open(self, step: Tensor) -> None:
        able = all(statistic.takes_packed() for statistic in self._statistics)
        self._loops = loops_for(step) if able else None
        if self._loops is None or step.shape == self._shape:
            return
        self._shape = step.shape
        self._numel = step.numel()
        self._size = batch, neurons = len(step), step.numel() // len(step)
        self._words = np.zeros((2, batch, neurons), np.uint32)
        self._sums = np.zeros((WIDTH, batch), np.int32)
        self._words_at, self._sums_at = self._words.ctypes.data, self._sums.ctypes.data

"""Steps of a layer that are collected before its statistics count them.

Calling a statistic for each step costs more than counting the step. So a layer's steps are
collected, up to 64 of them, in the cheapest way for the device they are on. On a CPU the compiled
core writes a bit for each value; for `Firing` alone it adds to a sum for each neuron. Elsewhere
the values are kept as they came.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.native import core
from neuroact.recording.cuda_streams import StreamOrder
from neuroact.statistics import Firing, Statistic
from neuroact.statistics.counting.step_block import BLOCK_STEPS, StepBlock, StepSums, valid_steps
from neuroact.stream.chunk import SignalKind, SpikeChunk

MOST_KEPT = 2**22
"""At most so many values are kept as they came. So large steps are kept in fewer rows, or not."""

Tell = Callable[[Callable[[Statistic], None]], None]


class Filler(Protocol):
    """Collects steps of one shape."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a step, `[batch, *neurons]`."""

    @property
    def steps(self) -> int:
        """Number of steps that it holds."""

    def add(self, values: Tensor, /) -> bool:
        """Collect a step; False, with nothing changed, if it is full or cannot read the step."""


class Rows:
    """Keeps steps as they came, on any device, in any dtype.

    Args:
        like: a step `[batch, *neurons]`, like those that will come.
        order: orders the copies among the streams of a GPU.
    """

    __slots__ = ("_follow", "_kept", "_like", "_rows", "shape", "steps", "width")

    def __init__(self, like: Tensor, order: StreamOrder) -> None:
        self.shape = tuple(like.shape)
        self.steps = 0
        self.width = min(BLOCK_STEPS, MOST_KEPT // max(1, like.numel()))
        self._like = (like.dtype, like.device, like.layout)
        self._follow = order.follow if like.is_cuda else None
        self._kept: Tensor | None = None
        self._rows: tuple[Tensor, ...] = ()

    def add(self, values: Tensor) -> bool:
        """Copy a step; False if it is full, or the step has another shape, type or device."""
        if self.steps == self.width or values.shape != self.shape:
            return False
        if (values.dtype, values.device, values.layout) != self._like:
            return False
        if self._follow is not None:
            self._follow(values.device)
        if self._kept is None:
            with torch.inference_mode(False):  # else it could not be written to outside that mode
                self._kept = values.new_empty(self.width, *self.shape)
                self._rows = self._kept.unbind()
        self._rows[self.steps].copy_(values)
        self.steps += 1
        return True

    def take(self) -> Tensor:
        """Empty it; returns the steps `[steps, batch, *neurons]`, valid until the next `add`."""
        assert self._kept is not None
        steps, self.steps = self.steps, 0
        return self._kept[:steps]


class OpenBlock:
    """Collects a layer's binary steps; `flush` has the statistics count them.

    Args:
        statistics: the layer's statistics.
        tell: calls a function with each of them.
        order: orders the copies among the streams of a GPU.
    """

    def __init__(self, statistics: Sequence[Statistic], tell: Tell, order: StreamOrder) -> None:
        self._tell, self._order = tell, order
        self._sums_do = sums_do(statistics)
        self.filler: Filler | None = None
        self._starts = False  # the first step collected begins sequences
        self._sequences = 0  # samples' sequences that begin within sums
        self._remaining: NDArray[np.int64] | None = None

    def take(self, chunk: SpikeChunk) -> bool:
        """Collect a chunk of one step or more. It has no mask; `limit` may say where samples end.

        Returns:
            False if it cannot collect the chunk. Then all that came before is counted.
        """
        values, starts = chunk.values, chunk.starts_sequence
        first = values[0].contiguous()
        spans = self._in_sums and self.filler is not None and self.filler.shape == first.shape
        if starts and not spans:
            self.flush()
        if not self._put(first) and not self._begin(first, chunk.steps):
            return False
        assert self.filler is not None
        if starts and self._in_sums:
            self._sequences += len(first)
        if starts and self.filler.steps == 1:
            self._starts = True
        collected = [self._put(step.contiguous()) for step in values[1:]]
        assert all(collected), "steps of one chunk are alike: a filler reads all or none"
        return True

    def flush(self) -> None:
        """Have the statistics count the collected steps."""
        filler: Any = self.filler
        if filler is None or not filler.steps:
            return
        if isinstance(filler, Rows):
            self._count_rows(filler)
        elif self._in_sums:
            self._count_sums(filler)
        else:
            self._count_bits(filler)

    def discard(self) -> None:
        """Forget the collected steps. They still count against the valid steps that remain."""
        if self._remaining is not None and self.filler is not None:
            self._remaining -= np.minimum(self._remaining, self.filler.steps)
        self.filler, self._starts, self._sequences = None, False, 0

    @property
    def is_limited(self) -> bool:
        """Whether samples end in padding."""
        return self._remaining is not None

    @property
    def remaining(self) -> NDArray[np.int64] | None:
        """How many more steps of each sample are valid, `[batch]`; None if all are."""
        return self._remaining

    def limit(self, lengths: NDArray[np.int64] | None) -> None:
        """Set how many more steps of each sample are valid, `[batch]`; None for all."""
        self.flush()
        self.filler = None
        self._remaining = None if lengths is None else lengths.copy()

    def pass_by(self, steps: int) -> Tensor:
        """Note that so many steps came without being collected.

        Returns:
            bool `[steps, batch]`, which of them are valid.
        """
        assert self._remaining is not None
        lengths = np.minimum(self._remaining, steps)
        self._remaining -= lengths
        self.filler = None  # it counts the remaining steps itself, and missed these
        return valid_steps(lengths, steps)

    @property
    def _in_sums(self) -> bool:
        return self._sums_do and self._remaining is None and not isinstance(self.filler, Rows)

    def _put(self, step: Tensor) -> bool:
        filler = self.filler
        if filler is None:
            return False
        if filler.add(step):
            return True
        self.flush()
        return filler.add(step)

    def _begin(self, step: Tensor, steps: int) -> bool:
        """Collect the first of so many steps in a new filler; False if none can."""
        self.filler = self._compiled_for(step)
        if self.filler is None and steps == 1 and self._remaining is None:
            rows = Rows(step, self._order)
            if rows.width > 1 and rows.add(step):
                self.filler = rows
        return self.filler is not None

    def _compiled_for(self, step: Tensor) -> Filler | None:
        native = core()
        if native is None or step.device.type != "cpu" or not step.numel():
            return None
        if self._sums_do and self._remaining is None:
            filler: Any = native.Sums(tuple(step.shape))
        else:
            filler = native.Bits(tuple(step.shape))
            if self._remaining is not None:
                filler.until(self._remaining)
        return filler if filler.add(step) else None

    def _count_rows(self, rows: Rows) -> None:
        starts, self._starts = self._starts, False
        chunk = SpikeChunk(rows.take(), SignalKind.BINARY, starts)
        self._tell(lambda statistic: statistic.update(chunk))

    def _count_sums(self, filler: Any) -> None:
        batch, *neurons = filler.shape
        events = np.zeros(math.prod(neurons), np.int64)
        starts, self._starts = self._starts, False
        sequences, self._sequences = self._sequences, 0
        steps, nonfinite, not_binary = filler.take(events)
        sums = StepSums(
            starts_sequence=starts,
            neurons=torch.Size(neurons),
            events=events,
            steps=steps,
            batch=batch,
            sequences=sequences,
            nonfinite=nonfinite,
            not_binary=not_binary,
        )
        self._tell(lambda firing: firing.add_sums(sums))  # type: ignore[attr-defined]

    def _count_bits(self, filler: Any) -> None:
        batch, *neurons = filler.shape
        starts, self._starts = self._starts, False
        words = np.empty((batch, math.prod(neurons)), np.uint64)
        sums = np.empty((BLOCK_STEPS, batch), np.int32)
        steps, nonfinite, not_binary = filler.take(words, sums)
        lengths = None
        if self._remaining is not None:
            lengths = np.minimum(self._remaining, steps)
            self._remaining -= lengths
        block = StepBlock(
            starts_sequence=starts,
            neurons=torch.Size(neurons),
            words=words,
            sums=sums[:steps],
            lengths=lengths,
            nonfinite=nonfinite,
            not_binary=not_binary,
        )
        self._tell(lambda statistic: count(statistic, block))


def sums_do(statistics: Sequence[Statistic]) -> bool:
    """Whether a layer's statistics need only each neuron's sum over the steps."""
    # `Firing` never asks when a neuron fired. A subclass of it may.
    return len(statistics) == 1 and type(statistics[0]) is Firing


def count(statistic: Statistic, block: StepBlock) -> None:
    """Have a statistic count a block: by its method `count` or, if it has none, as a chunk."""
    # Look on the class: an instance's attribute `count` may be anything, such as a number.
    if callable(getattr(type(statistic), "count", None)):
        statistic.count(block)  # type: ignore[attr-defined]
    else:
        statistic.update(block.chunk())

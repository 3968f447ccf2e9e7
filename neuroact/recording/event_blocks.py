"""Has a layer count lists of events, without an array of all cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Size

from neuroact.native import core
from neuroact.recording.open_block import Tell, count, sums_do
from neuroact.statistics import Statistic
from neuroact.statistics.counting.step_block import BLOCK_STEPS, StepBlock, StepSums, valid_steps
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.stream.events import BinnedEvents

MOST_WORDS = 2**20
"""At most so many (sample, neuron) pairs are counted together, unless one sample has more."""


def count_events(statistics: Sequence[Statistic], events: BinnedEvents, tell: Tell) -> None:
    """Have a layer's statistics count the events; each sample is a sequence.

    Their state is the one that the array `[time, batch, *neurons]` of the same events gives. Time
    and memory grow with the events, and with the neurons in each of the blocks of 64 steps.

    Args:
        statistics: the layer's statistics.
        events: what to count.
        tell: calls a function with each of them.
    """
    compiled = core() is not None
    for part in _groups(events):
        if part.counts is not None:
            for chunk in _graded(part):
                tell(partial(_update, chunk))
        elif compiled and sums_do(statistics) and _whole(part):
            tell(partial(_add_sums, _sums(part)))
        elif compiled:
            for block in _blocks(part):
                tell(partial(_count, block))
        else:
            for block in _blocks(part):
                tell(partial(_update, block.chunk()))


def _update(chunk: SpikeChunk, statistic: Statistic) -> None:
    statistic.update(chunk)


def _add_sums(sums: StepSums, firing: Any) -> None:
    firing.add_sums(sums)


def _count(block: StepBlock, statistic: Statistic) -> None:
    count(statistic, block)


def _groups(events: BinnedEvents) -> Iterator[BinnedEvents]:
    samples = len(events.lengths)
    size = max(1, MOST_WORDS // events.neurons)
    for first in range(0, samples, size):
        yield events.of_samples(first, min(first + size, samples))


def _whole(events: BinnedEvents) -> bool:
    """Whether all samples have as many steps."""
    return bool((events.lengths == events.lengths[0]).all())


def _sums(events: BinnedEvents) -> StepSums:
    batch = len(events.lengths)
    return StepSums(
        neurons=Size(events.shape),
        events=np.bincount(events.neuron, minlength=events.neurons).astype(np.int64),
        steps=int(events.lengths[0]),
        batch=batch,
        sequences=batch,
        starts_sequence=True,
    )


def _blocks(events: BinnedEvents) -> Iterator[StepBlock]:
    batch = len(events.lengths)
    for first, steps, cells in events.windows(BLOCK_STEPS):
        words = np.zeros((batch, events.neurons), np.uint64)
        sums = np.zeros((steps, batch), np.int32)
        sample, step = events.sample[cells], events.step[cells] - first
        bits = np.left_shift(np.uint64(1), step.astype(np.uint64))
        np.bitwise_or.at(words, (sample, events.neuron[cells]), bits)
        np.add.at(sums, (step, sample), 1)
        lengths = _valid(events, first, steps)
        yield StepBlock(first == 0, Size(events.shape), words, sums, lengths)


def _graded(events: BinnedEvents) -> Iterator[SpikeChunk]:
    assert events.counts is not None
    batch = len(events.lengths)
    width = max(1, MOST_WORDS // (batch * events.neurons))
    for first, steps, cells in events.windows(width):
        values = np.zeros((steps, batch, events.neurons), np.float32)
        at = events.step[cells] - first, events.sample[cells], events.neuron[cells]
        values[at] = events.counts[cells]
        stream = torch.from_numpy(values.reshape(steps, batch, *events.shape))
        lengths = _valid(events, first, steps)
        valid = None if lengths is None else valid_steps(lengths, steps)
        yield SpikeChunk(stream, SignalKind.GRADED, first == 0, valid)


def _valid(events: BinnedEvents, first: int, steps: int) -> NDArray[np.int64] | None:
    """How many steps of a window are valid in each sample; None if all are."""
    return None if _whole(events) else np.clip(events.lengths - first, 0, steps)

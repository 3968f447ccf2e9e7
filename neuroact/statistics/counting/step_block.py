"""Steps of a binary layer in the form that a CPU counts: one bit for each value, or only sums.

A layer packs its steps once. All its statistics read the same words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neuroact.stream.chunk import SignalKind, SpikeChunk

BLOCK_STEPS = 64
"""The most steps in a block: the bits of a word."""


@dataclass(frozen=True, slots=True)
class StepBlock:
    """Up to 64 consecutive steps, of one sequence of each sample.

    Any value that is not zero is an event.

    Attributes:
        starts_sequence: whether the first step begins a sequence for every sample.
        neurons: shape of the neurons.
        words: uint64 `[batch, neurons]`, the neurons in C order: bit k is 1 if the neuron has an
            event at step k. It is 0 if that step is padding, or not in the block.
        sums: events of each sample at each step, int32 `[steps, batch]`.
        lengths: valid steps of each sample, int64 `[batch]`; the later ones are padding. None if no
            step is padding.
        nonfinite: whether a value was NaN or infinite.
        not_binary: whether a finite value was neither 0 nor 1.

    >>> import numpy as np, torch
    >>> from neuroact.statistics.counting.step_block import StepBlock
    >>> words = np.array([[0b101, 0b010]], dtype=np.uint64)        # one sample, two neurons
    >>> sums = np.array([[1], [1], [1]], dtype=np.int32)
    >>> block = StepBlock(True, torch.Size([2]), words, sums)
    >>> block.steps, block.batch, block.chunk().values.tolist()
    (3, 1, [[[1, 0]], [[0, 1]], [[1, 0]]])
    """

    starts_sequence: bool
    neurons: torch.Size
    words: NDArray[np.uint64]
    sums: NDArray[np.int32]
    lengths: NDArray[np.int64] | None = None
    nonfinite: bool = False
    not_binary: bool = False

    @property
    def steps(self) -> int:
        """Number of time steps, padding included."""
        return len(self.sums)

    @property
    def batch(self) -> int:
        """Number of samples."""
        return len(self.words)

    def chunk(self) -> SpikeChunk:
        """The block as a chunk, uint8 `[steps, batch, *neurons]`: 1 for an event, else 0."""
        octets = self.words.astype("<u8", copy=False)[..., None].view(np.uint8)
        bits = np.unpackbits(octets, axis=-1, count=self.steps, bitorder="little")
        values = np.moveaxis(bits.reshape(self.batch, *self.neurons, self.steps), -1, 0)
        valid = None if self.lengths is None else valid_steps(self.lengths, self.steps)
        return SpikeChunk(torch.from_numpy(values), SignalKind.BINARY, self.starts_sequence, valid)


@dataclass(frozen=True, slots=True)
class StepSums:
    """The sums of steps, for statistics that do not need each step. May span several sequences.

    Attributes:
        neurons: shape of the neurons.
        events: events of each neuron, int64 `[neurons]`, the neurons in C order.
        steps: number of time steps; none of them is padding.
        batch: number of samples.
        sequences: how many samples' sequences began with one of the steps.
        starts_sequence: whether sequences began with the first step.
        nonfinite: whether a value was NaN or infinite.
        not_binary: whether a finite value was neither 0 nor 1.
    """

    neurons: torch.Size
    events: NDArray[np.int64]
    steps: int
    batch: int
    sequences: int
    starts_sequence: bool
    nonfinite: bool = False
    not_binary: bool = False


def valid_steps(lengths: NDArray[np.int64], steps: int) -> torch.Tensor:
    """The mask that is True for the first `lengths` steps of each sample, bool `[steps, batch]`."""
    return torch.from_numpy(np.arange(steps)[:, None] < lengths)

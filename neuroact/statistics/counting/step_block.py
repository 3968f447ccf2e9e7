"""Steps of a binary layer as a CPU counts them: a bit a value, or sums alone.

A layer packs its steps once, and every statistic reads the same words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neuroact.stream.chunk import SignalKind, SpikeChunk

WIDTH = 64
"""Most steps of a block: the bits of a word."""


@dataclass(frozen=True, slots=True)
class StepBlock:
    """Up to 64 steps in a row, of one sequence of each sample.

    An event is a value that is not zero, whatever else it is.

    Attributes:
        starts_sequence: its first step begins a sequence for every sample.
        neurons: shape of the neurons.
        words: uint64 `[batch, neurons]`, the neurons in C order: bit k is the event of step k. Bits
            of steps that are padding, or not there, are 0.
        sums: events of each sample at each step, int32 `[steps, batch]`.
        lengths: how many steps of each sample are valid, the rest being padding, int64 `[batch]`;
            None where all are.
        nonfinite: a NaN or an infinity was among the values.
        not_binary: a finite value other than 0 and 1 was among them.

    >>> import numpy as np, torch
    >>> from neuroact.statistics.counting.step_block import StepBlock
    >>> words = np.array([[0b101, 0b010]], dtype=np.uint64)        # one sample of two neurons
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
        """The same as a chunk, uint8 `[steps, batch, *neurons]`: 1 where there is an event."""
        octets = self.words.astype("<u8", copy=False)[..., None].view(np.uint8)
        bits = np.unpackbits(octets, axis=-1, count=self.steps, bitorder="little")
        values = np.moveaxis(bits.reshape(self.batch, *self.neurons, self.steps), -1, 0)
        valid = None if self.lengths is None else valid_steps(self.lengths, self.steps)
        return SpikeChunk(torch.from_numpy(values), SignalKind.BINARY, self.starts_sequence, valid)


@dataclass(frozen=True, slots=True)
class StepSums:
    """What steps come to where nobody asks which fired when; of one or many sequences.

    Attributes:
        neurons: shape of the neurons.
        events: values that are not zero, int64 `[neurons]`, the neurons in C order.
        steps: number of time steps, none of them padding.
        batch: number of samples.
        sequences: samples' sequences that began with one of the steps.
        starts_sequence: the first step is one of those.
        nonfinite: a NaN or an infinity was among the values.
        not_binary: a finite value other than 0 and 1 was among them.
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
    """The mask of samples that end in padding, bool `[steps, batch]`."""
    return torch.from_numpy(np.arange(steps)[:, None] < lengths)

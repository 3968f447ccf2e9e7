"""A window: a compiled program adds the steps of a sequence to it, element by element.

So counting becomes a part of the loop that computes the neurons. A sum over the batch would be a
second loop, and a test of all values a third. The window tests each value too: a value that is
neither 0 nor 1 makes its element of the window negative. An element also turns negative after more
steps of one sequence than an int32 can count.

The traced code uses no name of torch's, since the compiler would check before each call that the
name still means the same.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Above this size, adding to a window costs more than a sum over the batch.
LARGEST_WINDOW = 2**20
# Measured with 100 to 65,536 values a step: packing gains 3 % at 100, and loses 2 % at 12,800.
LARGEST_PACKED = 4096


class Folded(NamedTuple):
    """What a window held.

    Attributes:
        events: int64 `[*neurons]`, where every value is 0 or 1.
        steps: int64 `[]`.
        not_binary: bool `[]`, True where a value was neither 0 nor 1, or where more steps came
            than the window can count.
    """

    events: Tensor
    steps: Tensor
    not_binary: Tensor


class Window:
    """Counts per sample and neuron, `[batch, *neurons]`, to which a program adds steps.

    The counts are int32, which costs a large layer little. The steps have a tensor of their own.

    Args:
        step: a step like those that will come.
    """

    __slots__ = ("counts", "steps")

    def __init__(self, step: Tensor) -> None:
        with torch.inference_mode(False):
            self.counts = torch.zeros_like(step, dtype=torch.int32)
            self.steps = self.counts.new_zeros((), dtype=torch.int64)

    def add(self, step: Tensor) -> None:
        """Count a step."""
        # x (x - 1) is 0 only where x is 0 or 1, in every type; of several tests this one compiles
        # to the fewest instructions. It adds -1 since bool has no subtraction. Other values may
        # convert to any int32: the fill overwrites them.
        self.counts.add_(step.to(self.counts.dtype)).masked_fill_(step * (step + -1) != 0, -(2**31))
        self.steps.add_(1)

    def fold(self) -> Folded:
        """Return what the window held, and empty it."""
        counts, steps = self.counts, self.steps
        # A negative element stays negative for less than 2^31 steps.
        not_binary = (counts < 0).any().logical_or(steps >= 2**31)
        folded = Folded(counts.clamp(min=0).sum(0), steps.clone(), not_binary)
        counts.zero_()
        steps.zero_()
        return folded


class PackedWindow(Window):
    """The same in one int64 tensor: in a small layer, each tensor handed to a program costs most.

    The low 32 bits count a neuron's events, the next 31 the steps. The sign marks a bad value.
    """

    __slots__ = ()

    def __init__(self, step: Tensor) -> None:
        with torch.inference_mode(False):
            self.counts = torch.zeros_like(step, dtype=torch.int64)

    def add(self, step: Tensor) -> None:
        """Count a step."""
        counts = self.counts
        more = counts + ((step != 0) + 2**32)
        not_binary = (step * (step + -1) != 0).to(counts.dtype) << 63
        counts.bitwise_and_(-(2**63)).bitwise_or_(more).bitwise_or_(not_binary)

    def fold(self) -> Folded:
        """Return what the window held, and empty it."""
        counts = self.counts
        events = (counts.clamp(min=0) & (2**32 - 1)).sum(0)
        steps = counts[(0,) * counts.ndim] >> 32 & (2**31 - 1)
        folded = Folded(events, steps, (counts < 0).any())
        counts.zero_()
        return folded


def window_for(step: Tensor) -> Window:
    """An empty window, of the class that costs less for steps like this one."""
    return PackedWindow(step) if 0 < step.numel() <= LARGEST_PACKED else Window(step)

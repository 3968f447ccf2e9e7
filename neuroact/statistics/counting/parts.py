"""Splits a chunk into parts small enough to work on at once, of dtypes that have arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from neuroact.stream.chunk import SpikeChunk

# The most values in a part, unless one step of one sample has more. On a CPU, intermediate results
# then stay in the cache; elsewhere each operation has a cost, so parts are larger.
_MOST_ON_CPU, _MOST_ELSEWHERE = 2**19, 2**20
# The most (time step, sample) pairs in a part: float32 counts them exactly, and int64 holds the sum
# of as many terms below 2^46.
_MOST_PAIRS = 2**16

_WITHOUT_ARITHMETIC = (torch.uint16, torch.uint32, torch.uint64)


class Part(NamedTuple):
    """Some steps of some samples of a chunk.

    Attributes:
        values: `[steps, samples, *neurons]`; 0 where a step is padding.
        steps: which of the chunk's steps.
        samples: which of the chunk's samples.
        valid: bool `[steps, samples]`, False where a step is padding; None if no step is.
    """

    values: Tensor
    steps: slice
    samples: slice
    valid: Tensor | None


def parts_of(chunk: SpikeChunk, together: int = 64) -> Iterator[Part]:
    """The chunk in parts, in order of time; no parts if it has no step or no sample.

    Args:
        chunk: the chunk to split.
        together: how many steps are best worked on at once. If the chunk has so many, each part
            gets them, and as few samples as that requires.
    """
    most = _MOST_ON_CPU if chunk.values.device.type == "cpu" else _MOST_ELSEWHERE
    pairs = max(1, min(most // max(1, math.prod(chunk.neurons)), _MOST_PAIRS))
    # Many steps of few samples rather than few steps of all: some work is done once for all steps.
    samples = max(1, min(chunk.batch, pairs // max(1, min(chunk.steps, together))))
    steps = pairs // samples
    for step in range(0, chunk.steps, steps):
        for sample in range(0, chunk.batch, samples):
            at = slice(step, step + steps), slice(sample, sample + samples)
            valid = None if chunk.valid is None else chunk.valid[at]
            yield Part(_plain(chunk.values[at], valid), *at, valid)


def differs(values: Tensor, other: Tensor | int) -> Tensor:
    """1 where they differ, else 0, in the values' dtype: comparing into bool is slow on a CPU."""
    return torch.ne(values, other, out=torch.empty_like(values))


def events_of(values: Tensor) -> Tensor:
    """1 where a value is not zero, an event, else 0: float32, which sums fast.

    >>> import torch
    >>> from neuroact.statistics.counting.parts import events_of
    >>> events_of(torch.tensor([0.0, -0.0, 0.5, float("nan")]))
    tensor([0., 0., 1., 1.])
    """
    return differs(values, 0).to(torch.float32)


def per_sample(values: Tensor) -> Tensor:
    """`[steps, samples, *neurons]` as `[steps, samples, neurons]`, also where a size is 0."""
    return values.reshape(*values.shape[:2], math.prod(values.shape[2:]))


def _plain(values: Tensor, valid: Tensor | None) -> Tensor:
    if values.dtype is torch.bool:
        values = values.view(torch.uint8)
    elif values.dtype.itemsize == 1 and values.dtype.is_floating_point:
        values = values.to(torch.float32)
    elif values.dtype in _WITHOUT_ARITHMETIC:
        values = values.to(torch.float64)
    if valid is None:
        return values
    mask = valid.reshape(*valid.shape, *(1,) * (values.ndim - 2))
    return torch.where(mask, values, torch.zeros((), dtype=values.dtype, device=values.device))

"""A chunk in parts that are small enough to be worked on at once, in types that have arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from neuroact.stream.chunk import SpikeChunk

# Values of a part, unless one sample's step has more: what is made of them on the way stays in a
# CPU's cache; elsewhere it is each operation that costs.
_MOST_ON_CPU, _MOST_ELSEWHERE = 2**19, 2**20
# Its (step, sample) pairs, of which float32 holds the number, and int64 sums of terms below 2^46.
_MOST_PAIRS = 2**16

_WITHOUT_ARITHMETIC = (torch.uint16, torch.uint32, torch.uint64)


class Part(NamedTuple):
    """Some steps of some samples of a chunk.

    Attributes:
        values: `[steps, samples, *neurons]`; 0 where a step is padding, whatever stood there.
        steps: which of the chunk's.
        samples: likewise.
        valid: bool `[steps, samples]`, False where a step is padding; None where none is.
    """

    values: Tensor
    steps: slice
    samples: slice
    valid: Tensor | None


def parts_of(chunk: SpikeChunk, together: int = 64) -> Iterator[Part]:
    """The chunk in parts, in the order of time; none where it has no step or no sample.

    Args:
        chunk: what came.
        together: steps that are best worked on at once; of more, fewer samples are a part.
    """
    most = _MOST_ON_CPU if chunk.values.device.type == "cpu" else _MOST_ELSEWHERE
    pairs = max(1, min(most // max(1, math.prod(chunk.neurons)), _MOST_PAIRS))
    # Some steps of few samples rather than few of all: much is worked out once for all steps.
    samples = max(1, min(chunk.batch, pairs // max(1, min(chunk.steps, together))))
    steps = pairs // samples
    for step in range(0, chunk.steps, steps):
        for sample in range(0, chunk.batch, samples):
            at = slice(step, step + steps), slice(sample, sample + samples)
            valid = None if chunk.valid is None else chunk.valid[at]
            yield Part(_plain(chunk.values[at], valid), *at, valid)


def differs(values: Tensor, other: Tensor | int) -> Tensor:
    """1 where they differ, else 0, in the values' own type: into bool a CPU compares slowly."""
    return torch.ne(values, other, out=torch.empty_like(values))


def events_of(values: Tensor) -> Tensor:
    """1 for an event, a value that is not zero, else 0: float32, which sums fast.

    >>> import torch
    >>> from neuroact.statistics.counting.parts import events_of
    >>> events_of(torch.tensor([0.0, -0.0, 0.5, float("nan")]))
    tensor([0., 0., 1., 1.])
    """
    return differs(values, 0).to(torch.float32)


def per_sample(values: Tensor) -> Tensor:
    """`[steps, samples, *neurons]` as `[steps, samples, neurons]`, whatever is empty."""
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

"""Makes blocks of steps from raw values, with NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuroact.statistics.counting.step_block import StepBlock


def block_of(
    values: NDArray[Any], *, starts: bool, lengths: NDArray[np.int64] | None = None
) -> StepBlock:
    """A block of steps.

    Args:
        values: `[steps, batch, *neurons]`, up to 64 steps.
        starts: whether its first step begins a sequence of every sample.
        lengths: number of each sample's steps before its padding, int64 `[batch]`; None: all steps.

    >>> import numpy as np
    >>> from neuroact.testing.packing import block_of
    >>> block_of(np.array([[[1, 0]], [[1, 1]]]), starts=True).words.tolist()
    [[3, 2]]
    """
    steps, batch, *neurons = values.shape
    ends = np.full(batch, steps) if lengths is None else lengths
    valid = np.arange(steps)[:, None] < ends
    rows = values.reshape(steps, batch, math.prod(neurons))
    events = (rows != 0) & valid[..., None]
    words = np.zeros(rows.shape[1:], dtype=np.uint64)
    for step, fired in enumerate(events):
        words |= fired.astype(np.uint64) << np.uint64(step)
    seen = rows[valid]
    finite = np.isfinite(seen)
    return StepBlock(
        starts,
        torch.Size(neurons),
        words,
        events.sum(2).astype(np.int32),
        lengths,
        nonfinite=not finite.all(),
        not_binary=bool((finite & (seen != 0) & (seen != 1)).any()),
    )

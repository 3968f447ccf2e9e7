"""Counts each neuron's events in windows of so many steps of each sample's sequence.

Windows follow each other without gaps from the start of a sequence. The last one counts only if the
sequence fills it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.statistics.counting.parts import per_sample
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.counting.stepwise import BlockPlaces, PlacedSteps


def checked_width(name: str, width: int) -> int:
    """A number of steps that is given as `name`.

    Raises:
        ValueError: it is not a whole number from 1 on.
    """
    if not isinstance(width, int | np.integer) or isinstance(width, bool) or width < 1:
        raise ValueError(f"expected {name}= to be a number of steps from 1 on, came {width!r}")
    return int(width)


def windows_of_steps(steps: PlacedSteps, counts: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The windows that some steps are in, without waiting for the device.

    Args:
        steps: the steps.
        counts: events so far in the open window of each sample, int64 `[batch, neurons]`; updated.
        width: steps of a window.

    Returns:
        The events in each window, int64 `[windows, neurons]`; and 1 where the window is complete,
        else 0, int64 `[windows]`.
    """
    events = per_sample(steps.events)
    time, samples, neurons = events.shape
    before, after = steps.places[0], steps.places[-1] + steps.valid[-1]
    most = time // width + 2  # windows of a sample that these steps may be in
    window = steps.places // width - before // width
    rows = window * samples + torch.arange(samples, device=window.device)
    found = events.new_zeros(most * samples, neurons)
    found.index_add_(0, rows.reshape(-1), events.reshape(time * samples, neurons))
    found = found.to(torch.int64).reshape(most, samples, neurons)
    found[0].add_(counts[steps.samples])
    ends = torch.arange(1, most + 1, device=window.device).unsqueeze(1) + before // width
    complete = (ends * width <= after).to(torch.int64)
    last = (after // width - before // width).reshape(1, samples, 1)
    counts[steps.samples] = found.gather(0, last.expand(1, samples, neurons))[0]
    return found.reshape(most * samples, neurons), complete.reshape(-1)


def windows_of_block(
    core: Any, block: StepBlock, at: BlockPlaces, counts: Tensor, width: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """The windows that end in a block, as `windows_of_steps` gives them.

    What it yields must be used before the next is asked for.
    """
    ended = at.clock // width
    for _ in range(block.steps // width + 2):
        first, end = (np.clip(n * width - at.clock, 0, at.lengths) for n in (ended, ended + 1))
        within = _lowest_bits(end) & ~_lowest_bits(first)
        core.add_counts(block.words & within[:, None], counts.numpy())
        ended = ended + 1
        complete = torch.from_numpy(ended * width <= at.clock + at.lengths)
        if bool(complete.any()):
            yield counts, complete.to(torch.int64)
            counts[complete] = 0


def _lowest_bits(number: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Words whose lowest bits are set, so many of them, from 0 to 64."""
    some = np.left_shift(np.uint64(1), np.minimum(number, 63).astype(np.uint64)) - np.uint64(1)
    return np.where(number > 63, ~np.uint64(0), some)

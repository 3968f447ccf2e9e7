"""Synaptic operations by going over every input, weight and output, in NumPy on raw values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn


class Counts(NamedTuple):
    """Whole numbers over all inputs, in the order of `counted`."""

    macs: int
    acs: int
    dense: int


def counted(module: Any, weight: Tensor, *inputs: Tensor) -> Counts:
    """Operations of a Linear, a Conv1d to Conv3d or a ConvTranspose2d with that weight."""
    nonzero = weight.detach().float().numpy() != 0
    macs = acs = dense = 0
    for x in inputs:
        values = x.detach().double().numpy()
        for value, connected in _pairs(module, nonzero, values):
            dense += value.size
            event = (value != 0) & connected
            acs += int((event & (abs(value) == 1)).sum())
            macs += int((event & (abs(value) != 1)).sum())
    return Counts(macs, acs, dense)


def _pairs(module: Any, nonzero: Any, values: Any) -> Iterator[tuple[Any, Any]]:
    """All values that meet some weight, and whether that is not zero."""
    if isinstance(module, nn.Linear):
        rows = values.reshape(-1, values.shape[-1])
        for output in range(len(nonzero)):
            yield rows, np.broadcast_to(nonzero[output], rows.shape)
        return
    channels, *sizes = values.shape[-len(module.kernel_size) - 1 :]
    images = values.reshape(-1, channels, *sizes)
    taps = list(itertools.product(*map(range, module.kernel_size)))
    if isinstance(module, nn.ConvTranspose2d):
        ends = [
            (n - 1) * s - 2 * p + k
            for n, s, p, k in zip(
                sizes, module.stride, module.padding, module.kernel_size, strict=True
            )
        ]
        for c, place, tap in itertools.product(range(channels), np.ndindex(*sizes), taps):
            at = np.array(place) * module.stride - module.padding + np.array(tap)
            if (at >= 0).all() and (at < ends).all():
                for weight in nonzero[(c, slice(None), *tap)]:
                    value = images[(slice(None), c, *place)]
                    yield value, np.full(value.shape, weight)
        return
    last = [
        n + 2 * p - d * (k - 1) - 1
        for n, p, d, k in zip(
            sizes, module.padding, module.dilation, module.kernel_size, strict=True
        )
    ]
    starts = [range(0, end + 1, s) for end, s in zip(last, module.stride, strict=True)]
    inputs, outputs = channels // module.groups, module.out_channels // module.groups
    for start, tap in itertools.product(itertools.product(*starts), taps):
        place = np.array(start) + np.array(tap) * module.dilation - module.padding
        if (place < 0).any() or (place >= sizes).any():
            continue  # padding
        for o, i in itertools.product(range(module.out_channels), range(inputs)):
            value = images[(slice(None), o // outputs * inputs + i, *place)]
            yield value, np.full(value.shape, nonzero[(o, i, *tap)])

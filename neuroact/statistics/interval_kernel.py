"""`interval_blocks` as one compiled loop, for CPUs where numba is installed: the same bits, sooner.

numba is imported when the first block is counted, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neuroact.statistics.interval_blocks import FRACTION_BITS, carry

WIDTH = 24
"""Steps in a block: float32 holds a word of so many bits exactly."""

# Up to here a neuron's terms of one block, below 23 · 3 · 2^44, fit when summed over samples.
_MOST_SAMPLES = 2**12

_COUNTED = ("intervals", "sums", "squares", "pairs", "cv2_fraction", "lv_fraction")
_UNIT = 2.0**FRACTION_BITS

# Which bit of a power of two is set, by the top five bits of its product with a de Bruijn number.
_DE_BRUIJN = 0x077CB531
_BIT = np.zeros(32, dtype=np.int64)
_BIT[[(_DE_BRUIJN << bit & 0xFFFFFFFF) >> 27 for bit in range(32)]] = np.arange(32)


@cache
def is_installed() -> bool:
    """Whether there is a numba to compile with."""
    return find_spec("numba") is not None


def count_block(
    packed: Tensor, lengths: Tensor, age: Tensor, last: Tensor, totals: Mapping[str, Tensor]
) -> None:
    """As `interval_blocks.count_block`, of words that are still float32, `[batch, neurons]`."""
    kernel = _compiled()
    counted = [totals[name].view(-1).numpy() for name in _COUNTED]
    for start in range(0, len(packed), _MOST_SAMPLES):
        rows = slice(start, start + _MOST_SAMPLES)
        arrays = (tensor[rows].numpy() for tensor in (packed, age, last, lengths))
        kernel(*arrays, totals["histogram"].numpy(), _BIT, *counted)
        carry(totals)


@cache
def _compiled() -> Callable[..., None]:
    import numba

    try:
        compiled: Callable[..., None] = numba.njit(cache=True, nogil=True)(_count)
    except RuntimeError:  # there is no folder to keep what was compiled in
        compiled = numba.njit(nogil=True)(_count)
    return compiled


def _count(
    packed: NDArray[np.float32],
    age: NDArray[np.float64],
    last: NDArray[np.float64],
    lengths: NDArray[np.float64],
    histogram: NDArray[np.int64],
    bits: NDArray[np.int64],
    intervals: NDArray[np.int64],
    sums: NDArray[np.int64],
    squares: NDArray[np.int64],
    pairs: NDArray[np.int64],
    cv2: NDArray[np.int64],
    lv: NDArray[np.int64],
) -> None:
    for sample in range(packed.shape[0]):
        length = np.int64(lengths[sample])
        largest: Any = np.float32((1 << length) - 1)
        for neuron in range(packed.shape[1]):
            value = packed[sample, neuron]
            # A NaN is above nothing, so it is no spike.
            word = np.uint32(min(value, largest)) if value > 0 else np.uint32(0)
            since = np.int64(age[sample, neuron])
            if word == 0:
                if since > 0:
                    age[sample, neuron] = since + length
                continue
            before = np.int64(last[sample, neuron])
            spike = -since
            if since == 0:
                lowest = word & (~word + np.uint32(1))
                spike = bits[np.uint32(lowest * np.uint32(_DE_BRUIJN)) >> np.uint32(27)]
                word ^= lowest
            first, number, square, adjacent = spike, 0, 0, 0
            terms, squared_terms = np.int64(0), np.int64(0)
            while word:
                lowest = word & (~word + np.uint32(1))
                next_spike = bits[np.uint32(lowest * np.uint32(_DE_BRUIJN)) >> np.uint32(27)]
                word ^= lowest
                interval = next_spike - spike
                spike = next_spike
                histogram[interval] += 1
                number += 1
                square += interval * interval
                if before > 0:
                    ratio = np.float64(abs(before - interval)) / np.float64(before + interval)
                    terms += np.int64(np.rint(ratio * 2.0 * _UNIT))
                    squared_terms += np.int64(np.rint(ratio * ratio * 3.0 * _UNIT))
                    adjacent += 1
                before = interval
            age[sample, neuron] = length - spike
            last[sample, neuron] = before
            intervals[neuron] += number
            sums[neuron] += spike - first
            squares[neuron] += square
            pairs[neuron] += adjacent
            cv2[neuron] += terms
            lv[neuron] += squared_terms

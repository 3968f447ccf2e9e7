"""A histogram of real values in bins that are fixed for every layer, so that two can be added.

A bin holds the values of one sign, one power of two and the same first `SUBDIVISIONS` bits of the
mantissa. Its width is at most `2^-SUBDIVISIONS` of the values in it. Zero has a bin of its own.
Values from `2^-RANGE` up to `2^RANGE` are told apart. Smaller ones are in the bin next to zero,
larger ones in the outermost.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SUBDIVISIONS, RANGE = 6, 128
ERROR = 2.0 ** -(SUBDIVISIONS + 1)
"""The largest relative error of a value that is replaced by the middle of its bin."""
_KEYS = 2 * RANGE << SUBDIVISIONS
ZERO = _KEYS + 1
"""The number of zero's bin. Bins of negative values are below, those of positive ones above."""
BINS = 2 * ZERO + 1

_MANTISSA, _BIAS, _MAGNITUDE = 52, 1023, 2**63 - 1


def bins_of(values: Tensor) -> Tensor:
    """The number of each value's bin, int64; of NaN any bin.

    Args:
        values: float64.

    >>> import torch
    >>> from neuroact.statistics.counting.real_bins import ZERO, bins_of
    >>> (bins_of(torch.tensor([-1.0, -0.0, 1.0, 1.01, 1.02]).double()) - ZERO).tolist()
    [-8193, 0, 8193, 8193, 8194]
    """
    keys = values.view(torch.int64) & _MAGNITUDE
    keys.bitwise_right_shift_(_MANTISSA - SUBDIVISIONS)
    keys.sub_((_BIAS - RANGE << SUBDIVISIONS) - 1).clamp_(1, _KEYS + 1)
    keys.mul_(values.sign().to(torch.int64)).add_(ZERO)
    return keys.clamp_(0, BINS - 1)  # the sign of NaN is any number


def edges_of(bins: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper edge of each bin. Zero's are both 0, and the outermost bins are infinite."""
    keys = np.abs(bins - ZERO)
    near, far = _edge(keys - 1), _edge(keys)
    near = np.where(keys > 1, near, 0.0)
    far = np.where(keys == 0, 0.0, np.where(keys > _KEYS, np.inf, far))
    below = bins < ZERO
    return np.where(below, -far, near), np.where(below, -near, far)


def middles_of(bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """The middle of each bin; infinite for the outermost."""
    low, high = edges_of(bins)
    return low / 2 + high / 2


def _edge(key: NDArray[np.int64]) -> NDArray[np.float64]:
    exponent, part = np.divmod(key, 1 << SUBDIVISIONS)
    edge: NDArray[np.float64] = np.ldexp(1.0 + part / (1 << SUBDIVISIONS), exponent - RANGE)
    return edge

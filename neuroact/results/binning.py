"""Histograms of any finite values. Pure, numpy only.

`numpy.histogram` raises an error in two cases: the bins do not fit between the smallest and the
largest value, or the difference of the two overflows. Both occur here. For example, equal
activities differ by rounding when their sums were taken in another order.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["binned"]

# Values beyond `_LARGE` are first divided by `_SCALE`, a power of two: the bins stay the same.
_LARGE, _SCALE = 2.0**1000, 2.0**64
_LARGEST = float(np.finfo(np.float64).max)


def binned(
    values: ArrayLike,
    bins: int | NDArray[Any] = 10,
    range: tuple[float, float] | None = None,
    weights: ArrayLike | None = None,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """`numpy.histogram`, but a range too narrow for its bins is widened.

    Values that differ by rounding only are binned like equal values. As in NumPy, the range then
    reaches half a unit to either side of them. It reaches further where float64 is too coarse for
    bins of that width.

    Args:
        values: finite numbers, or none.
        bins: number of bins of equal width, or their edges.
        range: lower and upper edge. None: the smallest and the largest value.
        weights: the weight of each value. None: 1 for each.

    Returns:
        Counts (or sums of weights) `[bins]`, and ascending edges, float64 `[bins + 1]`.

    >>> from neuroact.results.binning import binned
    >>> counts, edges = binned([0.3, 0.1 + 0.2], 3)
    >>> counts.tolist(), edges.round(2).tolist()
    ([0, 2, 0], [-0.2, 0.13, 0.47, 0.8])
    """
    values = np.asarray(values, dtype=np.float64)
    if range is None and values.size:
        range = float(values.min()), float(values.max())
    if not isinstance(bins, Integral) or bins < 1 or range is None or not range[0] <= range[1]:
        return np.histogram(values, bins, range, weights=weights)
    scale = _SCALE if max(map(abs, range)) > _LARGE else 1.0
    ends = _wide_enough(range[0] / scale, range[1] / scale, int(bins), _LARGEST / scale)
    counts, edges = np.histogram(values / scale, int(bins), ends, weights=weights)
    return counts, edges * scale


def _wide_enough(low: float, high: float, bins: int, largest: float) -> tuple[float, float]:
    """The same ends if the bins fit between them, else wider ones around the same middle."""
    middle = low + (high - low) / 2
    finest = bins * float(np.spacing(max(abs(low), abs(high))))
    for ends in ((low, high), (middle - 0.5, middle + 0.5)):
        if (np.diff(np.linspace(*ends, bins + 1)) > 0).all():
            return ends
    middle = min(max(middle, finest - largest), largest - finest)
    return middle - finest, middle + finest

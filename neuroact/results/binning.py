"""How many values lie in which bin, whatever the values. Pure, numpy only.

`numpy.histogram` raises where its bins do not fit between the smallest value and the largest, and
where the difference of the two overflows. Both come up: activities that are the same sum taken in
another order differ by rounding only.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["binned"]

# Beyond `_LARGE`, values are binned as parts of `_SCALE`: a power of two, so the same bins.
_LARGE, _SCALE = 2.0**1000, 2.0**64
_LARGEST = float(np.finfo(np.float64).max)


def binned(
    values: ArrayLike,
    bins: int | NDArray[Any] = 10,
    range: tuple[float, float] | None = None,
    weights: ArrayLike | None = None,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """`numpy.histogram`, with a range that is widened where it is too narrow for its bins.

    What differs by rounding only is shown as NumPy shows equal values: in the middle of a range
    that reaches half a unit to either side, or further where float64 is coarser than such bins.

    Args:
        values: finite numbers; may be none.
        bins: number of bins of equal width, or their edges.
        range: lower and upper edge; the smallest and largest value where None.
        weights: how much each value counts; once where None.

    Returns:
        Counts, or sums of weights, `[bins]`, and edges float64 `[bins + 1]`, which ascend.

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
    """The ends where so many bins fit between them, else wider ones around the same middle."""
    middle = low + (high - low) / 2
    finest = bins * float(np.spacing(max(abs(low), abs(high))))
    for ends in ((low, high), (middle - 0.5, middle + 0.5)):
        if (np.diff(np.linspace(*ends, bins + 1)) > 0).all():
            return ends
    middle = min(max(middle, finest - largest), largest - finest)
    return middle - finest, middle + finest

"""How far apart two distributions are, of values that come with counts. Pure, numpy only."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["wasserstein"]


def wasserstein(
    values: ArrayLike, counts: ArrayLike, other_values: ArrayLike, other_counts: ArrayLike
) -> float:
    """The 1-Wasserstein distance between two distributions, each of values with counts.

    The area between the two cumulative distribution functions::

        W = ∫ |F(x) - G(x)| dx

    which is the mean distance that the values of one have to be moved to become the other: the
    earth mover's distance. Computed from the different values, without repeating or sampling any:
    what rounds are the differences of values, one division per value, and the sum.

    Args:
        values: finite numbers, ascending, each once.
        counts: how often each is there, whole numbers above 0.
        other_values: those of the other distribution; how many there are may differ.
        other_counts: how often each of them is there.

    Returns:
        The distance, in the unit of the values; exactly 0 where the distributions are the same,
        and only there (but for differences near the smallest float64). NaN where one is empty.

    Source: S. S. Vallender, Calculation of the Wasserstein distance between probability
    distributions on the line, Theory of Probability & Its Applications 18(4), 1974,
    doi:10.1137/1118101.

    >>> from neuroact.results.distance import wasserstein
    >>> wasserstein([0.0, 1.0], [3, 1], [0.5], [7])
    0.5
    """
    ours, theirs = (np.asarray(v, dtype=np.float64) for v in (values, other_values))
    if ours.size == 0 or theirs.size == 0:
        return math.nan
    steps = np.union1d(ours, theirs)
    apart = np.abs(_shares(ours, counts, steps) - _shares(theirs, other_counts, steps))
    return float(np.sum(apart[:-1] * np.diff(steps)))


def _shares(
    values: NDArray[np.float64], counts: ArrayLike, steps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The cumulative distribution function at each of the steps.

    One correctly rounded division of whole numbers: equal shares are equal bits, whatever the
    number of values.
    """
    upto = np.concatenate([[0], np.cumsum(np.asarray(counts), dtype=np.int64)])
    return np.asarray(upto[np.searchsorted(values, steps, side="right")] / upto[-1])

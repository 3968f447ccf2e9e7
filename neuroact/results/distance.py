"""The distance between two distributions, each given as values with counts. Pure, numpy only."""

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

    It is also called the earth mover's distance: how far, on average, the values of one have to be
    moved to become the other. It is computed from the distinct values; none is repeated or
    sampled. Rounding occurs in the differences of values, in one division per value, and in the
    sum.

    Args:
        values: distinct finite numbers, ascending.
        counts: how often each value occurs, whole numbers above 0.
        other_values: the same of the other distribution; it may have more or fewer.
        other_counts: how often each of them occurs.

    Returns:
        The distance, in the unit of the values. It is exactly 0 if the distributions are the same,
        and only then (except for differences near the smallest float64). NaN if one is empty.

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

    Each is one correctly rounded division of whole numbers. So equal shares have equal bits,
    however many values there are.
    """
    upto = np.concatenate([[0], np.cumsum(np.asarray(counts), dtype=np.int64)])
    return np.asarray(upto[np.searchsorted(values, steps, side="right")] / upto[-1])

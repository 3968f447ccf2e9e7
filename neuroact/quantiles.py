"""Exact quantiles of values that come with counts.

A histogram has the same quantiles as the values that it counts. It takes only the memory of the
distinct values, even where it counts 10^15 of them. So nothing here repeats a value. The functions
are pure and use only NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["METHODS", "quantile", "tally"]

Floats: TypeAlias = NDArray[np.float64]
Ranks: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[Any]  # whatever real type the caller's data has

# Up to this total float64 holds every rank, so a quantile's position is as exact as its formula.
_LARGEST_TOTAL = 2**53

# Selecting takes about log2(ranks) passes over the data; sorting costs the same for any number.
_MOST_RANKS_TO_SELECT = 32


@overload
def quantile(
    values: ArrayLike, q: float, *, counts: ArrayLike | None = None, method: str = "linear"
) -> float: ...
@overload
def quantile(
    values: ArrayLike,
    q: Sequence[Any] | Numbers,
    *,
    counts: ArrayLike | None = None,
    method: str = "linear",
) -> Floats: ...
def quantile(
    values: ArrayLike,
    q: float | Sequence[Any] | Numbers,
    *,
    counts: ArrayLike | None = None,
    method: str = "linear",
) -> float | Floats:
    """Quantiles of `values`, each taken as often as `counts` says.

    The n values, sorted, are x[0] <= ... <= x[n-1]; n is the sum of the counts. A method puts the
    quantile at one of them or, at a position p that need not be whole, between two::

        x(p) = x[i] + (p - i) (x[i+1] - x[i])      i = floor(p)

    Indices below 0 are taken as 0, above n-1 as n-1.

    =========================  ====  ==========================================================
    method                     type  quantile
    =========================  ====  ==========================================================
    inverted_cdf               1     x[ceil(n q) - 1]
    averaged_inverted_cdf      2     the same; mean of x[n q - 1] and x[n q] where n q is whole
    closest_observation        3     x[round(n q) - 1], a half rounded to even
    interpolated_inverted_cdf  4     x(n q - 1)
    hazen                      5     x(n q - 1/2)
    weibull                    6     x((n + 1) q - 1)
    linear                     7     x((n - 1) q)
    median_unbiased            8     x((n + 1/3) q - 2/3)
    normal_unbiased            9     x((n + 1/4) q - 5/8)
    lower                            x[floor((n - 1) q)]
    higher                           x[ceil((n - 1) q)]
    midpoint                         mean of lower and higher
    nearest                          x[round((n - 1) q)], a half rounded to even
    =========================  ====  ==========================================================

    Every result equals (``==``) that of ``numpy.quantile``, in float64, for the same values
    repeated; for type 3 since numpy 2.0.1, which rounds as the paper does. A zero is returned as
    +0.0. As q grows, the result of every method never falls, not even by a bit; only integers
    beyond 2**53 are an exception. The reason: x(p) is computed from the nearer of its two ends.
    Half way, where the nearer end changes, only x[i+1] - x[i] is rounded, and that error is too
    small for a step down.

    Args:
        values: Real numbers of any shape and in any order; bool counts as 0 and 1. A value may
            appear more than once. The result has their unit.
        q: One or more levels in [0, 1], of any shape; taken as float64.
        counts: How often each value occurs: integers >= 0 of the shape of `values`. A value
            counted zero times is ignored, even if it is NaN. None: each value once.
        method: One of the thirteen names of ``numpy.quantile`` above.

    Returns:
        A float where q is one number, else a float64 array of q's shape. If a value is NaN, every
        result is NaN. Infinite values act as in numpy: the methods that pick one value (types 1
        and 3, lower, higher, nearest) return them; the others give NaN at or next to them, since
        inf - inf is NaN. Finite neighbours whose difference overflows give an infinity or NaN.

    Raises:
        ValueError: No values, or all counted zero times; q outside [0, 1] or NaN; a negative
            count; shapes that differ; an unknown method; counts that sum to more than 2**53.
        TypeError: Values or q that are not real numbers of at most 64 bits; counts that are not
            integers.

    Source: Hyndman and Fan, Sample quantiles in statistical packages, The American Statistician
    50(4), 1996, doi:10.1080/00031305.1996.10473566.

    Example:
        >>> from neuroact.quantiles import quantile
        >>> quantile([0, 0, 0, 1], 0.75)
        0.25
        >>> quantile([0, 1], [0.5, 0.9999999], counts=[3 * 10**14, 10**14], method="higher")
        array([0., 1.])
    """
    rule = _rule(method)
    levels = _levels(q)
    data = _real(values, "values")
    total, pick = _uncounted(data) if counts is None else _counted(data, counts)
    found = _quantiles(rule, total, levels.ravel(), pick)
    return float(found[0]) if levels.ndim == 0 else found.reshape(levels.shape)


def tally(values: ArrayLike) -> tuple[Numbers, Ranks]:
    """Distinct values, ascending, and how often each occurs.

    `quantile` takes both. For the quantiles of values / observations, divide the few distinct
    values: the result is the same to the last bit as from dividing all values, and it is cheaper.

    Args:
        values: Real numbers of any shape, bool included. All NaN count as one value, the last;
            -0.0 and 0.0 are one value.

    Returns:
        The distinct values in their own type, and int64 counts of the same length. Both are empty
        where there are no values.

    Raises:
        TypeError: The values are not real numbers of at most 64 bits.

    Example:
        >>> from neuroact.quantiles import quantile, tally
        >>> spikes, neurons = tally([2, 0, 0, 7, 2, 0])
        >>> spikes, neurons
        (array([0, 2, 7]), array([3, 2, 1]))
        >>> quantile(spikes / 10, [0.5, 1.0], counts=neurons)
        array([0.1, 0.7])
    """
    data = _real(values, "values").ravel()
    if _few_integers(data):
        return _tally_integers(data)
    distinct, counts = np.unique(data, return_counts=True)
    return distinct, counts.astype(np.int64, copy=False)


class _Rule(NamedTuple):
    """Where a method looks among n sorted values, counted from 0, and how it weighs neighbours."""

    position: Callable[[int, Floats], Floats]
    weight: Callable[[Floats], Floats] | None = None  # of the upper neighbour; None: whole position


def _interpolated(position: Callable[[int, Floats], Floats]) -> _Rule:
    return _Rule(position, lambda fraction: fraction)


def _plotting(alpha: float, beta: float) -> _Rule:
    """Hyndman and Fan's family: position n q + alpha + q (1 - alpha - beta), counted from 1."""
    return _interpolated(lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1)


# The order of operations is part of the definition: it decides on which side of a whole number a
# rounded position lies.
_RULES = {
    "inverted_cdf": _Rule(lambda n, q: np.ceil(n * q - 1)),
    "averaged_inverted_cdf": _Rule(
        lambda n, q: n * q - 1, lambda fraction: np.where(fraction == 0, 0.5, 1.0)
    ),
    "closest_observation": _Rule(lambda n, q: np.rint(n * q) - 1),
    "interpolated_inverted_cdf": _plotting(0, 1),
    "hazen": _plotting(1 / 2, 1 / 2),
    "weibull": _plotting(0, 0),
    "linear": _interpolated(lambda n, q: (n - 1) * q),
    "median_unbiased": _plotting(1 / 3, 1 / 3),
    "normal_unbiased": _plotting(3 / 8, 3 / 8),
    "lower": _Rule(lambda n, q: np.floor((n - 1) * q)),
    "higher": _Rule(lambda n, q: np.ceil((n - 1) * q)),
    "midpoint": _Rule(lambda n, q: (n - 1) * q, lambda fraction: np.where(fraction == 0, 0.0, 0.5)),
    "nearest": _Rule(lambda n, q: np.rint((n - 1) * q)),
}

METHODS = tuple(_RULES)
"""The names of the methods, Hyndman and Fan's types 1 to 9 first."""


def _quantiles(rule: _Rule, n: int, q: Floats, pick: Callable[[Ranks], Numbers]) -> Floats:
    """Quantiles of n values; `pick` returns the sorted values at the ranks that it is given."""
    position = rule.position(n, q)
    below = np.floor(position)
    ranks = np.stack([below, below + 1]).clip(0, n - 1).astype(np.int64)
    if rule.weight is None:
        return pick(ranks[0]).astype(np.float64) + 0.0
    lower, upper = pick(ranks)
    return _between(lower, upper, rule.weight(position - below)) + 0.0


def _between(lower: Numbers, upper: Numbers, weight: Floats) -> Floats:
    with np.errstate(invalid="ignore", over="ignore"):
        gap = _gap(lower, upper)
        near_lower = lower + gap * weight
        near_upper = upper - gap * (1 - weight)
    return np.where(weight < 0.5, near_lower, near_upper)


def _gap(lower: Numbers, upper: Numbers) -> Floats:
    if lower.dtype.kind == "f":
        return upper.astype(np.float64) - lower
    # The difference may not fit into int64. It fits into uint64, where wrapping does not change it.
    return np.subtract(upper.astype(np.uint64), lower.astype(np.uint64)).astype(np.float64)


def _uncounted(data: Numbers) -> tuple[int, Callable[[Ranks], Numbers]]:
    data = data.ravel()
    if data.size == 0:
        raise ValueError("expected values= to hold at least one value, came none")
    if _few_integers(data):
        return _counted(*_tally_integers(data))
    if np.isnan(data).any():
        return 1, _all_nan
    return data.size, lambda ranks: _select(data, ranks)


def _counted(values: Numbers, counts: ArrayLike) -> tuple[int, Callable[[Ranks], Numbers]]:
    data, repeats = _occurring(values, _counts(counts, values.shape))
    if np.isnan(data).any():
        return 1, _all_nan
    if (data[1:] < data[:-1]).any():
        order = np.argsort(data)
        data, repeats = data[order], repeats[order]
    ends = np.cumsum(repeats, dtype=np.int64)
    # If no count alone exceeds the limit, the first sum that does has not wrapped, so it is seen.
    if max(int(repeats.max()), int(ends.max())) > _LARGEST_TOTAL:
        raise ValueError(
            f"expected counts= to sum to at most 2**53 = {_LARGEST_TOTAL}, came more; "
            "divide them by a common factor"
        )
    return int(ends[-1]), lambda ranks: data[np.searchsorted(ends, ranks, side="right")]


def _all_nan(ranks: Ranks) -> Floats:
    return np.full(ranks.shape, np.nan)


def _occurring(values: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    there = counts > 0
    if not there.any():
        raise ValueError(
            "expected values= with at least one counted more than zero times, "
            f"came {counts.size}, none of them counted"
        )
    return values[there], counts[there]


def _select(data: Numbers, ranks: Ranks) -> Numbers:
    """The same as `np.sort(data)[ranks]`, cheaper for a few ranks."""
    wanted = np.unique(ranks)
    if wanted.size > _MOST_RANKS_TO_SELECT:
        return np.sort(data)[ranks]
    partly_sorted = data.copy()
    _settle(partly_sorted, wanted)
    return partly_sorted[ranks]


def _settle(data: Numbers, ranks: Ranks) -> None:
    """Reorder data in place so that the given ranks, ascending, hold what a sort puts there."""
    if ranks.size:
        half = ranks.size // 2
        middle = int(ranks[half])
        # One rank at a time: NumPy vectorises a partition at one rank, but not at several.
        data.partition(middle)
        _settle(data[:middle], ranks[:half])
        _settle(data[middle + 1 :], ranks[half + 1 :] - (middle + 1))


def _few_integers(data: Numbers) -> bool:
    """Whether counting every integer from the smallest to the largest takes less than sorting."""
    if data.dtype.kind == "f" or data.size == 0:
        return False
    return int(data.max()) - int(data.min()) <= data.size


def _tally_integers(data: Numbers) -> tuple[Numbers, Ranks]:
    smallest = data.min()
    # For values at both ends of a type this wraps, and so does the sum below: they cancel.
    offsets = np.subtract(data, smallest, dtype=np.intp, casting="unsafe")
    counts = np.bincount(offsets).astype(np.int64, copy=False)
    there = np.flatnonzero(counts)
    return there.astype(data.dtype) + smallest, counts[there]


def _real(numbers: ArrayLike, name: str) -> Numbers:
    array = np.asarray(numbers)
    if not np.can_cast(array.dtype, np.float64):
        raise TypeError(
            f"expected {name}= to be real numbers of at most 64 bits, came {array.dtype}; "
            "convert them with .astype(float)"
        )
    return array


def _levels(q: ArrayLike) -> Floats:
    levels = _real(q, "q").astype(np.float64)
    outside = levels[~((levels >= 0) & (levels <= 1))]
    if outside.size:
        raise ValueError(
            f"expected q= to lie in [0, 1], came {outside[0]}; divide percentages by 100"
        )
    return levels


def _counts(counts: ArrayLike, shape: tuple[int, ...]) -> Numbers:
    repeats = np.asarray(counts)
    if repeats.shape != shape:
        raise ValueError(
            f"expected counts= of the shape of values=, {shape}, came {repeats.shape}; "
            "give one count for each value"
        )
    if repeats.size and repeats.dtype.kind not in "iu":
        raise TypeError(
            f"expected counts= to be integers, came {repeats.dtype}; "
            "convert whole numbers with .astype(int)"
        )
    if (repeats < 0).any():
        raise ValueError(f"expected counts= to be zero or more, came {repeats.min()}")
    return repeats


def _rule(method: str) -> _Rule:
    try:
        return _RULES[method]
    except KeyError:
        known = ", ".join(METHODS)
        raise ValueError(f"expected method= to be one of {known}, came {method!r}") from None

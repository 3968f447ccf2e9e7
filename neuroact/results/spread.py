"""How effective operations are spread over samples: a histogram of whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroact.card import Carded
from neuroact.errors import SamplesUnknownError
from neuroact.quantiles import quantile

MOST_VALUES = 4096
"""So many different values are kept as they are; where there are more, all are put in bins."""
MOST_SAMPLES = 2**53
"""Quantiles need counts that float64 holds exactly."""
_BITS = 9
"""Binary digits that a bin keeps of a value: bins are 2^-8 of their values wide, or narrower."""


@dataclass(frozen=True, repr=False)
class OperationSpread(Carded):
    """How many effective operations the samples took, as a histogram over samples.

    One value is the `acs + macs` of one sample's sequence, over all its steps. The least, the
    greatest and the sum are exact. Quantiles are exact while there are up to 4096 different values.
    Where there are more, each value is taken as the lower end of its bin. Bins are 2^-8 of their
    values wide, or narrower: quantiles are then exact below 512, and else too small by less than
    0.4 %.

    Which of the two it is follows from the values alone. So any split, order and merge of the
    samples gives the same.

    Attributes:
        values: different values, or lower ends of bins, ascending.
        counts: how many samples have each.
        least: the least value of a sample; 0 without samples.
        most: the greatest; 0 without samples.
        sum: over all samples.
        exact: whether `values` are the samples' own, not those of bins.

    >>> from neuroact.results.spread import OperationSpread
    >>> spread = OperationSpread.of([40, 10, 20, 10])
    >>> spread.samples, spread.mean, spread.median, spread.quantile(1)
    (4, 20.0, 15.0, 40.0)
    """

    values: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    least: int = 0
    most: int = 0
    sum: int = 0
    exact: bool = True

    @classmethod
    def of(cls, operations: ArrayLike) -> OperationSpread:
        """The spread of samples' operations: whole numbers, one for each sample."""
        came = np.asarray(operations, np.int64).ravel()
        if not came.size:
            return cls()
        values, counts = np.unique(came, return_counts=True)
        total = sum(came.tolist())
        return _made(values, counts, int(values[0]), int(values[-1]), total, exact=True)

    @classmethod
    def zeros(cls, samples: int) -> OperationSpread:
        """The spread of so many samples without an operation."""
        return cls((0,), (samples,)) if samples > 0 else cls()

    @property
    def samples(self) -> int:
        """Number of samples."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Mean over samples, `sum / samples`; NaN without samples."""
        return self.sum / self.samples if self.counts else math.nan

    @property
    def median(self) -> float:
        """Median over samples, `quantile(0.5)`."""
        return self.quantile(0.5)

    def quantile(self, q: float, *, method: str = "linear") -> float:
        """The number of operations that a share `q` of the samples does not exceed.

        Args:
            q: a level in [0, 1].
            method: as in `neuroact.quantiles.quantile`.

        Returns:
            The quantile; NaN without samples. Exact where `exact`, else too small by less than
            2^-8 of it.

        Raises:
            ValueError: the level is outside [0, 1], or there is no such method.
        """
        if not self.counts:
            return math.nan
        found = quantile(np.array(self.values), q, counts=np.array(self.counts), method=method)
        # The first bin begins below the least value, if not at it.
        return max(float(found), float(self.least)) if q < 1 else float(self.most)

    def plus(self, other: OperationSpread) -> OperationSpread:
        """The spread over the samples of both."""
        if not (self.counts and other.counts):
            return self if self.counts else other
        both = np.array(self.values + other.values), np.array(self.counts + other.counts)
        values, at = np.unique(both[0], return_inverse=True)
        return _made(
            values,
            _added(both[1], at, len(values)),
            min(self.least, other.least),
            max(self.most, other.most),
            self.sum + other.sum,
            exact=self.exact and other.exact,
        )


NOT_TOLD_APART = "the samples were not told apart"


def checked_spread(
    spread: OperationSpread | str, sequences: Mapping[str, int]
) -> OperationSpread | str:
    """The spread, if it is of the sequences that each recorded layer began; else the reason.

    Args:
        spread: or why it is not known.
        sequences: samples' sequences begun in each recorded layer; empty if nobody knows.
    """
    if isinstance(spread, str) or set(sequences.values()) <= {spread.samples}:
        return spread
    had = ", ".join(f'"{name}" {number}' for name, number in list(sequences.items())[:8])
    return (
        f"it was called with {spread.samples} samples, while the recorded spiking layers began "
        f"these numbers of sequences: {had}"
    )


def known_spread(spread: OperationSpread | str, layer: str | None) -> OperationSpread:
    """The spread.

    Raises:
        SamplesUnknownError: there is a reason in its place; names the layer.
    """
    if isinstance(spread, OperationSpread):
        return spread
    whose = "all layers together" if layer is None else f'layer "{layer}"'
    raise SamplesUnknownError(
        f"{whose}: which operations are of which sample is not known: {spread}", layer=layer
    )


def check_spread(spread: OperationSpread) -> OperationSpread:
    """The spread, if samples can have it.

    Raises:
        ValueError: they cannot; says why.
    """
    values, counts = spread.values, spread.counts
    if len(values) != len(counts) or any(count < 1 for count in counts):
        raise ValueError("expected one count above 0 for each value")
    if any(low >= high for low, high in pairwise(values)) or min(values, default=0) < 0:
        raise ValueError("expected ascending values from 0")
    if spread.samples > MOST_SAMPLES:
        raise ValueError("they have too many samples")
    if spread.exact and len(values) > MOST_VALUES:
        raise ValueError(f"expected up to {MOST_VALUES} exact values, came {len(values)}")
    lowest, highest = (values[0], values[-1]) if values else (0, 0)
    ends = np.array([spread.least, spread.most])
    if not spread.exact:
        ends = _lower_ends(ends)
        if not np.array_equal(_lower_ends(np.array(values)), values):
            raise ValueError("a value is no end of a bin")
    at_least = sum(value * count for value, count in zip(values, counts, strict=True))
    if tuple(ends) != (lowest, highest) or spread.least > spread.most:
        raise ValueError("the least or the greatest value is none of the values")
    if spread.sum < at_least or (spread.exact and spread.sum != at_least):
        raise ValueError("the sum is not that of the values")
    return spread


def _made(
    values: NDArray[np.int64],
    counts: NDArray[np.int64],
    least: int,
    most: int,
    total: int,
    *,
    exact: bool,
) -> OperationSpread:
    exact = exact and len(values) <= MOST_VALUES
    if not exact:
        values, at = np.unique(_lower_ends(values), return_inverse=True)
        counts = _added(counts, at, len(values))
    return OperationSpread(
        tuple(values.tolist()), tuple(counts.tolist()), least, most, total, exact
    )


def _lower_ends(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each value with all but its first nine binary digits set to zero."""
    # A float64 may round a value up to the next power of two, so the digits are counted in halves.
    high, low = values >> 32, values & 0xFFFFFFFF
    digits = np.where(high > 0, 32 + np.frexp(high)[1], np.frexp(low)[1])
    dropped = np.maximum(digits - _BITS, 0)
    lower: NDArray[np.int64] = (values >> dropped) << dropped
    return lower


def _added(counts: NDArray[np.int64], at: NDArray[np.intp], length: int) -> NDArray[np.int64]:
    sums = np.zeros(length, np.int64)
    np.add.at(sums, at.ravel(), counts)
    return sums

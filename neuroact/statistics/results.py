"""Results computed from integer counts, so that only the last division rounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuroact.card import Carded
from neuroact.errors import NoTimeStepError
from neuroact.quantiles import quantile

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

NONFINITE = "NaN or infinite values were emitted"
"""Why a layer's figures cannot be trusted if one of its values was not finite."""


@dataclass(frozen=True, eq=False, repr=False)
class LayerResult(Carded):
    """What a statistic found in one layer: read-only arrays, compared by content.

    Attributes:
        unreliable: why the layer's values cannot be trusted, see `LayerActivity.unreliable`; every
            figure is then NaN. None if they can be trusted.
    """

    unreliable: str | None = field(default=None, kw_only=True)

    per_neuron: ClassVar[frozenset[str]] = frozenset()
    """Names of the arrays of shape `[*neurons]`."""
    per_class: ClassVar[frozenset[str]] = frozenset()
    """Names of the arrays of shape `[classes, *neurons]`; all others have one dimension."""

    def __post_init__(self) -> None:
        real = self.real_arrays()
        for name, value in vars(self).copy().items():
            if isinstance(value, np.ndarray | list):
                array = np.array(value, dtype=np.float64 if name in real else np.int64)
                array.flags.writeable = False
                object.__setattr__(self, name, array)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        real = self.real_arrays()
        return all(
            np.array_equal(getattr(self, f.name), getattr(other, f.name), equal_nan=f.name in real)
            for f in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content is large

    @classmethod
    def real_arrays(cls) -> frozenset[str]:
        """Names of the arrays of float64; all others are int64."""
        return frozenset(f.name for f in fields(cls) if f.type == "Floats")


@dataclass(frozen=True, eq=False, repr=False)
class CountedResult(LayerResult):
    """Figures of counted numbers, given as a histogram; NaN if it is empty.

    Attributes:
        histogram: at index k, how often the number k occurred, int64 `[largest + 1]`.
    """

    histogram: Integers

    @cached_property
    def mean(self) -> float:
        """Mean, `Σ k·histogram[k] / n` with `n = Σ histogram[k]`; NaN where n is 0."""
        n, total, _ = self._moments
        return total / n if n else math.nan

    @cached_property
    def variance(self) -> float:
        """Variance, `Σ k²·histogram[k] / n - mean²` (ddof 0); NaN where n is 0."""
        n, total, squares = self._moments
        return (n * squares - total * total) / (n * n) if n else math.nan

    @property
    def std(self) -> float:
        """Standard deviation, `sqrt(variance)` (ddof 0)."""
        return math.sqrt(self.variance)

    @property
    def min(self) -> float:
        """Smallest number that occurred."""
        return self.quantile(0.0)

    @property
    def max(self) -> float:
        """Largest number that occurred."""
        return self.quantile(1.0)

    @property
    def median(self) -> float:
        """Median, quantile 0.5 of type 7."""
        return self.quantile(0.5)

    @property
    def q1(self) -> float:
        """First quartile, quantile 0.25 of type 7."""
        return self.quantile(0.25)

    @property
    def q3(self) -> float:
        """Third quartile, quantile 0.75 of type 7."""
        return self.quantile(0.75)

    def quantile(self, q: float, method: str = "linear") -> float:
        """Quantile of all numbers, equal to the bit to that of `numpy.quantile`.

        Args:
            q: level in [0, 1].
            method: one of the thirteen names of `numpy.quantile`; "linear" is type 7.

        Returns:
            The quantile; NaN if nothing was counted.

        Raises:
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return histogram_quantile(self._counted, q, method)

    @property
    def _counted(self) -> Integers:
        return self.histogram if self.unreliable is None else self.histogram[:0]

    @cached_property
    def _moments(self) -> tuple[int, int, int]:
        return moments(self._counted)


def moments(histogram: Integers) -> tuple[int, int, int]:
    """How many numbers a histogram holds, their sum and the sum of their squares, all exact.

    >>> import numpy as np
    >>> from neuroact.statistics.results import moments
    >>> moments(np.array([5, 0, 3]))
    (8, 6, 12)
    """
    occurring = np.flatnonzero(histogram).tolist()
    pairs = [(k, int(histogram[k])) for k in occurring]
    return sum(n for _, n in pairs), sum(k * n for k, n in pairs), sum(k * k * n for k, n in pairs)


def histogram_quantile(histogram: Integers, q: float, method: str) -> float:
    """Quantile of the numbers that a histogram holds; NaN where it holds none."""
    occurring = np.flatnonzero(histogram)  # few, even where the histogram is long
    return quantile_or_nan(occurring, histogram[occurring], q, method)


def quantile_or_nan(
    values: NDArray[Any], counts: Integers, q: float, method: str = "linear"
) -> float:
    """Quantile of values, each repeated `counts` times, at least once; NaN if there are none."""
    if len(values) == 0:
        values, counts = np.array([np.nan]), np.ones(1, np.int64)
    return quantile(values, q, counts=counts, method=method)


def exact_spread(n: int | Integers, sums: Integers, squares: Integers) -> NDArray[Any]:
    """`n · squares - sums²`, which is n² times a variance, without rounding.

    In int64 where that suffices, else in Python's integers.

    >>> import numpy as np
    >>> from neuroact.statistics.results import exact_spread
    >>> exact_spread(2**30, np.array([2**40]), np.array([2**50 + 1])).tolist()
    [1073741824]
    """
    largest = float(np.max(n, initial=0)) * float(np.max(squares, initial=0))
    if max(largest, float(np.max(sums, initial=0)) ** 2) >= 2**62:
        n, sums, squares = (np.asarray(part, dtype=object) for part in (n, sums, squares))
    return np.asarray(n * squares - sums * sums)


def ratio(numerator: Any, denominator: Any) -> Floats:
    """Quotient as float64; NaN where the denominator is 0."""
    above, below = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    quotient: Floats = np.full(above.shape, np.nan)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


def ms_per_step(dt: float | None, value: str) -> float:
    """The time step in milliseconds, for a value in ms; raises as `seconds_per_step`.

    >>> from neuroact.statistics.results import ms_per_step
    >>> ms_per_step(0.0001, "mean_ms")
    0.1
    """
    return 1000 * seconds_per_step(dt, value)


def seconds_per_step(dt: float | None, value: str) -> float:
    """The time step `dt`, for a value in Hz or ms.

    Raises:
        NoTimeStepError: `dt` is None.
    """
    if dt is None:
        raise NoTimeStepError(
            f"{value} is in ms or Hz, and the recording does not know how long a step is: "
            "neuroact.record(model, dt=0.001) sets it to 1 ms. Figures per step need no dt."
        )
    return dt

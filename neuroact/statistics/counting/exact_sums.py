"""Sums of real values that do not depend on the order of adding.

A float sum rounds, and how it rounds depends on the order. Here each value is cut into whole digits
of `BITS` bits, at places that are the same for all values, and the digits of each place are summed
in int64. Integers are exact in any order.

Only the highest places are kept. `top` says where they begin: every magnitude so far is below half
of `2^(BITS · top)`. When a larger value comes, `top` rises, and the lowest places are dropped. A
place that is kept at the end was kept all along, and a value's digits at it do not depend on where
the places begin. So the result is the same whenever the largest value came.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BITS = 20
"""Bits of a digit. A digit is the nearest whole number, so it lies between -2^19 and 2^19."""
MOST_VALUES = 2**43
"""The digits of so many values, and of the rest of their squares, can be summed in int64."""
SUM_DIGITS, SQUARE_DIGITS = 6, 7
"""Digits kept of values, and of their squares."""
LEAST_TOP, MOST_TOP = -50, 52
"""The top while all values are 0, whose digits reach below the smallest float64; the highest."""

_MANTISSA, _BIAS, _EXPONENTS = 52, 1023, 0x7FF
# A float64 of this size has no room for a fraction. Adding it and taking it away again rounds to
# the nearest whole number, several times faster than `torch.round` or `trunc` on a CPU.
_WITHOUT_FRACTION = 1.5 * 2**52


def top_of(largest: Tensor) -> Tensor:
    """The least `top` for values up to this magnitude, float64 `[]`; int64 `[]`."""
    exponent = (largest.view(torch.int64) >> _MANTISSA & _EXPONENTS) - (_BIAS - 2)
    top = -torch.div(-exponent, BITS, rounding_mode="floor")
    return top.clamp(LEAST_TOP, MOST_TOP)


def scale(values: Tensor, top: Tensor) -> None:
    """Multiply by `2^-(BITS · top)`, exactly and in place: magnitudes are then below a half."""
    # In two steps: the power itself may be too small for a normal float64.
    exponent = _BIAS - top * (BITS // 2)
    half = (exponent << _MANTISSA).view(torch.float64)
    values.mul_(half).mul_(half)


def squares_of(values: Tensor, *, wide: bool) -> Iterator[Tensor]:
    """Float64 tensors that sum to the exact squares of scaled values.

    Args:
        values: float64; not changed.
        wide: whether a value may have more than 26 significant bits. A square then needs two
            float64.
    """
    squared = values * values
    if wide:  # the error of a product by Dekker and Veltkamp, from the halves of the factors
        high = values * (2.0**27 + 1)
        high = high - (high - values)
        low = values - high
        yield (high * high - squared).add_(high.mul_(low).mul_(2.0)).add_(low.mul_(low))
    yield squared


def digits(values: Tensor, number: int) -> Iterator[Tensor]:
    """The digits of values below a half, highest first.

    Args:
        values: float64; overwritten.
        number: how many digits. What is beyond them is left out.

    Yields:
        Whole numbers, float64. The next one takes the same memory.

    >>> import torch
    >>> from neuroact.statistics.counting.exact_sums import digits
    >>> [digit.tolist() for digit in digits(torch.tensor([-1.25, 2.75]).double() / 2**20, 2)]
    [[-1.0, 3.0], [-262144.0, -262144.0]]
    """
    digit = torch.empty_like(values)
    for _ in range(number):
        values.mul_(2.0**BITS)
        torch.add(values, _WITHOUT_FRACTION, out=digit)
        digit.sub_(_WITHOUT_FRACTION)
        values.sub_(digit)
        yield digit


def risen(sums: Tensor, by: Tensor) -> Tensor:
    """Sums of digits `[digits, ...]` for a top that is higher by so many places, int64 `[]`."""
    places = torch.arange(len(sums), device=sums.device) - by
    kept = sums.index_select(0, places.clamp(min=0))
    return kept.mul_(places.ge(0).reshape(-1, *(1,) * (sums.ndim - 1)))


def mean_and_std(
    sums: NDArray[np.int64], squares: NDArray[np.int64], top: int, number: NDArray[np.object_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (ddof 0) of each cell; NaN where it has no value.

    Only the last division and the root round.

    Args:
        sums: int64 `[SUM_DIGITS, *cells]`.
        squares: sums of squares, int64 `[SQUARE_DIGITS, *cells]`.
        top: the top of the values. That of the squares is twice as high.
        number: how many values each cell has: Python's integers, `[cells]` or `[1]` for all.
    """
    total, n, cells = _whole(sums), number, sums.shape[1:]
    # Digits that were left out may make the spread of nearly equal values negative.
    spread = np.maximum(n * _whole(squares) * _SQUARE_UNITS - total * total, 0)
    none = np.broadcast_to(n == 0, total.shape)
    n = np.where(n == 0, 1, n)
    unit = BITS * (top - SUM_DIGITS)
    mean = np.ldexp((total / n).astype(np.float64), unit)
    std = np.ldexp(np.sqrt((spread / (n * n)).astype(np.float64)), unit)
    mean, std = (np.where(none, np.nan, found).reshape(cells) for found in (mean, std))
    return mean, std


# The last digit of a sum of squares, in units of the square of the last digit of a sum.
_SQUARE_UNITS = 2 ** (BITS * (2 * SUM_DIGITS - SQUARE_DIGITS))


def _whole(sums: NDArray[np.int64]) -> NDArray[Any]:
    """The digits of each cell as one whole number of Python's, `[cells]`."""
    total = np.zeros(math.prod(sums.shape[1:]), dtype=object)
    for digit in sums.reshape(len(sums), len(total)):
        total = total * 2**BITS + digit.astype(object)
    return total

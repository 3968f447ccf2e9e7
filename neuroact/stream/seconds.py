"""Times in seconds, of arrays of floats and of values that carry a unit."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neuroact.errors import EventError

_UNITS = ("dim", "unit", "units")
"""Attributes that tell a unit, by one package or another."""


def seconds(values: Any, what: str) -> tuple[NDArray[np.float64], float]:
    """The values as seconds, float64 `[n]`, and the relative precision of the floats that came.

    A single number becomes one value.

    Values of the packages quantities, neo and brainunit are rescaled. Those of Brian2 are in SI
    units inside.
    A list of such values, each in a unit of its own, is read one by one. An array loses its unit
    when NumPy reads it, so one whose unit is unknown is refused.

    Args:
        values: floats in seconds, or values with a unit of time.
        what: what they are, for errors.

    Raises:
        EventError: they are no floats in one dimension, or their unit is none of time.

    >>> from neuroact.stream.seconds import seconds
    >>> seconds([0.5, 1.0], "times")[0], seconds(2.0, "duration")[0]
    (array([0.5, 1. ]), array([2.]))
    """
    if isinstance(values, list | tuple) and any(_has_unit(value) for value in values):
        if not all(_has_unit(value) for value in values):
            raise EventError(f"some of the {what} have a unit and others none: give all one")
        parts = [seconds(value, what) for value in values]
        return np.concatenate([part for part, _ in parts]), max(each for _, each in parts)
    array = _rescaled(values, what) if _has_unit(values) else array_of(values, what)
    if array.dtype.kind in "iu" and array.size and array.ndim:
        raise EventError(
            f"expected {what} in seconds, as floats, came whole numbers ({array.dtype}): if they "
            "are steps, samples or microseconds, multiply by how many seconds one is"
        )
    if array.ndim > 1 or array.dtype.kind not in "fiu":
        raise EventError(
            f"expected {what} to be floats in one dimension, in seconds, came {array.dtype} of "
            f"shape {list(array.shape)}"
        )
    precision = np.finfo(array.dtype if array.dtype.kind == "f" else np.float64).eps
    return np.atleast_1d(array).astype(np.float64), float(precision)


def array_of(values: Any, what: str) -> NDArray[Any]:
    """The values as an array of NumPy.

    Raises:
        EventError: they cannot be read as one, or are a masked array, whose mask would be lost.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise EventError(f"{what} came as a masked array: leave out what is masked, in all arrays")
    try:
        return np.asarray(values)
    except Exception as cause:  # an array of another library may raise anything
        raise EventError(f"{what} cannot be read as an array: {cause}") from cause


def _has_unit(values: Any) -> bool:
    if isinstance(values, Tensor):  # its `dim` is no unit
        return False
    return any(hasattr(values, name) for name in ("rescale", *_UNITS))


def _rescaled(values: Any, what: str) -> NDArray[Any]:
    try:
        if hasattr(values, "rescale"):
            return np.asarray(values.rescale("s").magnitude)
        if hasattr(values, "to_decimal"):
            package = sys.modules[type(values).__module__.partition(".")[0]]
            return np.asarray(values.to_decimal(package.second))
        if str(getattr(values, "dim", "")) == "s":
            return np.asarray(values)  # Brian2 keeps its values in SI units
    except Exception as cause:  # the unit is none of time
        raise EventError(f"{what} have no unit of time: {cause}") from cause
    unit = next(getattr(values, name) for name in _UNITS if hasattr(values, name))
    raise EventError(
        f"{what} have no unit of time that can be read, but {unit}: give them as floats in seconds"
    )

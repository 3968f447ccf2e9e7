"""Compares states and results to the bit, and says where they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from neuroact.statistics import Statistic


def assert_same_state(came: Statistic, expected: Statistic, what: str) -> None:
    """The two have the same state: names, types and every value."""
    ours, theirs = came.state_dict(), expected.state_dict()
    assert ours.keys() == theirs.keys(), (
        f"{what}: expected a state of {sorted(theirs)}, came {sorted(ours)}"
    )
    for name in theirs:
        a, b = ours[name], theirs[name]
        same = a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
        assert same, f"{what}: the state's {name!r} differs: expected {_brief(b)}, came {_brief(a)}"


def assert_same_result(came: Any, expected: Any, what: str) -> None:
    """The two results are the same, to the bit; NaN is NaN."""
    differs = difference(came, expected)
    assert not differs, f"{what}: the results differ: {differs}"


def difference(came: Any, expected: Any) -> str:
    """Where two results differ; empty if they are the same."""
    if dataclasses.is_dataclass(expected) and not isinstance(expected, type):
        expected = vars(expected)
        came = vars(came) if hasattr(came, "__dict__") else came
    if isinstance(expected, Mapping):
        if not isinstance(came, Mapping) or came.keys() != expected.keys():
            return f"expected {sorted(expected)}, came {_brief(came)}"
        found = ((name, difference(came[name], expected[name])) for name in expected)
        return next((f"{name}: {differs}" for name, differs in found if differs), "")
    if isinstance(expected, tuple | list):
        if not isinstance(came, tuple | list | np.ndarray) or len(came) != len(expected):
            return f"expected {_brief(expected)}, came {_brief(came)}"
        found_at = (difference(a, b) for a, b in zip(came, expected, strict=True))
        return next((differs for differs in found_at if differs), "")
    return "" if _equal(came, expected) else f"expected {_brief(expected)}, came {_brief(came)}"


def _equal(came: Any, expected: Any) -> bool:
    if expected is None or came is None:
        return came is expected
    ours, theirs = np.asarray(came), np.asarray(expected)
    return np.array_equal(ours, theirs, equal_nan=theirs.dtype.kind in "fc")


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"

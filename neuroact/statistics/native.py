"""When loops compiled by numba count in place of PyTorch's operations: the same bits, sooner.

numba is the extra `fast`. Loading it takes a second or so, and some 125 MB, which a short recording
would never get back; so it is loaded once a process has counted some steps, and not before. Nor is
it for `Firing` alone, which adds a step by one operation: measured, a loop gains nothing there.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor

from neuroact.errors import NeuroactWarning

AFTER_STEPS = 1000
"""Steps of layers that a process counts before it loads numba."""
MOST_VALUES = 2**22
"""Values a step for each of PyTorch's threads, up to which one compiled loop is no slower."""

_counted = 0


def count_steps(steps: int) -> None:
    """Say that so many steps more were counted."""
    global _counted
    _counted += steps


def loops_for(step: Tensor, *, most: int | None = None) -> ModuleType | None:
    """`neuroact.statistics.loops`, where it is there and worth it.

    Args:
        step: one step of what is counted, `[batch, *neurons]`.
        most: in place of `MOST_VALUES`, where a loop has less to gain.
    """
    if _counted < AFTER_STEPS or not is_small(step, most=most):
        return None
    return _loops()


def is_small(step: Tensor, *, most: int | None = None) -> bool:
    """Whether one loop on one thread may count such a step; not where it is empty."""
    if step.device.type != "cpu":
        return False
    largest = (MOST_VALUES if most is None else most) // torch.get_num_threads()
    return 0 < step.numel() <= largest


@contextmanager
def without_loops() -> Iterator[None]:
    """Inside, what opens a sequence counts as where numba is not installed, or on a GPU."""
    global AFTER_STEPS
    before, AFTER_STEPS = AFTER_STEPS, sys.maxsize
    try:
        yield
    finally:
        AFTER_STEPS = before


@cache
def _loops() -> ModuleType | None:
    if find_spec("numba") is None:
        return None
    try:
        from neuroact.statistics import loops
    except Exception as cause:  # such as a numba that is older than the NumPy beside it
        warnings.warn(
            f"numba is installed and cannot be used: {cause}. Recording goes on without it, "
            "slower, with the same figures.",
            NeuroactWarning,
            stacklevel=2,
        )
        return None
    return loops

"""Counts, at little cost, a call of one step that continues the layer's last call.

The compiled core has a class for this too, `Steps`, for steps that it can collect. `StepReader`
serves the other fillers, and every filler if there is no core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

from neuroact.layers.state_trace import Left, StateMark, marks_of
from neuroact.recording.open_block import Filler
from neuroact.recording.uninterrupted import Uninterrupted

_is_functional = torch._is_functional_tensor


class Steps(Protocol):
    """Counts a layer's calls that continue the last one; has every other call read in full."""

    @property
    def left(self) -> int:
        """How many more steps it may count; 0 if the next call is to be read in full."""

    def __call__(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any, /
    ) -> None:
        """Count a call that has run, from the state `given`; or have it read in full."""

    def pattern(
        self, values: Callable[[Any], Tensor], left: Callable[[Any], Sequence[Any]], /
    ) -> None:
        """Set how to find a call's values and state, as in `CallPattern`; stops the counting."""

    def begin(
        self, target: Filler, full: Callable[[], None], state: Sequence[Tensor], most: int, /
    ) -> bool:
        """Count the next steps, as long as they continue from a state.

        Args:
            target: collects the steps.
            full: called when `target` is full; empties it.
            state: what the last call left.
            most: how many steps may come.

        Returns:
            False if this class could not recognise such a state. It then counts no step.
        """

    def stop(self) -> list[Left]:
        """Have the next call read in full, and let go of the target and of the state.

        Returns:
            The state that the last step left: each tensor, its storage, and its offset there. A
            tensor or storage that is gone by now is None.
        """


class StepReader:
    """`Steps` in Python.

    Args:
        finish: reads a call in full.
        lock: held while a step is collected, and by whoever reads the counts.
    """

    __slots__ = (
        "_finish",
        "_full",
        "_left",
        "_lock",
        "_marks",
        "_shapes",
        "_target",
        "_values",
        "left",
    )

    def __init__(self, finish: Callable[..., None], lock: AbstractContextManager[Any]) -> None:
        self._finish, self._lock = finish, lock
        self._target: Filler | None = None
        self._marks: tuple[StateMark, ...] = ()
        self.left = 0

    def __call__(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any
    ) -> None:
        """As in `Steps`."""
        if not self.left or not self._counted(given, output):
            self._finish(args, kwargs, output, given)

    def pattern(
        self, values: Callable[[Any], Tensor], left: Callable[[Any], Sequence[Any]]
    ) -> None:
        """As in `Steps`."""
        self.stop()
        self._values, self._left = values, left

    def begin(
        self, target: Filler, full: Callable[[], None], state: Sequence[Tensor], most: int
    ) -> bool:
        """As in `Steps`."""
        self.stop()
        if not state or not all(isinstance(tensor, Tensor) for tensor in state):
            return False
        self._marks, self._shapes = marks_of(state), [tensor.shape for tensor in state]
        self._target, self._full, self.left = target, full, most
        return True

    def stop(self) -> list[Left]:
        """As in `Steps`."""
        self.left, self._target = 0, None
        marks, self._marks = self._marks, ()
        return [(mark.tensor(), mark.storage(), int(mark.offset)) for mark in marks]

    def _counted(self, given: Sequence[Any], output: Any) -> bool:
        try:
            values, left = self._values(output).detach(), self._left(output)
            if isinstance(values, FakeTensor) or _is_functional(values):
                return False  # it has no values to copy
            if not self._continues(given, left):
                return False
            marks = marks_of(left)
        except Exception:
            return False  # reading it in full counts it after all, or raises with the layer's name
        # Collect it whole or not at all, and not while another thread reads the counts.
        with self._lock, Uninterrupted():
            target = self._target
            if target is None:
                return False
            if not target.add(values):
                self._full()
                if not target.add(values):
                    return False
            self._marks = marks
            self.left -= 1
        return True

    def _continues(self, given: Sequence[Any], left: Sequence[Any]) -> bool:
        """Whether a call was given the tensors that the last step left, and left equal shapes."""
        if not len(given) == len(left) == len(self._marks):
            return False
        for mark, shape, before, after in zip(self._marks, self._shapes, given, left, strict=True):
            if before is None or mark.tensor() is not before or after.shape != shape:
                return False
        return True

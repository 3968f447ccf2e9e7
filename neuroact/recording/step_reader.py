"""A call that is one step more of the sequence under way, read and counted at little cost.

The compiled core has the same as `Steps`, for steps that it can collect; this one serves all other
fillers, and every one where there is no core.
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
    """Counts a layer's calls that go on from the last one, and has all others read in full."""

    @property
    def left(self) -> int:
        """How many more steps may come; 0 where the next call is read in full."""

    def __call__(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any, /
    ) -> None:
        """Count a call that has run, from this state; or read it in full."""

    def pattern(
        self, values: Callable[[Any], Tensor], left: Callable[[Any], Sequence[Any]], /
    ) -> None:
        """Find a call's values and state so, as `CallPattern` does; no step may come."""

    def begin(
        self, target: Filler, full: Callable[[], None], state: Sequence[Tensor], most: int, /
    ) -> bool:
        """Steps may come that go on from a state.

        Args:
            target: collects them.
            full: called where it is full; empties it.
            state: what the last call left.
            most: how many may come.

        Returns:
            False where such a state would not be known again; then none may come.
        """

    def stop(self) -> list[Left]:
        """Have the next call read in full, and let go of the target and of the state.

        Returns:
            The state that the last step left: each tensor, its storage, and its place there. None
            for what is gone by now.
        """


class StepReader:
    """`Steps` in Python; see there.

    Args:
        finish: reads a call that does not go on.
        lock: held while a step is collected, and by whoever looks at the counts.
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
        """Count a call, or read it in full."""
        if not self.left or not self._counted(given, output):
            self._finish(args, kwargs, output, given)

    def pattern(
        self, values: Callable[[Any], Tensor], left: Callable[[Any], Sequence[Any]]
    ) -> None:
        """Find a call's values and state so; no step may come."""
        self.stop()
        self._values, self._left = values, left

    def begin(
        self, target: Filler, full: Callable[[], None], state: Sequence[Tensor], most: int
    ) -> bool:
        """Steps may come that go on from this state."""
        self.stop()
        if not state or not all(isinstance(tensor, Tensor) for tensor in state):
            return False
        self._marks, self._shapes = marks_of(state), [tensor.shape for tensor in state]
        self._target, self._full, self.left = target, full, most
        return True

    def stop(self) -> list[Left]:
        """Have the next call read in full; the state that the last step left."""
        self.left, self._target = 0, None
        marks, self._marks = self._marks, ()
        return [(mark.tensor(), mark.storage(), int(mark.offset)) for mark in marks]

    def _counted(self, given: Sequence[Any], output: Any) -> bool:
        try:
            values, left = self._values(output).detach(), self._left(output)
            if isinstance(values, FakeTensor) or _is_functional(values):
                return False  # it has no values that could be copied
            if not self._continues(given, left):
                return False
            marks = marks_of(left)
        except Exception:
            return False  # read in full it is counted after all, or an error names the layer
        # Whole, or not at all, and not while another thread looks.
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
        """Whether the very tensors that the last step left were given, and as large ones come."""
        if not len(given) == len(left) == len(self._marks):
            return False
        for mark, shape, before, after in zip(self._marks, self._shapes, given, left, strict=True):
            if before is None or mark.tensor() is not before or after.shape != shape:
                return False
        return True

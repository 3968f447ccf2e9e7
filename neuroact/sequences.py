"""Where a sequence starts, told from the state a layer is given.

Single-step frameworks mark no start of a sequence, so the rule is: a call goes on from the last
one if and only if the state it is given is the state the last call left: the same tensors, or
detached ones on the same storage. No value is read, so no device is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar
from weakref import ref

import torch
from torch import Tensor

if TYPE_CHECKING:
    from neuroact.kernel.steps import Steps

# How a tensor is known again: weak references to it, which the next call is given again in most
# loops, and to its storage, which a detached one shares, with the place in it. A freed address that
# the allocator gives to another tensor is not mistaken for the old one: its storage is another.
_Mark = tuple[
    Callable[[], Tensor | None], Callable[[], torch.UntypedStorage | None], int | torch.SymInt
]


class StateTrace:
    """Remembers which state a layer's last call left, without keeping it alive.

    A state is a tensor or any nesting of tuples, lists and dicts of them; everything else in it
    (None, the float SpikingJelly starts from) counts as absent.

    >>> import torch
    >>> from neuroact.sequences import StateTrace
    >>> trace, membrane = StateTrace(), torch.zeros(2, 3)
    >>> trace.goes_on(given=None, left=membrane)             # first call
    False
    >>> trace.goes_on(given=membrane.detach(), left=membrane)
    True
    >>> trace.goes_on(given=torch.zeros(2, 3), left=membrane)  # a reset made a new tensor
    False
    """

    __slots__ = ("_left", "_lent")

    def __init__(self) -> None:
        self._left: list[_Mark] = []
        self._lent: Steps | None = None

    def goes_on(self, given: object, left: object) -> bool:
        """Whether a call that was `given` this state goes on from the last; remembers `left`.

        Args:
            given: the state the call started from.
            left: the state the call left behind, for the next call's answer.

        Returns:
            True where every tensor of `given` is, in order, the one left by the last call and the
            state kept its shapes through this call (a framework that finds a state of the wrong
            shape starts afresh). False for the first call, and for a layer without state.
        """
        self.take_back()
        started_from, ended_with = tensors_in(given), tensors_in(left)
        same = 0 < len(ended_with) == len(started_from) == len(self._left)
        same = same and all(
            before.shape == after.shape and self._is_left(at, before)
            for at, (before, after) in enumerate(zip(started_from, ended_with, strict=True))
        )
        self._left = [_mark(tensor) for tensor in ended_with]
        return same

    def steps_on(self, given: Sequence[object], left: Sequence[Tensor]) -> bool:
        """`goes_on` for the common loop, at a fraction of its cost.

        Args:
            given: the state the call started from, a flat sequence.
            left: the tensors it left behind, of the shapes of those before.

        Returns:
            True, with `left` remembered, where `given` are the very objects that the last call
            left, and as many came out. False where that is not so or not plain, with nothing
            remembered: ask `goes_on`.
        """
        if self._lent is not None:
            self.take_back()
        marks = self._left
        if len(marks) != 1:
            return self._many_step_on(given, left)
        # Most layers have one state. This runs at each of their steps, so it has no loop.
        if len(given) != 1 or given[0] is None or marks[0][0]() is not given[0] or len(left) != 1:
            return False
        state = left[0]
        marks[0] = ref(state), ref(state.untyped_storage()), state.storage_offset()
        return True

    def _many_step_on(self, given: Sequence[object], left: Sequence[Tensor]) -> bool:
        marks = self._left
        if not marks or not len(given) == len(left) == len(marks):
            return False
        for at, tensor in enumerate(given):
            # None, the absent state, would equal a reference whose tensor is gone.
            if tensor is None or marks[at][0]() is not tensor:
                return False
        self._left = [(ref(t), ref(t.untyped_storage()), t.storage_offset()) for t in left]
        return True

    def lend(self, steps: Steps) -> None:
        """Have the kernel remember the state, which it was told of, and tell by the same rule."""
        self._lent = steps

    @property
    def has_state(self) -> bool:
        """Whether the last call left a state."""
        return bool(self._left)

    def forget(self) -> None:
        """Make the next call start a sequence."""
        self.take_back()
        self._left = []

    def take_back(self) -> None:
        """Have the kernel remember no more."""
        if self._lent is not None:
            found, self._lent = self._lent.state(), None
            self._left = [(_known(tensor), _known(memory), at) for tensor, memory, at in found]

    def _is_left(self, at: int, tensor: Tensor) -> bool:
        mark, storage, offset = self._left[at]
        if mark() is tensor:
            return True
        tensor = _strided(tensor)
        return storage() is tensor.untyped_storage() and offset == tensor.storage_offset()


def tensors_in(state: object) -> tuple[Tensor, ...]:
    """The tensors of a state, whatever their nesting, in order."""
    if isinstance(state, Tensor):
        return (state,)
    if isinstance(state, dict):
        state = tuple(state.values())
    if isinstance(state, tuple | list):
        return tuple([tensor for part in state for tensor in tensors_in(part)])
    return ()


_T = TypeVar("_T")


def _known(found: _T | None) -> Callable[[], _T | None]:
    return _gone if found is None else ref(found)


def _gone() -> None:
    """What a weak reference to something that is gone gives."""


def _mark(tensor: Tensor) -> _Mark:
    stored = _strided(tensor) if tensor.is_sparse else tensor
    return ref(tensor), ref(stored.untyped_storage()), stored.storage_offset()


def _strided(tensor: Tensor) -> Tensor:
    return tensor._values() if tensor.is_sparse else tensor

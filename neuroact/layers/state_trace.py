"""Finds where a sequence starts by the state that a layer is given.

Single-step frameworks do not mark the start of a sequence. So the rule is: a call continues the
last one if and only if it is given the state that the last call left: the same tensors, or detached
ones on the same storage. No value is read, so there is no wait for a device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar
from weakref import ref

import torch
from torch import Tensor


class StateMark(NamedTuple):
    """Recognises a tensor that comes again, without keeping it alive.

    The allocator may give a freed address to another tensor. That one is not mistaken for the old
    tensor, since its storage is another object.

    Attributes:
        tensor: returns the tensor; None once it is freed.
        storage: returns its storage, which a detached tensor shares; None once it is freed.
        offset: where in the storage the tensor begins.
    """

    tensor: Callable[[], Tensor | None]
    storage: Callable[[], torch.UntypedStorage | None]
    offset: int | torch.SymInt

    def is_on(self, tensor: Tensor) -> bool:
        """Whether this is the marked tensor, or one at the same place of the same storage."""
        if self.tensor() is tensor:
            return True
        tensor = _strided(tensor)
        found = tensor.untyped_storage()
        return self.storage() is found and self.offset == tensor.storage_offset()


Left = tuple[Tensor | None, torch.UntypedStorage | None, int]
"""A tensor that a call left, its storage, and its offset there; None for what was freed."""


class StateTrace:
    """Remembers which state a layer's last call left, without keeping it alive.

    A state is a tensor, or tuples, lists and dicts of tensors in any nesting. Anything else in it
    (None, the float that SpikingJelly starts from) counts as absent.

    >>> import torch
    >>> from neuroact.layers.state_trace import StateTrace
    >>> trace, membrane = StateTrace(), torch.zeros(2, 3)
    >>> trace.continues(given=None, left=membrane)             # first call
    False
    >>> trace.continues(given=membrane.detach(), left=membrane)
    True
    >>> trace.continues(given=torch.zeros(2, 3), left=membrane)  # a reset made a new tensor
    False

    Attributes:
        marks: the tensors of the state that the last call left; empty if it left none. You may set
            it back to an earlier value.
    """

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: tuple[StateMark, ...] = ()

    def continues(self, given: object, left: object) -> bool:
        """Whether a call that was `given` this state continues the last call. Remembers `left`.

        Args:
            given: the state the call started from.
            left: the state the call left, to compare with what the next call is given.

        Returns:
            True if the tensors of `given` are, in order, those that the last call left, and `left`
            has the same shapes. (Given a state of the wrong shape, a framework starts anew.) False
            for the first call and for a layer without state.
        """
        started_from, ended_with = tensors_in(given), tensors_in(left)
        same = (
            0 < len(ended_with) == len(started_from) == len(self.marks)
            and all(a.shape == b.shape for a, b in zip(started_from, ended_with, strict=True))
            and all(m.is_on(t) for m, t in zip(self.marks, started_from, strict=True))
        )
        self.marks = marks_of(ended_with)
        return same

    def take_back(self, left: Iterable[Left]) -> None:
        """Remember the state that the last call left, as the core reports it.

        The compiled core kept track of the state in the meantime.
        """
        self.marks = tuple([StateMark(_known(t), _known(s), offset) for t, s, offset in left])

    @property
    def has_state(self) -> bool:
        """Whether the last call left a state."""
        return bool(self.marks)

    def forget(self) -> None:
        """Make the next call start a new sequence."""
        self.marks = ()


def tensors_in(state: object) -> tuple[Tensor, ...]:
    """The tensors of a state in any nesting, in order."""
    if isinstance(state, Tensor):
        return (state,)
    if isinstance(state, dict):
        state = tuple(state.values())
    if isinstance(state, tuple | list):
        return tuple([tensor for part in state for tensor in tensors_in(part)])
    return ()


def marks_of(tensors: Sequence[Tensor]) -> tuple[StateMark, ...]:
    """Marks by which these tensors are recognised."""
    return tuple([_mark(tensor) for tensor in tensors])


def _mark(tensor: Tensor) -> StateMark:
    stored = _strided(tensor)
    return StateMark(ref(tensor), ref(stored.untyped_storage()), stored.storage_offset())


def _strided(tensor: Tensor) -> Tensor:
    return tensor._values() if tensor.is_sparse else tensor


_T = TypeVar("_T")


def _known(found: _T | None) -> Callable[[], _T | None]:
    return _gone if found is None else ref(found)


def _gone() -> None:
    """Returns None, like a weak reference to a freed object."""

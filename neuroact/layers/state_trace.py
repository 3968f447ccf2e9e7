"""Where a sequence starts, told from the state a layer is given.

Single-step frameworks mark no start of a sequence, so the rule is: a call goes on from the last
one if and only if the state it is given is the state the last call left: the same tensors, or
detached ones on the same storage. No value is read, so no device is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar
from weakref import ref

import torch
from torch import Tensor


class StateMark(NamedTuple):
    """What a tensor is known by when it comes again; it is not kept alive.

    A freed address that the allocator gives to another tensor is not mistaken for the old one: the
    storage there is another object.

    Attributes:
        tensor: gives the tensor, None once it is gone.
        storage: gives its storage, which a detached tensor shares.
        offset: where in the storage it begins.
    """

    tensor: Callable[[], Tensor | None]
    storage: Callable[[], torch.UntypedStorage | None]
    offset: int | torch.SymInt

    def is_on(self, tensor: Tensor) -> bool:
        """Whether this is the tensor, or one that lies where it lay."""
        if self.tensor() is tensor:
            return True
        tensor = _strided(tensor)
        found = tensor.untyped_storage()
        return self.storage() is found and self.offset == tensor.storage_offset()


Left = tuple[Tensor | None, torch.UntypedStorage | None, int]
"""A tensor that was left, its storage, and its place there; None for what is gone by now."""


class StateTrace:
    """Remembers which state a layer's last call left, without keeping it alive.

    A state is a tensor or any nesting of tuples, lists and dicts of them; everything else in it
    (None, the float SpikingJelly starts from) counts as absent.

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
        marks: the state that the last call left, empty where there was none; may be put back.
    """

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks: tuple[StateMark, ...] = ()

    def continues(self, given: object, left: object) -> bool:
        """Whether a call that was `given` this state goes on from the last; remembers `left`.

        Args:
            given: the state the call started from.
            left: the state the call left behind, for the next call's answer.

        Returns:
            True where every tensor of `given` is, in order, the one left by the last call and the
            state kept its shapes through this call (a framework that finds a state of the wrong
            shape starts afresh). False for the first call, and for a layer without state.
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
        """Remember what another, who kept track meanwhile, knows of the state that was left."""
        self.marks = tuple([StateMark(_known(t), _known(s), offset) for t, s, offset in left])

    @property
    def has_state(self) -> bool:
        """Whether the last call left a state."""
        return bool(self.marks)

    def forget(self) -> None:
        """Make the next call start a sequence."""
        self.marks = ()


def tensors_in(state: object) -> tuple[Tensor, ...]:
    """The tensors of a state, whatever their nesting, in order."""
    if isinstance(state, Tensor):
        return (state,)
    if isinstance(state, dict):
        state = tuple(state.values())
    if isinstance(state, tuple | list):
        return tuple([tensor for part in state for tensor in tensors_in(part)])
    return ()


def marks_of(tensors: Sequence[Tensor]) -> tuple[StateMark, ...]:
    """What these tensors will be known by."""
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
    """What a weak reference to something that is gone gives."""

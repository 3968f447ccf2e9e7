"""Where a sequence starts, told from the state a layer is given.

Single-step frameworks mark no start of a sequence, so the rule is: a call goes on from the last
one if and only if the state it is given is the state the last call left: the same tensors, or
detached ones on the same storage. No value is read, so no device is waited for.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef


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

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left: tuple[_Mark, ...] = ()

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
        started_from, ended_with = _tensors(given), _tensors(left)
        same = 0 < len(ended_with) == len(started_from) == len(self._left)
        if same:
            for mark, before, after in zip(self._left, started_from, ended_with, strict=True):
                if before.shape != after.shape or not mark.is_on(before):
                    same = False
                    break
        self._left = tuple([_Mark(tensor) for tensor in ended_with])
        return same

    @property
    def has_state(self) -> bool:
        """Whether the last call left a state."""
        return bool(self._left)

    def forget(self) -> None:
        """Make the next call start a sequence."""
        self._left = ()


class _Mark:
    """Recognises a tensor's memory again; a weak reference, so a freed address is not reused."""

    __slots__ = ("offset", "shape", "storage")

    def __init__(self, tensor: Tensor) -> None:
        tensor = _strided(tensor)
        self.storage = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]  # torch
        self.offset = tensor.storage_offset()
        self.shape = tensor.shape

    def is_on(self, tensor: Tensor) -> bool:
        tensor = _strided(tensor)
        return (
            self.storage.cdata == tensor.untyped_storage()._cdata
            and self.offset == tensor.storage_offset()
            and self.shape == tensor.shape
        )


def _strided(tensor: Tensor) -> Tensor:
    return tensor._values() if tensor.layout is torch.sparse_coo else tensor


def _tensors(state: object) -> tuple[Tensor, ...]:
    if isinstance(state, Tensor):
        return (state,)
    if isinstance(state, dict):
        state = tuple(state.values())
    if isinstance(state, tuple | list):
        return tuple([tensor for part in state for tensor in _tensors(part)])
    return ()

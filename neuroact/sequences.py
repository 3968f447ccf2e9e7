"""Where a sequence starts, told from the state a layer is given.

Single-step frameworks mark no start of a sequence, so the rule is: a call goes on from the last
one if and only if the state it is given is the state the last call left: the same tensors, or
detached ones on the same storage. No value is read, so no device is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator

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
        started_from = tuple(_tensors(given))
        ended_with = tuple(_tensors(left))
        same = (
            len(started_from) == len(self._left) == len(ended_with) > 0
            and all(mark.is_on(t) for mark, t in zip(self._left, started_from, strict=True))
            and all(a.shape == b.shape for a, b in zip(started_from, ended_with, strict=True))
        )
        self._left = tuple(_Mark(tensor) for tensor in ended_with)
        return same

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


def _tensors(state: object) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, tuple | list):
        for part in state:
            yield from _tensors(part)
    elif isinstance(state, dict):
        yield from _tensors(tuple(state.values()))

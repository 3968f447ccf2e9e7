"""Knows a tensor again without holding it."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef


class KnownTensor:
    """Knows a tensor again, also as a view of the whole of it.

    Args:
        tensor: the tensor; one of inference mode is a RuntimeError, as nothing shows its changes.

    Attributes:
        met: for whoever met it to note.
    """

    def __init__(self, tensor: Tensor) -> None:
        # While the reference lives, no other storage has the same address.
        self._storage = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        self._version = tensor._version
        self._form = _form(tensor)
        self._strides = tensor.shape, tensor.stride()
        self._contiguous = tensor.is_contiguous()
        self.met = False

    def is_of(self, value: Tensor) -> bool:
        """Whether it is that tensor, unchanged and in the same order."""
        if value.untyped_storage()._cdata != self._storage.cdata:
            return False
        same = (value.shape, value.stride()) == self._strides
        ordered = same or (self._contiguous and value.is_contiguous())
        return ordered and _form(value) == self._form and value._version == self._version


def _form(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tensor.storage_offset(), tensor.numel()

"""Finds calls that would make the host wait for a GPU, on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

# What Python code calls to look at values. On a CPU PyTorch does not dispatch these, so only a mode
# of torch functions sees them.
_METHODS = {
    *("item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__"),
    *("__complex__", "__array__", "__contains__", "__repr__", "__format__"),
}
# Operations that look at values to know the shape of their result.
_OPERATIONS = {
    *("_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique", "_unique2"),
    *("unique_consecutive", "equal", "is_nonzero", "repeat_interleave", "bincount"),
}


class HostSyncs:
    """While it is entered, collects in `found` the names of calls that would wait for a device.

    >>> import torch
    >>> from neuroact.testing.syncs import HostSyncs
    >>> with HostSyncs() as syncs:
    ...     _ = torch.ones(3).sum().item()
    >>> syncs.found
    ['item']
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> HostSyncs:
        self._stack.enter_context(_Operations(self.found))
        self._stack.enter_context(_Methods(self.found))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


class _Methods(TorchFunctionMode):
    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in _METHODS or (name == "to" and "cpu" in [a for a in args if type(a) is str]):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch
    def __init__(self, found: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch
        self.found = found

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = func.overloadpacket.__name__
        by_mask = name in ("index", "index_put_", "index_put") and any(
            isinstance(at, Tensor) and at.dtype in (torch.bool, torch.uint8) for at in args[1]
        )
        # `.item()` comes twice: first the method, then the operation that it calls.
        if (name in _OPERATIONS and not self.found) or by_mask:
            self.found.append("indexing by a mask" if by_mask else name)
        return func(*args, **(kwargs or {}))

"""A pretended device: a CPU's memory under a GPU's rules.

What only a GPU can run cannot be tested elsewhere. But code that works only on a CPU by mistake
fails on any other device: by a tensor on the wrong device, or a wait for the device. Since 2.10
PyTorch lets you define such a device in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

NAME = "pretended"

# They look at values for a number, or for the shape of their result.
_WAIT = {
    *("_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique", "_unique2"),
    *("unique_consecutive", "equal", "repeat_interleave", "bincount"),
}
_BY_INDEX = {"index", "index_put", "index_put_", "_index_put_impl_"}
_COPY = {"_to_copy", "copy_", "_copy_from"}

_waits_are_errors = False
_is_set_up = False


class _There(Tensor):
    """A tensor on the device; `here` holds its memory."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> _There:
        made: _There = Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=torch.device(NAME, 0),
        )
        made.here = here
        return made

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


def is_possible() -> bool:
    """Whether this PyTorch can define such a device."""
    try:
        from torch.utils import backend_registration
    except ImportError:
        return False
    return hasattr(backend_registration, "_setup_privateuseone_for_python_backend")


@contextmanager
def pretended_device() -> Iterator[torch.device]:
    """Inside the block the device exists. Its name stays known to the process."""
    global _is_set_up
    if not _is_set_up:
        from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

        _setup_privateuseone_for_python_backend(NAME)
        _is_set_up = True
    # Otherwise torch.tensor would bypass every mode when it makes a tensor there.
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    # Otherwise parameters that are moved or cast would be the old tensors with new contents.
    anew = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _Mode():
            yield torch.device(NAME, 0)
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(anew)
        torch._C._set_only_lift_cpu_tensors(before)


@contextmanager
def no_waits() -> Iterator[None]:
    """Inside the block, waiting for the device is an error."""
    global _waits_are_errors
    _waits_are_errors = True
    try:
        yield
    finally:
        _waits_are_errors = False


def _run(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    leaves = tree_flatten((args, kwargs))[0]
    name = func.overloadpacket.__name__
    given = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    there = any(isinstance(tensor, _There) for tensor in given)
    device = kwargs.get("device")
    stays = there if device is None else torch.device(device).type == NAME
    if there or stays:
        _check(name, given, there, stays, kwargs)
    asked = {**kwargs, "device": "cpu"} if device is not None else kwargs
    found = func(*tree_map(_here, args), **tree_map(_here, asked))
    if not stays:
        return found
    found = tree_map(lambda leaf: _There(leaf) if isinstance(leaf, Tensor) else leaf, found)
    # A view of a tensor, or the tensor itself, is the same on the device.
    aliasing: Callable[..., Any] = return_and_correct_aliasing
    return aliasing(func, args, kwargs, found) if there else found


def _here(leaf: Any) -> Any:
    return leaf.here if isinstance(leaf, _There) else leaf


def _check(
    name: str, given: Sequence[Tensor], there: bool, stays: bool, kwargs: Mapping[str, Any]
) -> None:
    apart = [tensor for tensor in given if not isinstance(tensor, _There)]
    if name in _COPY:
        crosses = bool(apart) or not (there and stays)
        # A copy that does not block arrives at some later time.
        waits = crosses and not (stays and kwargs.get("non_blocking", False))
    else:
        if there and any(tensor.ndim for tensor in apart):
            raise RuntimeError(f"{name}: tensors on the CPU and on another device")
        masks = [t for t in given[1:] if t.dtype in (torch.bool, torch.uint8)]
        waits = name in _WAIT or (name in _BY_INDEX and bool(masks))
    if waits and _waits_are_errors:
        raise RuntimeError(f"{name}: waits for the device")

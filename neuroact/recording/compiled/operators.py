"""Operators of neuroact: a `torch.compile` program calls them, the compiler does not trace them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

# A CUDA graph's replay would leave out what they do in Python.
_TAGS = (torch.Tag.cudagraph_unsafe,) if hasattr(torch.Tag, "cudagraph_unsafe") else ()
_library: Any = torch.library.Library("neuroact", "DEF")  # type: ignore[no-untyped-call]


def define(
    name: str, signature: str, run: Callable[..., Any], shape: Callable[..., Any]
) -> Callable[..., Any]:
    """Make an operator.

    Args:
        name: the operator becomes `torch.ops.neuroact.<name>`.
        signature: its arguments and results in PyTorch's notation, without the name.
        run: what it does.
        shape: returns empty tensors like its results, computed from the arguments alone.

    Returns:
        The operator.
    """
    _library.define(name + signature, tags=_TAGS)
    _library.impl(name, run, "CompositeExplicitAutograd")
    torch.library.register_fake(f"neuroact::{name}", shape, lib=_library)
    operator: Callable[..., Any] = getattr(torch.ops.neuroact, name).default
    return operator

"""Operators of neuroact's own: what a program of `torch.compile` calls without looking into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

# What they do in Python would be left out of a CUDA graph's replay.
_TAGS = (torch.Tag.cudagraph_unsafe,) if hasattr(torch.Tag, "cudagraph_unsafe") else ()
_library: Any = torch.library.Library("neuroact", "DEF")  # type: ignore[no-untyped-call]


def define(
    name: str, signature: str, run: Callable[..., Any], shape: Callable[..., Any]
) -> Callable[..., Any]:
    """Make an operator.

    Args:
        name: it is `torch.ops.neuroact.name`.
        signature: its arguments and results in PyTorch's notation, without the name.
        run: what it does.
        shape: gives empty tensors like its results, from its arguments alone.

    Returns:
        The operator.
    """
    _library.define(name + signature, tags=_TAGS)
    _library.impl(name, run, "CompositeExplicitAutograd")
    torch.library.register_fake(f"neuroact::{name}", shape, lib=_library)
    operator: Callable[..., Any] = getattr(torch.ops.neuroact, name).default
    return operator

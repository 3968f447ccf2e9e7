"""The compiled core: counts a layer's steps on a CPU. Without it the figures are the same.

`hatch_build.py` compiles it when the package is built. The core does not use PyTorch's C++. It
reads a tensor's memory by DLPack's C exchange functions, which PyTorch has since 2.10. So one build
serves all later versions of PyTorch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import torch

_VARIABLE = "NEUROACT_NATIVE"
_left_out = False
# If the build compiled no core, it wrote the reason into this file.
_REASON = Path(__file__).with_name("_missing.txt")


def core() -> ModuleType | None:
    """The compiled module, `neuroact.native._core`; None if there is none, see `why_missing`.

    A process looks for it once.
    """
    return None if _left_out else _found()[0]


@contextmanager
def without_core() -> Iterator[None]:
    """Recordings that begin inside run without the core, so that tests can compare the two."""
    global _left_out
    before, _left_out = _left_out, True
    try:
        yield
    finally:
        _left_out = before


def why_missing() -> str | None:
    """Why there is no core, in one line; None if there is one.

    >>> from neuroact.native import core, why_missing
    >>> (core() is None) == (why_missing() is not None)
    True
    """
    return _found()[1]


@cache
def _found() -> tuple[ModuleType | None, str | None]:
    if os.environ.get(_VARIABLE) == "0":
        return None, f"{_VARIABLE}=0 hides it"
    if not hasattr(torch.Tensor, "__dlpack_c_exchange_api__"):
        return None, f"it needs PyTorch 2.10 or newer; this is {torch.__version__}"
    try:
        return import_module(f"{__name__}._core"), None
    except ImportError as cause:  # also if the file is for another system or a newer C library
        return None, _reason() if isinstance(cause, ModuleNotFoundError) else _line(str(cause))


def _reason() -> str:
    try:
        return _line(_REASON.read_text(encoding="utf-8"))
    except OSError:
        return "it was not compiled for this Python; install neuroact again"


def _line(text: str) -> str:
    return " ".join(text.split())

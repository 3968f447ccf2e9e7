"""The core under test, its sets of instructions on this processor, and what it is compared with."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import neuroact.native
from neuroact.testing.strategies import SPIKE_DTYPES

SOURCES = Path(__file__).parents[2] / "neuroact/native"
# The library to test in place of the installed one; `sanitize.py` sets it.
VARIABLE = "NEUROACT_TESTED_CORE"

# All but 8-bit floats, which the core does not read.
DTYPES = tuple(d for d in SPIKE_DTYPES if d.itemsize > 1 or not d.is_floating_point)
FLOATS = tuple(d for d in DTYPES if d.is_floating_point)


def find_core() -> ModuleType:
    """The module; skips the tests if none was compiled."""
    if VARIABLE in os.environ:
        return load(Path(os.environ[VARIABLE]))
    found = neuroact.native.core()
    if found is None:
        pytest.skip(f"no core: {neuroact.native.why_missing()}", allow_module_level=True)
    return found


def load(library: Path) -> ModuleType:
    """The module that a library holds."""
    loader = ExtensionFileLoader("_core", str(library))
    spec = importlib.util.spec_from_loader("_core", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def compiled(library: Path, *flags: str) -> None:
    """Compile the sources with extra flags, by a compiler that takes g++'s flags."""
    compiler = (os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++").split()
    include = f"-I{sysconfig.get_path('include')}"
    plain = ("-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off")
    source, into = str(SOURCES / "_core.cpp"), str(library)
    subprocess.run([*compiler, *plain, *flags, include, source, "-o", into], check=True)


# On Linux the tests fail if there is no compiler.
needs_compiler = pytest.mark.skipif(sys.platform != "linux", reason="compiles with g++'s flags")


def each(core: ModuleType) -> Iterator[str]:
    """Use each set of instructions that this processor has, one after the other."""
    best = core.instructions()
    try:
        for name in ("baseline", "avx2", "avx512"):
            if core.use_instructions(name):
                yield name
    finally:
        core.use_instructions(best)


def array_of(values: Tensor) -> NDArray[Any]:
    """The values as an array; NumPy has no bfloat16."""
    return (values.float() if values.dtype is torch.bfloat16 else values).numpy()


def taken(bits: Any) -> tuple[int, bool, bool, NDArray[np.uint64], NDArray[np.int32]]:
    """The contents of `Bits`, after a check that it wrote nothing more."""
    batch = bits.shape[0]
    words = np.full((batch, int(np.prod(bits.shape[1:]))), 2**64 - 1, np.uint64)
    sums = np.full((bits.steps + 1, batch), -1, np.int32)
    told = bits.take(words, sums)
    assert (sums[-1] == -1).all()
    return *told, words, sums[:-1]

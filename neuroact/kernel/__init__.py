"""The compiled kernel that reads and counts a recorded step: the same bits, sooner.

It is bound to the Python and the torch that it is compiled with, so no wheel holds it. `neuroact
kernel --build` compiles it here (see `build`), into a folder of the user's; a recording finds it
there, or does without.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from neuroact.errors import NeuroactWarning

if TYPE_CHECKING:
    from neuroact.kernel.steps import Compiled

MODULE = "neuroact_steps"
SOURCE = Path(__file__).with_name("steps.cpp")
FOLDER_VARIABLE = "NEUROACT_KERNEL_DIR"

_left_out = False


class Kernel(NamedTuple):
    """What there is of a kernel for this process.

    Attributes:
        file: the newest file that was built for it, or None.
        module: what is in it, or None where it cannot be loaded.
        problem: why not.
    """

    file: Path | None = None
    module: ModuleType | None = None
    problem: str | None = None


def kernel() -> Compiled | None:
    """The compiled module, where it was built for this Python, this torch and this source.

    A process looks for it once. A file that is there and cannot be loaded is warned of, once too.
    """
    return None if _left_out else cast("Compiled | None", _found())


@contextmanager
def without_kernel() -> Iterator[None]:
    """Inside, `kernel()` is None, as where none was built.

    >>> from neuroact.kernel import kernel, without_kernel
    >>> with without_kernel():
    ...     print(kernel())
    None
    """
    global _left_out
    before, _left_out = _left_out, True
    try:
        yield
    finally:
        _left_out = before


def look() -> Kernel:
    """Look for the kernel and load it, without a warning."""
    try:
        mine = f"{build_name()}-"
        files = [path for path in folder().iterdir() if path.name.startswith(mine)]
        file = max(files, key=lambda path: path.stat().st_mtime, default=None)
    except OSError:
        file = None
    if file is None:
        return Kernel()
    try:
        # Of a library that was cut short the system may find out by killing the process.
        if file.name != file_name(file.read_bytes()):
            return Kernel(file, problem="it was cut short, or altered")
        return Kernel(file, module=load(file))
    except Exception as cause:  # such as a C library that is older than the compiler's
        return Kernel(file, problem=str(cause))


def forget() -> None:
    """Have the next `kernel()` look anew."""
    _found.cache_clear()


def folder() -> Path:
    """Where kernels are kept: `NEUROACT_KERNEL_DIR`, or the platform's folder for such files.

    Raises:
        OSError: no folder is named, and the user has no home.
    """
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "neuroact"
    if cached := os.environ.get("XDG_CACHE_HOME"):
        return Path(cached) / "neuroact"
    try:
        home = Path.home()
    except RuntimeError:
        message = f"there is no home folder to keep the kernel in; name one by {FOLDER_VARIABLE}"
        raise FileNotFoundError(message) from None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "neuroact"


def build_name() -> str:
    """How the names of files begin that were built for this Python, torch, machine and source."""
    parts = (
        torch.__version__,
        torch.version.git_version,
        torch.version.cuda,
        torch.version.hip,
        torch.compiled_with_cxx11_abi(),
        EXTENSION_SUFFIXES[0],
        # macOS has one suffix for all its processors; where there is no uname, the suffix has it.
        os.uname().machine if sys.platform != "win32" else "",
        hashlib.sha256(SOURCE.read_bytes()).hexdigest(),
    )
    return f"{MODULE}-torch-{torch.__version__}-{_digest(repr(parts).encode())}"


def file_name(data: bytes) -> str:
    """The name of the file that holds such a kernel: what it is for, and a digest of it."""
    return f"{build_name()}-{_digest(data)}{EXTENSION_SUFFIXES[0]}"


def load(file: Path) -> ModuleType:
    """The module in a file.

    Raises:
        ImportError: the file is no such module, or one for another system.
    """
    loader = ExtensionFileLoader(MODULE, str(file))
    spec = spec_from_loader(MODULE, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@cache
def _found() -> ModuleType | None:
    there = look()
    if there.problem is not None:
        warnings.warn(
            f"the compiled kernel {there.file} cannot be loaded: {there.problem}. Recording goes "
            "on without it, slower, with the same figures. Compile it again: neuroact kernel "
            "--build",
            NeuroactWarning,
            stacklevel=2,
        )
    return there.module

"""Compiling the kernel, by torch's own means, and taking it away."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch

from neuroact.errors import KernelBuildError, MissingExtraError
from neuroact.files import write_bytes
from neuroact.kernel import MODULE, SOURCE, file_name, folder, forget, look
from neuroact.kernel.compile import library, this_torch

_LAST_LINES = 20


def build() -> Path:
    """Compile the kernel for this Python and this torch, unless it is there; gives its file.

    It takes some ten seconds. The file is there whole or not at all, also where several processes
    build at once.

    Raises:
        MissingExtraError: setuptools is not installed, the extra `kernel`.
        KernelBuildError: there is no compiler, or it failed.
        OSError: the folder cannot be made or written.
    """
    forget()
    there = look()
    if there.file is not None and there.module is not None:
        return there.file
    if find_spec("setuptools") is None:
        raise MissingExtraError("setuptools", extra="kernel", purpose="compiling the kernel")
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    data = _compiled()
    file = place / file_name(data)
    write_bytes(file, data)
    forget()
    return file


def remove() -> list[Path]:
    """Delete what was built here, for this and for other versions; gives the files.

    Raises:
        OSError: one of them cannot be deleted, as where a process of Windows has it loaded.
    """
    forget()
    removed = built()
    for file in removed:
        file.unlink(missing_ok=True)
    return removed


def built() -> list[Path]:
    """The files in the folder that were built, for whatever version, whole or in part."""
    try:
        files = sorted(folder().iterdir())
    except OSError:
        return []
    return [file for file in files if file.name.removeprefix(".").startswith(f"{MODULE}-")]


def _compiled() -> bytes:
    """The library, built by a process of its own: compilers and torch write where they like."""
    with tempfile.TemporaryDirectory(prefix="neuroact-") as place:
        Path(place, SOURCE.name).write_bytes(SOURCE.read_bytes())
        run = subprocess.run(
            [sys.executable, "-m", "neuroact.kernel.compile", SOURCE.name, this_torch()],
            env=_environment(os.environ),
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if run.returncode:
            raise KernelBuildError(_reason(run.stdout), output=run.stdout)
        return library(Path(place)).read_bytes()


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the building process sees: this one's torch, and what each platform's tools need."""
    theirs = {
        **ours,
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
        "PYTHONWARNINGS": "ignore",  # theirs are no failure of ours
        # torch would say that it does not know a compiler, such as Clang on Linux, that works.
        "TORCH_DONT_CHECK_COMPILER_ABI": "1",
    }
    if sys.platform == "darwin":
        # Python may be built for two processors, and torch is for one of them.
        theirs.setdefault("ARCHFLAGS", f"-arch {os.uname().machine}")
    if "VSCMD_ARG_TGT_ARCH" in ours:  # a prompt of Visual Studio's, whose compiler torch then wants
        theirs.setdefault("DISTUTILS_USE_SDK", "1")
    return theirs


def _reason(output: str) -> str:
    last = "\n".join(f"    {line}" for line in output.splitlines()[-_LAST_LINES:])
    return (
        f"the kernel cannot be compiled for torch {torch.__version__}. What was said last:\n"
        f"{last}\n"
        "Install a C++ compiler that is new enough for this torch, and Python's headers (Debian "
        "and Ubuntu: apt install g++ python3-dev; macOS: xcode-select --install; Windows: Visual "
        "Studio Build Tools), then compile again: neuroact kernel --build. Recording works "
        "without it, slower, with the same figures."
    )

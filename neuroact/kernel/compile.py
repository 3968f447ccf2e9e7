"""The program that `build` runs in a process and a folder of its own: `SOURCE TORCH`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from neuroact.kernel import MODULE, load


def main(source: str, expected: str) -> None:
    """Build `source` in the working folder and load it once: what fails, fails here."""
    if this_torch() != expected:
        sys.exit(
            f"expected torch {expected}, found {this_torch()}: it was changed since the process "
            "that builds began; begin another one"
        )
    from setuptools import setup
    from torch.utils.cpp_extension import BuildExtension, CppExtension

    class WithoutNinja(BuildExtension):
        def finalize_options(self) -> None:
            self.use_ninja = False  # as an argument, setuptools 77 would refuse it
            super().finalize_options()

    # For whatever processor a machine has that shares the folder. Python's own flags ask for
    # debugging symbols, which would make the library many times larger.
    flags = ["/O2"] if sys.platform == "win32" else ["-O3", "-g0"]
    extension = CppExtension(MODULE, [source], extra_compile_args=flags)  # type: ignore[no-untyped-call]
    setup(
        name=MODULE,
        ext_modules=[extension],
        cmdclass={"build_ext": WithoutNinja},
        script_args=["build_ext", "--build-lib=built", "--build-temp=parts"],
    )
    load(library(Path.cwd()))


def library(folder: Path) -> Path:
    """The library that was built in a folder."""
    [found] = folder.glob(f"built/{MODULE}*")
    return found


def this_torch() -> str:
    """The torch of this process: its version, and the commit that it was built from."""
    return f"{torch.__version__} ({torch.version.git_version})"


if __name__ == "__main__":
    main(*sys.argv[1:])

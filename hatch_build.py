"""Compiles `neuroact/native` when the package is built, if there is a C++ compiler.

Without a compiler the package lacks only the core: everything works, with the same figures, but
slower, and `neuroact.native.why_missing()` says why. NEUROACT_BUILD_NATIVE=0 leaves the core out.
NEUROACT_BUILD_NATIVE=1 makes a build without the core fail.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "NEUROACT_BUILD_NATIVE"
FOLDER = "neuroact/native"
# From 3.12 on one build serves all later versions, except on a Python without the interpreter's
# lock, which has no stable ABI.
STABLE = sys.version_info >= (3, 12) and not sysconfig.get_config_var("Py_GIL_DISABLED")


class Hook(BuildHookInterface):
    """Puts the library into the wheel, or into the tree for an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the core; if that fails, write down why."""
        # `finalize` removes it, after its files were packed.
        self.place = Path(tempfile.mkdtemp(prefix="neuroact-"))
        file = self.compiled()
        if file.suffix != ".txt":
            build_data["pure_python"] = False
            build_data["tag"] = tag()
        if version != "editable":
            build_data["force_include"][str(file)] = f"{FOLDER}/{file.name}"
            return
        folder = Path(self.root, FOLDER)
        for name in ("_missing.txt", *(f"_core{suffix}" for suffix in EXTENSION_SUFFIXES)):
            (folder / name).unlink(missing_ok=True)
        shutil.copy(file, folder)  # a process that has loaded the old file keeps that

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self.place, ignore_errors=True)

    def compiled(self) -> Path:
        """The library, or a file that says why there is none."""
        wanted = os.environ.get(VARIABLE, "")
        if wanted == "0":
            reason = f"{VARIABLE}=0 was set when neuroact was built"
        else:
            try:
                return compile_core(Path(self.root, FOLDER), self.place)
            except (Exception, SystemExit) as cause:
                if wanted == "1":
                    raise
                reason = (
                    f"it could not be compiled when neuroact was built ({brief(cause)}); install "
                    "a C++ compiler and Python's headers, then neuroact again"
                )
        self.app.display_warning(f"neuroact is built without its compiled core: {reason}")
        said = self.place / "_missing.txt"
        said.write_text(reason, encoding="utf-8")
        return said


def compile_core(sources: Path, place: Path) -> Path:
    """Compile the core into the folder `place`. Returns the library.

    Raises:
        Exception: there is no compiler, or it failed; setuptools raises several classes.
    """
    from setuptools import Distribution, Extension

    windows = sys.platform == "win32"
    flags = (
        ["/O2", "/std:c++17", "/EHsc"]
        if windows
        # -g0: Python's own flags ask for debugging symbols, ten times the size of the library.
        # -ffp-contract=off: terms are rounded as Python rounds them.
        else ["-O3", "-g0", "-std=c++17", "-fvisibility=hidden", "-ffp-contract=off"]
    )
    extension = Extension(
        "_core",
        [str(sources / "_core.cpp")],
        language="c++",
        extra_compile_args=flags,
        define_macros=[("Py_LIMITED_API", "0x030C0000")] if STABLE else [],
        py_limited_api=STABLE,
    )
    distribution = Distribution({"name": "neuroact", "ext_modules": [extension]})
    command = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(place / "built"), str(place / "parts")
    command.ensure_finalized()
    command.run()
    [library] = (place / "built").glob("_core*")
    return library


def brief(cause: BaseException) -> str:
    """The error in one line; a failed command's error is too long for that."""
    said = f"{type(cause).__name__}: {cause}"
    return said if len(said) < 100 else "pip install --verbose shows what the compiler said"


def tag() -> str:
    """The tag that says for which Python and platform the wheel is."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    # The compiler's target, which may be another processor than this one.
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    free = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"cp312-abi3-{platform}" if STABLE else f"{python}-{python}{free}-{platform}"

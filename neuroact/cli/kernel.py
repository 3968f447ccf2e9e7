"""`neuroact kernel`: whether recordings count by a compiled kernel, and compiling one."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

EXAMPLES = """
neuroact kernel
neuroact kernel --build
neuroact kernel --remove
"""


def kernel(
    build: Annotated[
        bool,
        typer.Option(
            "--build",
            help="Compile it, unless it is there. Needs a C++ compiler and the extra kernel.",
        ),
    ] = False,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove",
            help="Delete it, and what was built for other versions; with --build, before that.",
        ),
    ] = False,
) -> None:
    """Say whether the compiled kernel is there, for which torch, and where.

    It reads and counts a step of a recorded layer on a CPU in place of Python, so that a default
    recording costs little more than an empty hook. Each version of torch and Python needs its own.
    The figures are the same without it, to the bit.
    """
    from neuroact.kernel import build as building
    from neuroact.kernel import look

    if remove:
        _tell(f"Files deleted from {_folder()}: {len(building.remove())}")
    if build:
        if look().module is None:
            typer.echo(f"Compiling the kernel for {_versions()}, some ten seconds.", err=True)
        building.build()
    if build or not remove:
        _tell(_status())


def _status() -> str:
    from neuroact.kernel import look
    from neuroact.kernel.build import built

    there = look()
    others = len([file for file in built() if file != there.file])
    lines = []
    if there.module is not None:
        lines.append(f"The kernel for {_versions()} is there, and recordings use it:")
        lines.append(f"  {there.file}")
    elif there.file is not None:
        lines.append(f"The kernel for {_versions()} cannot be loaded: {there.problem}")
        lines.append(f"  {there.file}")
    else:
        lines.append(f"No kernel for {_versions()} in {_folder()}")
    if there.module is None:
        lines.append("Recordings do without it, slower, with the same figures.")
        lines.append("To compile it: neuroact kernel --build")
    if others:
        lines.append(f"Built for other versions, or left over: {others}. neuroact kernel --remove")
    return "\n".join(lines)


def _tell(text: str) -> None:
    from neuroact.printable import printable

    for line in text.splitlines():
        typer.echo(printable(line))


def _versions() -> str:
    import torch

    return f"torch {torch.__version__} and Python {platform.python_version()}"


def _folder() -> str:
    from neuroact.kernel import folder

    return str(folder())

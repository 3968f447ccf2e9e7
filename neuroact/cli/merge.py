"""`neuroact merge`: add up recordings into one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroact.cli.options import input_file, output_file
from neuroact.cli.reading import read_recording
from neuroact.errors import MergeError

EXAMPLES = "neuroact merge part-*.nact -o all.nact"


def merge(
    files: Annotated[list[Path], input_file("Recordings that Recording.save wrote.")],
    out: Annotated[
        Path,
        output_file("The sum. It is written whole or not at all, and replaces an older file."),
    ],
) -> None:
    """Add up recordings of one model, exactly.

    The sum is what one process over all the data would have recorded. A layer that only some
    recordings have is kept. Nothing may be counted twice: a file may be given only once, and the
    sum must not be one of the parts. The model and its framework need not be installed.
    """
    _check_each_once([*files, out])
    merged = read_recording(files[0])
    for file in files[1:]:
        part = read_recording(file)
        try:
            merged.merge(part)
        except MergeError as cause:
            raise MergeError(f"{file}: {cause}", layer=cause.layer) from cause
    merged.save(out)
    typer.echo(f"{len(files):,} recordings of {len(merged.layers):,} layers added up: {out}")


def _check_each_once(files: list[Path]) -> None:
    seen: set[Path | tuple[int, int]] = set()
    for file in files:
        key = _identity(file)
        if key in seen:
            raise MergeError(
                f"{file} is named twice, or is another file by another name: its counts would be "
                "added twice"
            )
        seen.add(key)


def _identity(file: Path) -> Path | tuple[int, int]:
    """A file's identity on its disk, which is the same for all its names."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return file.resolve()
    return found.st_dev, found.st_ino

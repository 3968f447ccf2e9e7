"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def input_file(text: str) -> Any:
    """The argument FILE, or several: files that exist.

    Args:
        text: the help.
    """
    return typer.Argument(exists=True, dir_okay=False, metavar="FILE", help=text)


def output_file(text: str) -> Any:
    """The option `--out FILE`.

    Args:
        text: the help.
    """
    return typer.Option("--out", "-o", metavar="FILE", help=text)


Legend = Annotated[bool, typer.Option("--legend", help="Explain the words of the table below it.")]
"""The option of the commands that print a table."""

ReportOrComparison = Annotated[
    Path,
    input_file(
        "The JSON file of a report, a comparison or a training's history, a recording, or "
        "NeuroBench's results."
    ),
]
"""The argument FILE of the commands that show any of them."""

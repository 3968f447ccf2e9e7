"""`neuroact show`: the table of a report's or a recording's file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroact.cli.reading import read_report
from neuroact.cli.reports import print_report

EXAMPLES = """
neuroact show activity.json
neuroact show activity.json --json
neuroact show all.nact
"""


def show(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="A report's JSON, or a recording that Recording.save wrote.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON and not as a table.")
    ] = False,
) -> None:
    """Print the table of a report's or a recording's file.

    Neither the model nor its framework has to be there.
    """
    print_report(read_report(file), as_json=as_json)

"""`neuroact show`: a report's file as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroact.cli.reports import print_report
from neuroact.report import ActivityReport

EXAMPLES = """
neuroact show activity.json
neuroact show activity.json --json
"""


def show(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="A report's JSON.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON and not as a table.")
    ] = False,
) -> None:
    """Print the table of a report's file."""
    print_report(ActivityReport.from_json(file), as_json=as_json)

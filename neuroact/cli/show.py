"""`neuroact show`: a report's file as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroact.report import ActivityReport

EXAMPLES = "neuroact show activity.json"


def show(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="A report's JSON.")
    ],
) -> None:
    """Print the table of a report's file."""
    from neuroact.table import print_table

    print_table(ActivityReport.from_json(file))

"""`neuroact show`: the table of a report's or a recording's file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroact.cli.reading import read_report
from neuroact.cli.reports import print_report
from neuroact.cli.verdicts import AsJson, FailOn, conditions, end_by_verdicts

EXAMPLES = """
neuroact show activity.json
neuroact show activity.json --json
neuroact show all.nact
neuroact show activity.json --fail-on dead=0.3 --fail-on saturated
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
    as_json: AsJson = False,
    fail_on: FailOn = None,
) -> None:
    """Print the table of a report's or a recording's file.

    Neither the model nor its framework has to be there.
    """
    asked = conditions(fail_on)
    report = read_report(file)
    print_report(report, asked, as_json=as_json)
    end_by_verdicts(report, asked)

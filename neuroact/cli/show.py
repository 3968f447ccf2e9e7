"""`neuroact show`: print the table of a report, a recording or a comparison."""

from __future__ import annotations

import typer

from neuroact.cli.options import ReportOrComparison
from neuroact.cli.reading import as_report, read_file
from neuroact.cli.reports import print_comparison, print_report
from neuroact.cli.verdicts import AsJson, FailOn, conditions, end_by_verdicts
from neuroact.report.comparison import Comparison

EXAMPLES = """
neuroact show activity.json
neuroact show activity.json --json
neuroact show all.nact
neuroact show comparison.json
neuroact show activity.json --fail-on dead=0.3 --fail-on saturated
"""


def show(
    file: ReportOrComparison,
    as_json: AsJson = False,
    fail_on: FailOn = None,
) -> None:
    """Print the table of a report, a recording or a comparison.

    The model and its framework need not be installed.
    """
    asked = conditions(fail_on)
    found = read_file(file)
    if isinstance(found, Comparison):
        if asked:
            raise typer.BadParameter(
                "FILE is a comparison: only a report has verdicts.", param_hint="--fail-on"
            )
        print_comparison(found, as_json=as_json)
        return
    report = as_report(found, file)
    print_report(report, asked, as_json=as_json)
    end_by_verdicts(report, asked)

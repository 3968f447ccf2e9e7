"""`neuroact show`: print the table of a report, a recording, a comparison or a history."""

from __future__ import annotations

from typing import Annotated

import typer

from neuroact.cli.operations import Costs, costs_named, operations_of, print_operations
from neuroact.cli.options import Legend, ReportOrComparison
from neuroact.cli.reading import as_report, read_file
from neuroact.cli.reports import print_comparison, print_history, print_report
from neuroact.cli.verdicts import AsJson, FailOn, conditions, end_by_verdicts

EXAMPLES = """
neuroact show activity.json
neuroact show activity.json --json
neuroact show activity.json --legend --no-fold
neuroact show all.nact
neuroact show comparison.json
neuroact show results.json
neuroact show history.json
neuroact show activity.json --operations
neuroact show activity.json --costs HOROWITZ_45NM_FP32
neuroact show activity.json --fail-on dead=0.3 --fail-on saturated
"""


def show(
    file: ReportOrComparison,
    operations: Annotated[
        bool,
        typer.Option("--operations", help="Print the synaptic operations instead of the activity."),
    ] = False,
    costs: Costs = None,
    fold: Annotated[
        bool | None,
        typer.Option(
            "--fold/--no-fold",
            help="A row for each module, or for each layer. By default, more than 24 layers are "
            "folded by module.",
        ),
    ] = None,
    legend: Legend = False,
    as_json: AsJson = False,
    fail_on: FailOn = None,
) -> None:
    """Print the table of a report, a recording, a comparison or a history.

    The history of a training has a row for each epoch, and says when layers died or came back; its
    last report is what --fail-on judges. A comparison has a table of operations too, if its reports
    have them. JSON always holds them. The model and its framework need not be installed.
    """
    from neuroact.report.comparison import Comparison
    from neuroact.report.history import History

    asked, priced = conditions(fail_on), costs_named(costs, as_json=as_json)
    option = "--costs" if priced is not None else "--operations" if operations else None
    found = read_file(file)
    if isinstance(found, Comparison):
        if asked:
            raise typer.BadParameter(
                "FILE is a comparison: only a report has verdicts.", param_hint="--fail-on"
            )
        if option is not None:
            raise typer.BadParameter(
                "FILE is a comparison: it shows operations by itself, if its reports have them.",
                param_hint=option,
            )
        print_comparison(found, as_json=as_json, legend=legend)
        return
    if isinstance(found, History):
        if option is not None:
            raise typer.BadParameter(
                "FILE is the history of a training: only its JSON shows operations.",
                param_hint=option,
            )
        print_history(found, as_json=as_json)
        if found:
            end_by_verdicts(found[-1][1], asked)
        return
    report = as_report(found, file)
    counted = None if option is None else operations_of(report, option)
    if counted is None or as_json:
        print_report(report, asked, as_json=as_json, fold=fold, legend=legend)
    else:
        print_operations(counted, priced, legend=legend)
    end_by_verdicts(report, asked)

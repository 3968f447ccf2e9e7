"""`neuroact html`: write a report, a comparison or a history as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroact.cli.operations import Costs, costs_named, operations_of
from neuroact.cli.options import ReportOrComparison, output_file
from neuroact.cli.reading import as_report, read_file

EXAMPLES = """
neuroact html activity.json
neuroact html activity.json --out report.html
neuroact html activity.json --title "Digits, trained for 10 epochs"
neuroact html activity.json --costs HOROWITZ_45NM_FP32
neuroact html comparison.json
neuroact html history.json
"""


def html(
    file: ReportOrComparison,
    out: Annotated[
        Path | None,
        output_file("The page to write. Default: FILE with the ending .html."),
    ] = None,
    costs: Costs = None,
    title: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="The page's title. Default: the model's name, or the labels."
        ),
    ] = None,
) -> None:
    """Write a report, a comparison or the history of a training as one page of HTML.

    The page needs no network and no other file. It has what is wrong (or differs most), a table
    that sorts and filters, plots, synaptic operations if FILE has them, and definitions.
    """
    from neuroact.report.comparison import Comparison
    from neuroact.report.history import History

    page, priced = file.with_suffix(".html") if out is None else out, costs_named(costs)
    found = read_file(file)
    if isinstance(found, Comparison | History):
        if priced is not None:
            what = "a comparison" if isinstance(found, Comparison) else "the history of a training"
            raise typer.BadParameter(
                f"FILE is {what}: energy is estimated of one report.", param_hint="--costs"
            )
        if not found:
            raise typer.BadParameter("the history has no reports yet.", param_hint="FILE")
        found.to_html(page, title=title)
    else:
        report = as_report(found, file)
        if priced is not None:
            operations_of(report, "--costs")
        report.to_html(page, costs=priced, title=title)
    typer.echo(f"Written: {page}", err=True)

"""`neuroact html`: write a report or a comparison as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroact.cli.options import ReportOrComparison, output_file
from neuroact.cli.reading import as_report, read_file
from neuroact.report.comparison import Comparison

EXAMPLES = """
neuroact html activity.json
neuroact html activity.json --out report.html
neuroact html comparison.json
"""


def html(
    file: ReportOrComparison,
    out: Annotated[
        Path | None,
        output_file("The page to write. Default: FILE with the ending .html."),
    ] = None,
) -> None:
    """Write a report or a comparison as one page of HTML.

    The page needs no network and no other file. It has what is wrong (or differs most), a table
    that sorts and filters, plots, and definitions.
    """
    page = file.with_suffix(".html") if out is None else out
    found = read_file(file)
    shown = found if isinstance(found, Comparison) else as_report(found, file)
    shown.to_html(page)
    typer.echo(f"Written: {page}", err=True)

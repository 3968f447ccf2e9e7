"""`neuroact html`: a report's file as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuroact.cli.reading import read_report

EXAMPLES = """
neuroact html activity.json
neuroact html activity.json --out report.html
"""


def html(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, metavar="FILE", help="A report's JSON, or a recording."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The page; beside FILE, as .html, where left out."
        ),
    ] = None,
) -> None:
    """Write a report as one page of HTML, which needs neither network nor any other file.

    A table that sorts and filters, verdicts first, the plots, and what every figure means.
    """
    page = file.with_suffix(".html") if out is None else out
    read_report(file).to_html(page)
    typer.echo(f"Written: {page}", err=True)

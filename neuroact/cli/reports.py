"""A report on standard output, for people or for programs."""

from __future__ import annotations

from neuroact.report import ActivityReport


def print_report(report: ActivityReport, *, as_json: bool) -> None:
    """Print the table, or the document that `ActivityReport.from_json` reads."""
    from neuroact.table import print_table

    if as_json:
        print(report.to_json(), end="")
    else:
        print_table(report)

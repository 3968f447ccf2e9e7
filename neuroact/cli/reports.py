"""Print a report or a comparison, for people or for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroact.report.activity_report import ActivityReport
    from neuroact.report.comparison import Comparison
    from neuroact.report.history import History


def print_report(
    report: ActivityReport,
    asked: Mapping[str, float | None],
    *,
    as_json: bool,
    fold: bool | None = None,
    legend: bool = False,
) -> None:
    """Print the table, or the JSON that `ActivityReport.from_json` reads, plus verdicts."""
    from neuroact.cli.verdicts import document
    from neuroact.table import IN_COMMANDS, print_table

    if as_json:
        print_json(document(report, asked))
    else:
        print_table(report, fold=fold, legend=legend, hints=IN_COMMANDS)


def print_comparison(comparison: Comparison, *, as_json: bool, legend: bool = False) -> None:
    """Print the table, or the JSON that `Comparison.from_json` reads."""
    from neuroact.table.comparison import print_comparison as printed

    if as_json:
        print(comparison.to_json(), end="")
    else:
        printed(comparison, legend=legend, hint="the option --legend")


def print_history(history: History, *, as_json: bool) -> None:
    """Print the table by epoch, or the JSON that `History.from_json` reads."""
    from neuroact.table import IN_COMMANDS
    from neuroact.table.history import print_history as printed

    if as_json:
        print(history.to_json(), end="")
    else:
        printed(history.entries, IN_COMMANDS)


def print_json(value: Any) -> None:
    """Print plain values as JSON."""
    print(json.dumps(value, indent=1, allow_nan=False))

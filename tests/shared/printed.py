"""What a command prints of a report, a comparison or operations."""

from __future__ import annotations

from neuroact import ActivityReport, Comparison
from neuroact.report.operations_report import OperationsReport
from neuroact.table import IN_COMMANDS, ReportTable, comparison, operations


def printed(shown: ActivityReport | Comparison | OperationsReport) -> str:
    """The table as a command prints it to a file, without the line break at its end."""
    if isinstance(shown, ActivityReport):
        return ReportTable(shown, legend=False, hints=IN_COMMANDS).text()
    if isinstance(shown, Comparison):
        hint = "the option --legend"
        return comparison.ComparisonTable(shown, legend=False, hint=hint).text()
    return operations.OperationsTable(shown, legend=False, hint=operations.IN_COMMANDS).text()

"""What a command reads: a report, a recording, a comparison, or a history of reports."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from neuroact.errors import NeuroactWarning, ReportFileError
from neuroact.report.activity_report import ActivityReport
from neuroact.report.comparison import Comparison
from neuroact.report.history import History

READ: dict[str, type[ActivityReport | Comparison | History]] = {
    "neuroact.comparison": Comparison,
    "neuroact.history": History,
}
"""What a JSON document is, by the schema that it names; any other is read as a report."""


def read_file(path: Path) -> ActivityReport | Comparison | History:
    """What is in a file, told by its contents and not by its name; a recording is a report.

    Raises:
        ReportFileError: it is none of them, or damaged.
        RecordingFileError: it begins like a recording's file, and is damaged or foreign.
        NothingRecordedError: it is a recording whose layers were never called.
        OSError: it cannot be read.
    """
    from neuroact.files.json_document import read
    from neuroact.files.tensor_file import PREFIX, may_begin
    from neuroact.recording.recording import Recording

    with path.open("rb") as file:
        prefix = file.read(PREFIX)
    if not may_begin(prefix):
        return read(path, _from_document)
    with warnings.catch_warnings():
        # The report says itself what they warn of.
        warnings.simplefilter("ignore", NeuroactWarning)
        return Recording.load(path).report()


def read_report(path: Path) -> ActivityReport:
    """The report in a file; raises as `read_file` does.

    Raises:
        ReportFileError: there is a history or a comparison in it; says what to do with that.
    """
    return report_of(read_file(path), path)


def report_of(found: ActivityReport | Comparison | History, path: Path) -> ActivityReport:
    """What was read, if it is a report; raises as `read_report` does."""
    if isinstance(found, History):
        raise ReportFileError(
            f"{path} is the history of a training, of {len(found)} reports: see neuroact plot and "
            "neuroact compare"
        )
    if isinstance(found, Comparison):
        raise ReportFileError(
            f"{path} is a comparison of {len(found.reports)} reports: see neuroact show, "
            "neuroact html and neuroact plot"
        )
    return found


def _from_document(document: Any) -> ActivityReport | Comparison | History:
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != "neuroact.report":
        _tell_neurobenchs_results(document)
    return READ.get(str(schema), ActivityReport).from_dict(document)


def _tell_neurobenchs_results(document: Any) -> None:
    """Say whose file it is, and how a report is made of it, where a NeuroBench run wrote it."""
    parts = document.values() if isinstance(document, dict) else ()
    for part in (document, *parts):
        layers = part.values() if isinstance(part, dict) else ()
        if any(isinstance(layer, dict) and "timesteps" in layer for layer in layers):
            raise ReportFileError(
                "it holds the results of a NeuroBench run: "
                "neuroact_adapters.neurobench.report(path) makes a report of it in Python, whose "
                "to_json writes what is read here"
            )

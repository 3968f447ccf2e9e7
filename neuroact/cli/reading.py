"""Read the file of a command: a report, a recording, a comparison, or a history."""

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
"""Classes of JSON documents by the schema that they name. All others are read as a report."""


def read_file(path: Path) -> ActivityReport | Comparison | History:
    """Read a file. Its content, and not its name, decides what it is. A recording gives its report.

    Raises:
        ReportFileError: it is none of these, or damaged.
        RecordingFileError: it begins like a recording, but is damaged or not neuroact's.
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
        # The report shows what these warnings say.
        warnings.simplefilter("ignore", NeuroactWarning)
        return Recording.load(path).report()


def read_report(path: Path) -> ActivityReport:
    """Read a report from a file. It also raises the errors of `read_file`.

    Raises:
        ReportFileError: it holds a history or a comparison. The message says what to do with it.
    """
    return as_report(read_file(path), path)


def as_report(found: ActivityReport | Comparison | History, path: Path) -> ActivityReport:
    """What was read, if it is a report; else raise the error of `read_report`."""
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
        _refuse_neurobenchs_results(document)
    return READ.get(str(schema), ActivityReport).from_dict(document)


def _refuse_neurobenchs_results(document: Any) -> None:
    """Refuse the results of a NeuroBench run, and say how to make a report of them."""
    parts = document.values() if isinstance(document, dict) else ()
    for part in (document, *parts):
        layers = part.values() if isinstance(part, dict) else ()
        if any(isinstance(layer, dict) and "timesteps" in layer for layer in layers):
            raise ReportFileError(
                "it holds the results of a NeuroBench run. In Python, make a report of it and "
                "write that as JSON: neuroact_adapters.neurobench.report(path).to_json(new_path)"
            )

"""What a command reads: a report's JSON, a recording's file, or a history of reports."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from neuroact.errors import NeuroactWarning, ReportFileError
from neuroact.report.activity_report import ActivityReport
from neuroact.report.history import SCHEMA, History


def read_report(path: Path) -> ActivityReport:
    """The report in a file of either kind, told by what it begins with and not by its name.

    Raises:
        ReportFileError: it is no report's JSON, and does not begin like a recording's file.
        RecordingFileError: it begins like a recording's file, and is damaged or foreign.
        NothingRecordedError: it is a recording whose layers were never called.
        OSError: it cannot be read.
    """
    from neuroact.files.tensor_file import PREFIX, may_begin
    from neuroact.recording.recording import Recording

    with path.open("rb") as file:
        prefix = file.read(PREFIX)
    if not may_begin(prefix):
        return _read_json(path)
    with warnings.catch_warnings():
        # The report says itself what they warn of.
        warnings.simplefilter("ignore", NeuroactWarning)
        return Recording.load(path).report()


def read_history(path: Path) -> History | None:
    """The history in a file; None where the file is of another kind, or none at all.

    Raises:
        ReportFileError: it is a history, and damaged.
        OSError: it cannot be read.
    """
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        return None
    try:
        return History.from_dict(document)
    except ReportFileError as cause:
        raise ReportFileError(f"{path}: {cause}") from cause


def _read_json(path: Path) -> ActivityReport:
    try:
        return ActivityReport.from_json(path)
    except ReportFileError:
        if (history := read_history(path)) is None:
            _tell_neurobenchs_results(path)
            raise
    raise ReportFileError(
        f"{path} is the history of a training, of {len(history)} reports: see neuroact plot and "
        "neuroact compare"
    )


def _tell_neurobenchs_results(path: Path) -> None:
    """Say whose file it is, and how a report is made of it, where a NeuroBench run wrote it."""
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    parts = document.values() if isinstance(document, dict) else ()
    for part in (document, *parts):
        layers = part.values() if isinstance(part, dict) else ()
        if any(isinstance(layer, dict) and "timesteps" in layer for layer in layers):
            raise ReportFileError(
                f"{path} holds the results of a NeuroBench run: "
                "neuroact_adapters.neurobench.report(path) makes a report of it in Python, whose "
                "to_json writes what is read here"
            )

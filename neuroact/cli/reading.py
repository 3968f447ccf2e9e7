"""What a command reads a report from: a report's JSON, or a recording's file."""

from __future__ import annotations

import warnings
from pathlib import Path

from neuroact.errors import NeuroactWarning
from neuroact.report import ActivityReport


def read_report(path: Path) -> ActivityReport:
    """The report in a file of either kind, told by what it begins with and not by its name.

    Raises:
        ReportFileError: it is no report's JSON, and does not begin like a recording's file.
        RecordingFileError: it begins like a recording's file, and is damaged or foreign.
        NothingRecordedError: it is a recording whose layers were never called.
        OSError: it cannot be read.
    """
    from neuroact.recorder import Recording
    from neuroact.tensor_file import PREFIX, may_begin

    with path.open("rb") as file:
        prefix = file.read(PREFIX)
    if not may_begin(prefix):
        return ActivityReport.from_json(path)
    with warnings.catch_warnings():
        # The report says itself what they warn of.
        warnings.simplefilter("ignore", NeuroactWarning)
        return Recording.load(path).report()

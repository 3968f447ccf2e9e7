"""Read the file of a command: a report, a recording, a comparison, or a history."""

from __future__ import annotations

import warnings
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from neuroact.errors import NeuroactError, NeuroactWarning, RecordingFileError, ReportFileError

if TYPE_CHECKING:
    from neuroact.recording.recording import Recording
    from neuroact.report.activity_report import ActivityReport
    from neuroact.report.comparison import Comparison
    from neuroact.report.history import History

    Found: TypeAlias = ActivityReport | Comparison | History

RESULT_FILES = "neuroact.result_files"
"""Group of entry points: functions that make a report of a path if it is another tool's results;
else they return None."""

_EXPECTED = (
    "expected a recording, or the JSON of a report, a comparison, a training's history, or the "
    "results of a NeuroBench run with neuroact's AverageActivityMetric"
)


def read_file(path: Path) -> Found:
    """Read a file. Its content, and not its name, decides what it is. A recording gives its report.

    Raises:
        ReportFileError: it is none of these, or damaged.
        RecordingFileError: it begins like a recording, but is damaged or not neuroact's.
        NothingRecordedError: it is a recording whose layers were never called.
        OSError: it cannot be read.
    """
    from neuroact.files.json_document import read
    from neuroact.recording.recording import Recording

    with warnings.catch_warnings():
        # The report shows what these warnings say.
        warnings.simplefilter("ignore", NeuroactWarning)
        if _begins_like_recording(path):
            return Recording.load(path).report()
        with path.open("rb") as file:
            begins = file.read(64).removeprefix(BOM_UTF8).lstrip()
        if begins and not begins.startswith(b"{"):
            raise ReportFileError(f"{path} is neither JSON nor a recording: {_EXPECTED}")
        try:
            return read(path, _from_document)
        except ReportFileError:
            found = _of_another_tool(path)
            if found is None:
                raise
            return found


def read_report(path: Path) -> ActivityReport:
    """Read a report from a file. It also raises the errors of `read_file`.

    Raises:
        ReportFileError: it holds a history or a comparison. The message says what to do with it.
    """
    return as_report(read_file(path), path)


def as_report(found: Found, path: Path) -> ActivityReport:
    """What was read, if it is a report; else raise the error of `read_report`."""
    from neuroact.report.activity_report import ActivityReport
    from neuroact.report.comparison import Comparison

    if isinstance(found, ActivityReport):
        return found
    also = "" if isinstance(found, Comparison) else ", neuroact compare"
    raise ReportFileError(
        f"{path} is {_described(found)}, not a report: see neuroact show, neuroact html{also} "
        "and neuroact plot"
    )


def read_recording(path: Path) -> Recording:
    """Read a recording from a file.

    Raises:
        RecordingFileError: it is another file, which the message names, or damaged.
        OSError: it cannot be read.
    """
    from neuroact.recording.recording import Recording

    if _begins_like_recording(path):
        return Recording.load(path)
    try:
        what = _described(read_file(path))
    except NeuroactError:
        what = "another file"
    raise RecordingFileError(
        f"{path} is {what}, not a recording. neuroact run writes a recording if its --out ends in "
        ".nact; in Python, Recording.save does"
    )


def _begins_like_recording(path: Path) -> bool:
    from neuroact.files.tensor_file import PREFIX, may_begin

    with path.open("rb") as file:
        return may_begin(file.read(PREFIX))


def _described(found: Found) -> str:
    from neuroact.report.comparison import Comparison
    from neuroact.report.history import History

    if isinstance(found, Comparison):
        return f"a comparison of {len(found.reports)} reports"
    if isinstance(found, History):
        return f"the history of a training, of {len(found)} report{'s' * (len(found) != 1)}"
    return "a report"


def _from_document(document: Any) -> Found:
    from neuroact.report.activity_report import ActivityReport
    from neuroact.report.comparison import Comparison
    from neuroact.report.history import History

    readers: dict[str, Callable[[Any], Found]] = {
        "neuroact.report": ActivityReport.from_dict,
        "neuroact.comparison": Comparison.from_dict,
        "neuroact.history": History.from_dict,
    }
    read = readers.get(str(document.get("schema")))
    if read is not None:
        return read(document)
    raise ReportFileError(f"it is JSON of something else: {_EXPECTED}")


def _of_another_tool(path: Path) -> ActivityReport | None:
    from importlib.metadata import entry_points

    for point in entry_points(group=RESULT_FILES):
        found: ActivityReport | None = point.load()(path)
        if found is not None:
            return found
    return None

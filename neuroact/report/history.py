"""Reports of one model over time: an epoch after another."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from neuroact.errors import ReportFileError
from neuroact.report.activity_report import ActivityReport

SCHEMA = "neuroact.history"
SCHEMA_VERSION = 1

Label = int | str
Entry = tuple[Label, ActivityReport]


class History(Sequence[Entry]):
    """Labelled reports in the order in which they were made.

    Args:
        entries: pairs of a label and a report; whole numbers are epochs.

    >>> from neuroact import Recording
    >>> from neuroact.report.history import History
    >>> history = History()
    >>> for epoch in range(2):
    ...     recording = Recording()
    ...     recording.observe("lif", [[[0, epoch]]])
    ...     history.append(epoch, recording.report())
    >>> [(label, report["lif"].mean) for label, report in history]
    [(0, 0.0), (1, 0.5)]
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = list(entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...

    def __getitem__(self, index: int | slice) -> Entry | History:
        return History(self._entries[index]) if isinstance(index, slice) else self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __eq__(self, other: object) -> bool:
        return self._entries == other._entries if isinstance(other, History) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"<neuroact History of {len(self)} reports>"

    def append(self, label: Label, report: ActivityReport) -> None:
        """Add the next report; labels may repeat."""
        self._entries.append((label, report))

    def to_dict(self) -> dict[str, Any]:
        """The history as plain JSON values; `from_dict` reads it back, to the bit."""
        reports = [{"label": label, "report": report.to_dict()} for label, report in self]
        return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "reports": reports}

    @classmethod
    def from_dict(cls, document: Any) -> History:
        """The history that `to_dict` described.

        Raises:
            ReportFileError: the mapping is damaged, foreign, or of a newer schema; says which of
                its reports is at fault.
        """
        if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
            raise ReportFileError(f'expected a document with "schema": "{SCHEMA}"; this is none')
        version = document.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ReportFileError(
                f"the history has schema version {version!r}, this neuroact reads up to "
                f"{SCHEMA_VERSION}: update neuroact"
            )
        entries = document.get("reports")
        if not isinstance(entries, list):
            raise ReportFileError("the history is damaged: it has no list of reports")
        return cls(_entry(number, entry) for number, entry in enumerate(entries))

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The history as JSON text; also written to `path`, whole or not at all, where given."""
        from neuroact.atomic_file import write_text

        text = json.dumps(self.to_dict(), allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> History:
        """The history in a file, or in a text that begins with `{`.

        Raises:
            ReportFileError: it is damaged, foreign, or of a newer schema.
        """
        if isinstance(source, str) and source.lstrip().startswith("{"):
            return _parsed(source, "the text")
        return _parsed(Path(source).read_bytes(), str(source))


def _entry(number: int, entry: Any) -> Entry:
    if not isinstance(entry, Mapping) or type(entry.get("label")) not in (int, str):
        raise ReportFileError(f"the history is damaged: its report {number} has no label")
    try:
        return entry["label"], ActivityReport.from_dict(entry.get("report", {}))
    except ReportFileError as cause:
        raise ReportFileError(f"report {number} of the history: {cause}") from cause


def _parsed(text: str | bytes, source: str) -> History:
    try:
        return History.from_dict(json.loads(text))
    except ReportFileError as cause:
        raise ReportFileError(f"{source}: {cause}") from cause
    except (ValueError, RecursionError) as cause:
        raise ReportFileError(f"{source}: not JSON, or cut short: {cause}") from cause

"""Reports of one model over time, such as one after each epoch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, overload

from neuroact.report.activity_report import ActivityReport

Label = int | str
Entry = tuple[Label, ActivityReport]


class History(Sequence[Entry]):
    """Labelled reports, in the order in which they were made.

    Args:
        entries: pairs of a label and a report. Labels that are whole numbers are epochs.

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
        """Add the next report. Labels may repeat."""
        self._entries.append((label, report))

    def to_dict(self) -> dict[str, Any]:
        """The history as plain JSON values. `from_dict` reads it back to the bit."""
        from neuroact.files.labelled_reports import history_document

        return history_document(self)

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read back what `to_dict` gave.

        Raises:
            ReportFileError: the mapping is damaged, not a history, or of a newer schema version.
                The message says which report is damaged.
        """
        from neuroact.files.labelled_reports import history_from

        return cls((label, ActivityReport.of(layers)) for label, layers in history_from(document))

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The history as JSON text. With a `path`, also write it there, whole or not at all."""
        from neuroact.files.report_document import write

        return write(self.to_dict(), path)

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Self:
        """Read a history from a JSON file, or from a JSON text that begins with `{`.

        Raises:
            ReportFileError: it is damaged, not a history, or of a newer schema version.
        """
        from neuroact.files.json_document import read

        return read(source, cls.from_dict)

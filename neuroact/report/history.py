"""Reports of one model over time, such as one after each epoch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

from neuroact.card import Answers, Card, Carded, card_of, several, some
from neuroact.report.activity_report import ActivityReport
from neuroact.results.history import Course, Entry, Label, Steps, courses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Course", "History", "Label", "Steps"]


class History(Carded, Sequence[tuple[Label, ActivityReport]]):
    """Labelled reports, in the order in which they were made. It answers "when did it die?".

    `print(history)` gives a table by epoch, and `diagnose` says when each layer died, came back or
    saturated. `plot`, `to_frame` and `to_html` show the same as a picture, a data frame and a page.

    Args:
        entries: pairs of a label and a report. Labels that are whole numbers are epochs.

    >>> from neuroact import Recording
    >>> from neuroact.report.history import History
    >>> history = History()
    >>> for epoch in range(3):
    ...     recording = Recording()
    ...     recording.observe("lif", [[[0, epoch < 2]]])
    ...     history.append(epoch, recording.report())
    >>> [(label, report["lif"].mean) for label, report in history]
    [(0, 0.5), (1, 0.5), (2, 0.0)]
    >>> history
    History: 3 reports, epoch 0 to epoch 2
      layers      lif
      at the end  silent: lif
      more        print(history), history[-1], .diagnose(), .plot(), .to_frame(), .to_html()
    """

    def __init__(self, entries: Iterable[tuple[Label, ActivityReport]] = ()) -> None:
        self._entries = [Entry(label, report) for label, report in entries]

    @classmethod
    def _of(cls, entries: Iterable[Entry[ActivityReport]]) -> Self:
        history = cls()
        history._entries = list(entries)
        return history

    @overload
    def __getitem__(self, index: int) -> tuple[Label, ActivityReport]: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...

    def __getitem__(self, index: int | slice) -> tuple[Label, ActivityReport] | History:
        if isinstance(index, slice):
            return History._of(self._entries[index])
        entry = self._entries[index]
        return entry.label, entry.layers

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[Label, ActivityReport]]:
        return ((entry.label, entry.layers) for entry in self._entries)

    def __eq__(self, other: object) -> bool:
        return self._entries == other._entries if isinstance(other, History) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __str__(self) -> str:
        from neuroact.table.history import history_text

        return history_text(self._entries)

    def _repr_html_(self) -> str:
        from neuroact.table.history import history_html

        return history_html(self._entries)

    @property
    def entries(self) -> tuple[Entry[ActivityReport], ...]:
        """The reports with their labels, training steps and verdicts."""
        return tuple(self._entries)

    @property
    def steps(self) -> tuple[Steps | None, ...]:
        """For each report the training steps that it is of; None where they are not known."""
        return tuple(entry.steps for entry in self._entries)

    def append(self, label: Label, report: ActivityReport, *, steps: Steps | None = None) -> None:
        """Add the next report. Labels may repeat.

        Args:
            label: the epoch's number, or a text.
            report: the report.
            steps: the training steps that it is of, if they are known.
        """
        self._entries.append(Entry(label, report, steps))

    def diagnose(self, **thresholds: float) -> Answers[Course]:
        """When did layers die, come back, or saturate? Each answer prints as a sentence.

        A layer has a verdict from the first report that has it until the next report that has not.
        For silence the training step is known too, in histories of a training: a `TrainingMonitor`
        notes when each layer fired last.

        Args:
            thresholds: as in `ActivityReport.diagnose`.

        Returns:
            An answer for each verdict and the layers that had it at the same times, in the order in
            which it began; empty if no report has a verdict.

        Raises:
            TypeError: there is no threshold of that name.
            ValueError: a threshold is out of its range.

        >>> from neuroact import History, Recording
        >>> history = History()
        >>> for epoch, spike in enumerate([1, 0, 0, 1]):
        ...     recording = Recording()
        ...     recording.observe("lif", [[[spike]], [[0]]])
        ...     history.append(epoch, recording.report())
        >>> print(*history[:3].diagnose())
        lif went silent in epoch 1
        >>> print(*history.diagnose())
        lif went silent in epoch 1 and came back in epoch 3
        """
        return Answers(courses(self._entries, thresholds), "no report has a verdict")

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        metric: str = "mean",
        layer: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a row for each layer, a column for each report, and a metric as colour.

        It needs the extra `plots`. A line through a row shows where the layer was silent. See
        `neuroact.plots.history_plot`.

        Args:
            path: image file to write, in the format of its ending; None to write none.
            metric: one of `neuroact.plots.HISTORY_METRICS`, such as "mean" or "dead".
            layer: name of the only layer to show.
            ax: axes to draw into; None makes a figure of its own.

        Returns:
            The axes drawn into. Nothing is shown on a screen.

        Raises:
            ValueError: the history is empty, or there is no such metric or format.
            UnknownLayerError: a report has no such layer.
            MissingExtraError: matplotlib is not installed.
        """
        from neuroact.plots import history_plot, save_figure

        pairs = list(self)
        if layer is not None:
            pairs = [(label, ActivityReport([report[layer]])) for label, report in pairs]
        axes = history_plot(pairs, metric, ax=ax)
        if path is not None:
            save_figure(axes, path)
        return axes

    def to_frame(self) -> Any:
        """A data frame with a row for each report and layer.

        It is a pandas data frame, or a polars one without pandas. Its columns:

        - `label`, the report's label;
        - `first_step` and `last_step`, the recorded training steps; empty if they are not known;
        - `verdicts`, the layer's verdicts in that report, such as "dead, saturated";
        - the columns of `ActivityReport.to_frame`.

        Raises:
            MissingExtraError: neither pandas nor polars is installed.
        """
        from neuroact.files.columns import data_frame, history_columns

        return data_frame(history_columns(self._entries), purpose="History.to_frame()")

    def to_html(
        self, path: str | os.PathLike[str] | None = None, *, title: str | None = None
    ) -> str:
        """The history as one self-contained web page. With a `path`, also write it there.

        The page says when layers died, came back or saturated. It has a table of the layers with
        the course of each, pictures, a table of the reports, definitions, and the origin. It
        fetches nothing and needs no extra. The file is written whole or not at all.

        Args:
            path: the file to write; None to write none.
            title: the page's title. None: the model's class.

        Raises:
            ValueError: the history is empty.
        """
        from neuroact.atomic_file import write_text
        from neuroact.html import history_page

        page = history_page(self._entries, title=title)
        if path is not None:
            write_text(path, page)
        return page

    def to_dict(self) -> dict[str, Any]:
        """The history as plain JSON values. `from_dict` reads it back to the bit."""
        from neuroact.files.labelled_reports import history_document

        return history_document(self._entries)

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read back what `to_dict` gave.

        Raises:
            ReportFileError: the mapping is damaged, not a history, or of a newer schema version.
                The message says which report is damaged.
        """
        from neuroact.files.labelled_reports import history_from

        return cls._of(
            Entry(entry.label, ActivityReport.of(entry.layers), entry.steps)
            for entry in history_from(document)
        )

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


@card_of.register
def _(history: History) -> Card:
    if not history:
        return Card("History: no reports", {"more": ".append(label, report) adds one"})
    first, last = history.entries[0], history.entries[-1]
    about = first.name if len(history) == 1 else f"{first.name} to {last.name}"
    sick = (f"{kind}: {some(names, most=3)}" for kind, names in last.sick.items())
    return Card(
        f"History: {several(len(history), 'report')}, {about}",
        {
            "layers": some(last.layers),
            "at the end": "; ".join(sick) or "no verdict",
            "more": "print(history), history[-1], .diagnose(), .plot(), .to_frame(), .to_html()",
        },
    )

"""A history as a table: a row for each report, and below it what happened to the layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from neuroact.card import listed, several
from neuroact.printable import printable
from neuroact.results.history import Entry, courses
from neuroact.results.layers import Layers
from neuroact.results.verdict_words import called
from neuroact.table.columns import TableColumn
from neuroact.table.layout import ShownTable, print_rendered
from neuroact.table.legend import IN_PYTHON, Hints
from neuroact.table.notebook import html_table
from neuroact.table.text import number_text, part_text, share_text
from neuroact.table.totals import Totals

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

Entries = Sequence[Entry[Layers]]

MOST_REPORTS = 20
"""A table of more reports shows that many of them, from the first to the last."""
_MOST_LAYERS = 6  # with a column of their own
_MOST_SENTENCES = 12
_MOST_MARKS = 2  # verdicts by name in one cell; more are counted
_MEANINGS = {
    "dead": "neurons that never fired in the recorded steps, in all layers",
    "saturated": "neurons that fired at every recorded step",
    "sparsity": "share of values that are 0",
}
_BY_LAYER = "mean activity of the layer's neurons; if binary, spikes per neuron and time step"


def history_text(entries: Entries, width: int | None = None) -> str:
    """The table and its notes as plain text; `width` is as in `table_text`."""
    return HistoryTable(entries).text(width)


def print_history(entries: Entries, hints: Hints = IN_PYTHON) -> None:
    """Print the table to standard output, in colour if that is a terminal."""
    print_rendered(HistoryTable(entries, hints=hints))


def history_html(entries: Entries) -> str:
    """The table for a notebook: the same texts, all escaped."""
    table = HistoryTable(entries)
    lines = listed(text for text, _ in table.happened)
    caption = several(len(entries), "report")
    return html_table(table.columns, table.notes, caption) + (f"<ul>{lines}</ul>" if lines else "")


class HistoryTable(ShownTable):
    """A table that rich can print, laid out for the width of its console.

    A row is a report: who is dead or saturated in it, and the mean activity of each layer where
    there are few of them. Of many reports it shows some at equal distances.

    Args:
        entries: the reports, in order.
        most: the number of rows.
        hints: how more is asked for.

    Attributes:
        happened: what happened to the layers, as sentences; and whether it still holds at the end.
    """

    def __init__(
        self, entries: Entries, most: int = MOST_REPORTS, hints: Hints = IN_PYTHON
    ) -> None:
        shown = _spaced(entries, most)
        names = list(dict.fromkeys(name for entry in entries for name in entry.layers))
        few = len(names) <= _MOST_LAYERS
        notes: dict[str, str] = {}
        found = courses(entries)
        self.happened = [(course.text, course.now) for course in found[:_MOST_SENTENCES]]
        if more := len(found) - len(self.happened):
            self.happened.append((f"and {more} more: {hints.happened}", False))
        if len(shown) < len(entries):
            notes["rows"] = f"{len(shown)} of {len(entries)} reports; all: {hints.by_layer}"
        notes |= _MEANINGS
        if names:
            more_layers = f"each layer by report: {hints.by_layer}"
            term = "layers" if few else f"{len(names)} layers"
            notes[term] = _BY_LAYER if few else more_layers
        super().__init__(list(_columns(shown, names if few else [])), notes)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        from rich.text import Text

        *tables, notes = super().__rich_console__(console, options)
        yield from tables
        for text, now in self.happened:
            yield Text(text, "bold red" if now else "")
        yield from [""] if self.happened else []
        yield notes


def _spaced(entries: Entries, most: int) -> list[Entry[Layers]]:
    """At most so many reports at equal distances, the first and the last among them."""
    last = min(len(entries), most) - 1
    return [entries[round(at * (len(entries) - 1) / max(last, 1))] for at in range(last + 1)]


def _columns(entries: Entries, names: Sequence[str]) -> Iterator[TableColumn]:
    def column(
        head: str, text: Callable[[Entry[Layers]], str], *, left: bool = False, apart: bool = False
    ) -> TableColumn:
        return TableColumn(head, tuple(map(text, entries)), left=left, apart=apart)

    def total(head: str, text: Callable[[Totals], str]) -> TableColumn:
        return column(head, lambda entry: text(Totals.of(list(entry.layers.values()))))

    def mean(name: str) -> TableColumn:
        def text(entry: Entry[Layers]) -> str:
            return number_text(entry.layers[name].mean) if name in entry.layers else "-"

        return column(printable(name), text, apart=True)

    epochs = all(isinstance(entry.label, int) for entry in entries)
    head = "epoch" if epochs else "report"
    yield column(head, lambda entry: printable(str(entry.label)), left=True)
    if any(entry.steps for entry in entries):
        yield column("steps", _steps, left=True)
    if any(entry.verdicts for entry in entries):
        yield column("verdict", _marks, left=True)
    yield total("dead", lambda totals: part_text(totals.part("dead")))
    yield total("saturated", lambda totals: part_text(totals.part("saturated")))
    yield total("sparsity", lambda totals: share_text(totals.sparsity))
    yield from map(mean, names)


def _steps(entry: Entry[Layers]) -> str:
    return "-" if entry.steps is None else f"{entry.steps.first}-{entry.steps.last}"


def _marks(entry: Entry[Layers]) -> str:
    """The verdicts, as `lif2 silent`; if there are many, as `12 layers silent`."""
    pairs = [(called(name), kind) for kind, names in entry.sick.items() for name in names]
    if len(pairs) > _MOST_MARKS:
        counts = {kind: len(names) for kind, names in entry.sick.items()}
        pairs = [(f"{n} layer{'' if n == 1 else 's'}", kind) for kind, n in counts.items()]
    return ", ".join(f"{what} {kind.replace('_', ' ')}" for what, kind in pairs) or "-"

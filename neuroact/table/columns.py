"""The columns of a report's table, as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from neuroact.printable import printable
from neuroact.results.diagnosis import Verdict
from neuroact.results.layer_activity import SPREAD, LayerActivity
from neuroact.stream.chunk import SignalKind
from neuroact.table.legend import COUNTS, same_in_all
from neuroact.table.rows import TableRow
from neuroact.table.text import (
    PLAIN_BLOCKS,
    histogram_text,
    number_text,
    part_text,
    share_text,
)
from neuroact.table.totals import Totals

_STYLES = {"dead": "yellow", "saturated": "magenta", "verdict": "bold red"}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table of text.

    Attributes:
        head: the title.
        cells: a text for each row.
        total: the text in the last row, `total`; may be empty.
        left: whether texts are aligned left and not right.
        apart: whether it goes into a table below, with others that do, where not all columns fit
            beside each other.
    """

    head: str
    cells: tuple[str, ...]
    total: str = ""
    left: bool = False
    apart: bool = False

    @property
    def width(self) -> int:
        """Cells of a terminal that the widest text takes."""
        from rich.cells import cell_len

        return max(cell_len(text) for text in (self.head, *self.cells, self.total))

    def style(self, cell: str) -> str:
        """The colour of a cell. Only alarms have one."""
        # Empty, 0, unknown ("-"), or fewer than in the first report: no alarm.
        return "" if cell in ("0", "") or cell.startswith("-") else _STYLES.get(self.head, "")


def table_columns(
    layers: Sequence[LayerActivity],
    rows: Sequence[TableRow],
    verdicts: Sequence[Verdict],
    blocks: str = PLAIN_BLOCKS,
) -> list[TableColumn]:
    """The columns of the table, names first.

    Some are there only if they say something: verdicts if there are any, kinds unless all layers
    are binary, sequences and steps if layers differ in them, and rates in Hz if a layer has a `dt`.
    """
    totals = Totals.of(layers)

    def column(
        head: str, text: Callable[[TableRow], str], total: str = "", **more: bool
    ) -> TableColumn:
        return TableColumn(head, tuple(map(text, rows)), total, **more)

    def metric(name: str) -> TableColumn:
        return column(name, lambda row: number_text(row.metric(name)), apart=True)

    return [
        column("layer", lambda row: printable(row.name), "total", left=True),
        *_verdicts(verdicts, rows),
        *(
            []
            if all(layer.kind is SignalKind.BINARY for layer in layers)
            else [column("kind", lambda row: row.kind, left=True)]
        ),
        column("shape", lambda row: row.shape, left=True),
        column("neurons", _neurons, f"{totals.neurons:,}"),
        *(
            column(head, _summed(attribute))
            for head, attribute in COUNTS.items()
            if same_in_all(layers, attribute) is None
        ),
        *([column("Hz", _rate)] if any(layer.dt is not None for layer in layers) else []),
        *map(metric, SPREAD),
        column(
            "histogram",
            lambda row: histogram_text(*row.activity_distribution, blocks),
            apart=True,
        ),
        column("sparsity", _sparsity, share_text(totals.sparsity)),
        _parts("dead", rows, totals),
        _parts("saturated", rows, totals),
    ]


def _parts(head: str, rows: Sequence[TableRow], totals: Totals) -> TableColumn:
    """Counts of neurons with their shares, the counts below each other."""
    parts = [row.totals.part(head) if row.has_figures else None for row in rows]
    pairs = [part_text(part).partition(" ") for part in (*parts, totals.part(head))]
    widest = max(len(share) for *_, share in pairs)
    *cells, last = (f"{count} {share:>{widest}}" if share else count for count, _, share in pairs)
    return TableColumn(head, tuple(cells), last)


def _verdicts(verdicts: Sequence[Verdict], rows: Sequence[TableRow]) -> list[TableColumn]:
    found: dict[str, list[str]] = {}
    for verdict in verdicts:
        for name in verdict.layers:
            found.setdefault(name, []).append(verdict.name)
    if not found:
        return []
    cells = []
    for row in rows:
        names = [name for layer in row.layers for name in found.get(layer.name, ())]
        text = ", ".join(_tallied(names)) if len(row.layers) > 1 else "+".join(names)
        cells.append(text or "-")
    return [TableColumn("verdict", tuple(cells), left=True)]


def _tallied(names: Iterable[str]) -> list[str]:
    found = list(names)
    return [f"{found.count(name)} {name}" for name in dict.fromkeys(found)]


def _neurons(row: TableRow) -> str:
    return f"{sum(layer.neurons for layer in row.layers):,}"


def _summed(attribute: str) -> Callable[[TableRow], str]:
    def text(row: TableRow) -> str:
        values = sorted({getattr(layer, attribute) for layer in row.layers})
        return " to ".join(f"{value:,}" for value in dict.fromkeys((values[0], values[-1])))

    return text


def _rate(row: TableRow) -> str:
    steps = {layer.dt for layer in row.layers}
    step = steps.pop() if len(steps) == 1 else None
    spikes = all(layer.kind is not SignalKind.ANALOG for layer in row.layers)
    return "-" if step is None or not spikes else f"{row.metric('mean') / step:.4g}"


def _sparsity(row: TableRow) -> str:
    if not row.has_figures:
        return number_text(math.nan)
    return share_text(row.totals.sparsity)

"""The page of a history: what happened to the layers, and the course of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from neuroact.errors import MissingExtraError
from neuroact.html.drawings import quantity
from neuroact.html.operations import PlainTable
from neuroact.html.page import facts_of, rendered
from neuroact.html.pictures import Picture, inlined
from neuroact.html.rows import Cell, Mark, PageColumn, marks_of
from neuroact.printable import printable
from neuroact.results.definitions import definition
from neuroact.results.history import Entry, courses
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.layers import Layers
from neuroact.table.history import HistoryTable
from neuroact.table.text import number_text, shape_text

_WIDTH, _HEIGHT, _MARGIN = 120, 24, 3  # of a drawn course
_PLOTS = {
    "mean": "Mean activity of each layer, report by report",
    "dead": "Dead neurons of each layer, report by report",
}
_ENDS = ("mean", "dead_share")
_TITLES = {
    "name": ("layer", ""),
    "verdict": ("at the end", "What is wrong with the layer in the last report, if anything."),
    "course": (
        "mean activity",
        "Its mean activity from the first report to the last, from 0 up to the layer's largest. "
        "At the bottom a line shows where no neuron fired.",
    ),
    "first_mean": ("mean, first", "Mean activity in the first report that has figures of it."),
    "last_mean": ("mean, last", "Mean activity in the last report that has figures of it."),
    "first_dead_share": ("dead, first", "Share of dead neurons in that first report."),
    "last_dead_share": ("dead, last", "Share of dead neurons in that last report."),
}


@dataclass(frozen=True, slots=True)
class DrawnCourse:
    """A metric over the reports as the points of lines; and where the layer was silent."""

    lines: tuple[str, ...]
    silent: tuple[tuple[float, float], ...]
    text: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A layer in the table."""

    name: str
    text: str
    marks: tuple[Mark, ...]
    course: DrawnCourse | None
    cells: Mapping[str, Cell]

    @property
    def mark(self) -> str:
        """The mark that colours the row; empty if there is none."""
        return self.marks[0].mark if self.marks else ""


def history_page(entries: Sequence[Entry[Layers]], *, title: str | None = None) -> str:
    """The history as a self-contained page of HTML, made like that of `report_page`.

    It has, in this order: when layers died, came back or saturated; a table of the layers with the
    course of each; pictures; a table of the reports; definitions; the origin of the last report.

    Raises:
        ValueError: there is no report.
    """
    if not entries:
        raise ValueError("expected at least one report, came an empty history")
    last = entries[-1]
    rows = list(_rows(entries))
    table = HistoryTable(entries, most=len(entries))
    explained = {column.head for column in table.columns} | {"layers"}
    notes = {term: text for term, text in table.notes.items() if term in explained}
    pictures, about = _pictures(entries)
    return rendered(
        "history.html.j2",
        title=printable(title or _title(last.layers)),
        facts=_facts(entries, len(rows)),
        headline=_headline(rows),
        happened=[(course.text, course.now, course.kind) for course in courses(entries)],
        rows=rows,
        columns=list(_columns()),
        pictures=pictures,
        about_pictures=about,
        reports=PlainTable.of("Report by report", table.columns, notes, prefix="report"),
        origin=facts_of(last.layers.origin),
        origin_of=last.name,
    )


def _title(report: Layers) -> str:
    model = report.origin.get("model")
    return model if isinstance(model, str) and model else "History of a training"


def _facts(entries: Sequence[Entry[Layers]], layers: int) -> list[str]:
    first, last = entries[0], entries[-1]
    told = [quantity(len(entries), "report"), f"{first.name} to {last.name}"]
    if first.steps is not None and last.steps is not None:
        told.append(f"steps {first.steps.first:,} to {last.steps.last:,}")
    return [*told, quantity(layers, "layer")]


def _headline(rows: Sequence[HistoryRow]) -> str:
    sick = sum(bool(row.marks) for row in rows)
    if not sick:
        return "No layer has a verdict at the end"
    has = "has" if sick == 1 else "have"
    return f"{sick} of {quantity(len(rows), 'layer')} {has} a verdict at the end"


def _columns() -> Iterator[PageColumn]:
    for key, (title, meaning) in _TITLES.items():
        left = key in ("name", "verdict", "course")
        yield PageColumn(key, title, meaning, "left" if left else "right", key != "course")
    yield PageColumn("neurons", "neurons", definition("neurons"))


def _rows(entries: Sequence[Entry[Layers]]) -> Iterator[HistoryRow]:
    for name in dict.fromkeys(name for entry in entries for name in entry.layers):
        layers = [entry.layers.get(name) for entry in entries]
        known = [layer for layer in layers if layer is not None and layer.problem is None]
        newest = [layer for layer in layers if layer is not None][-1]
        verdicts = [verdict for verdict in entries[-1].verdicts if name in verdict.layers]
        texts = (name, *newest.aliases, newest.layer_type, shape_text(newest.shape))
        yield HistoryRow(
            name=printable(name),
            text=" ".join(map(printable, texts)),
            marks=marks_of(newest, verdicts) if name in entries[-1].layers else (),
            course=_drawn(layers) if known else None,
            cells={**_cells(known), "neurons": Cell(str(newest.neurons), f"{newest.neurons:,}")},
        )


def _cells(known: Sequence[LayerActivity]) -> dict[str, Cell]:
    found = {}
    for end, place in (("first", 0), ("last", -1)):
        for metric in _ENDS:
            layer = known[place] if known else None
            has = layer is not None and (metric == "mean" or layer.has_meaning("dead"))
            value = getattr(layer, metric) if has else math.nan
            text = "-" if not has else number_text(value) if metric == "mean" else _percent(value)
            found[f"{end}_{metric}"] = Cell(repr(value) if has else "", text)
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%" if share else "0"


def _drawn(layers: Sequence[LayerActivity | None]) -> DrawnCourse:
    """The course of a layer's mean. Reports without figures leave a gap."""
    values = [math.nan if x is None or x.problem is not None else x.mean for x in layers]
    seen = [value for value in values if not math.isnan(value)]
    low, high = min(0.0, *seen), max(0.0, *seen)
    across = (_WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)
    up = (_HEIGHT - 2 * _MARGIN) / (high - low or 1.0)
    places = [round(_MARGIN + at * across, 1) for at in range(len(values))]
    lines: list[list[str]] = [[]]
    silent: list[tuple[float, float]] = []
    for at, value in enumerate(values):
        if math.isnan(value):
            lines.append([])
            continue
        lines[-1].append(f"{places[at]},{round(_HEIGHT - _MARGIN - (value - low) * up, 1)}")
        layer = layers[at]
        if layer is not None and layer.has_meaning("dead") and layer.dead_share == 1:
            ends = max(0.0, places[at] - across / 2), min(float(_WIDTH), places[at] + across / 2)
            silent.append((round(ends[0], 1), round(ends[1], 1)))
    text = f"from {number_text(seen[0])} to {number_text(seen[-1])}, at most {number_text(high)}"
    drawn = tuple(" ".join(line if len(line) > 1 else line * 2) for line in lines if line)
    return DrawnCourse(drawn, tuple(_joined(silent)), f"mean activity {text}")


def _joined(spans: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Spans that follow each other, as one."""
    start = stop = -1.0
    for first, last in spans:
        if first - stop > 0.2:  # more than rounding
            if stop >= 0:
                yield start, stop
            start = first
        stop = last
    if stop >= 0:
        yield start, stop


def _pictures(entries: Sequence[Entry[Layers]]) -> tuple[tuple[Picture, ...], str]:
    from neuroact.plots import history_plot

    pairs = [(entry.label, entry.layers) for entry in entries]
    try:
        return tuple(
            Picture(title, inlined(history_plot(pairs, metric), title, f"plot-{metric}"))
            for metric, title in _PLOTS.items()
        ), ""
    except MissingExtraError as missing:
        return (), f"No plots: {missing}"

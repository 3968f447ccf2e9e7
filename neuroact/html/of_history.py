"""The page of a history: what happened to the layers, and the course of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from neuroact.card import several
from neuroact.html.charts import Picture, about_chosen, chosen, heat_picture
from neuroact.html.operations import PlainTable
from neuroact.html.page import facts_of, rendered
from neuroact.html.rows import Cell, Mark, PageColumn, marks_of
from neuroact.html.svg import Scale, round_numbers
from neuroact.html.unit import Unit
from neuroact.plots.history import history_values
from neuroact.printable import printable
from neuroact.results.definitions import definition
from neuroact.results.history import Entry, courses
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.layers import Layers
from neuroact.results.verdict_kinds import KINDS, SEVERITIES
from neuroact.results.verdict_words import percent
from neuroact.table.history import HistoryTable
from neuroact.table.text import number_text, shape_text

_WIDTH, _HEIGHT, _MARGIN = 120, 24, 3  # of a drawn course
_ENDS = ("mean", "dead_share")
_TITLES = {
    "name": ("layer", ""),
    "verdict": ("at the end", "What is wrong with the layer in the last report, if anything."),
    "course": (
        "mean",
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
    unit = Unit.of(layer for entry in entries for layer in entry.layers.values())
    rows, happened = list(_rows(entries, unit)), courses(entries)
    table = HistoryTable(entries, most=len(entries))
    shown = [column for column in table.columns if not column.apart]
    heads = {column.head for column in shown}
    notes = {term: text for term, text in table.notes.items() if term in heads}
    severities = {KINDS[course.kind].severity for course in happened if course.now}
    return rendered(
        "history.html.j2",
        title=printable(_title(last.layers) if title is None else title),
        facts=_facts(entries, len(rows)),
        headline=_headline(rows),
        state=next((each for each in SEVERITIES if each in severities), "well"),
        happened=[(c.text, KINDS[c.kind].severity if c.now else "over") for c in happened],
        rows=rows,
        columns=list(_columns(unit)),
        pictures=list(_pictures(entries, unit)),
        reports=PlainTable.of("Report by report", shown, notes, prefix="report"),
        origin=facts_of(last.layers.origin),
        origin_of=last.name,
    )


def _title(report: Layers) -> str:
    model = report.origin.get("model")
    return model if isinstance(model, str) and model else "History of a training"


def _facts(entries: Sequence[Entry[Layers]], layers: int) -> list[str]:
    first, last = entries[0], entries[-1]
    told = [several(len(entries), "report"), f"{first.name} to {last.name}"]
    if first.steps is not None and last.steps is not None:
        told.append(f"steps {first.steps.first:,} to {last.steps.last:,}")
    return [*told, several(layers, "layer")]


def _headline(rows: Sequence[HistoryRow]) -> str:
    sick = sum(bool(row.marks) for row in rows)
    if not sick:
        return "No layer has a verdict at the end"
    has = "has" if sick == 1 else "have"
    return f"{sick} of {several(len(rows), 'layer')} {has} a verdict at the end"


def _columns(unit: Unit) -> Iterator[PageColumn]:
    for key, (head, meaning) in _TITLES.items():
        title = f"{head} ({unit.text})" if key == "course" else head
        left = key in ("name", "verdict", "course")
        yield PageColumn(key, title, meaning, "left" if left else "right", key != "course")
    yield PageColumn("neurons", "neurons", definition("neurons"))


def _rows(entries: Sequence[Entry[Layers]], unit: Unit) -> Iterator[HistoryRow]:
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
            course=_drawn(layers, unit) if known else None,
            cells={
                **_cells(known, unit),
                "neurons": Cell(str(newest.neurons), f"{newest.neurons:,}"),
            },
        )


def _cells(known: Sequence[LayerActivity], unit: Unit) -> dict[str, Cell]:
    found = {}
    for end, place in (("first", 0), ("last", -1)):
        for metric in _ENDS:
            layer = known[place] if known else None
            has = layer is not None and (metric == "mean" or layer.has_meaning("dead"))
            value = getattr(layer, metric) if has else math.nan
            if layer is not None and metric == "mean":
                value *= unit.factor(layer)
            text = "-" if not has else number_text(value) if metric == "mean" else percent(value)
            found[f"{end}_{metric}"] = Cell(repr(value) if has else "", text)
    return found


def _drawn(layers: Sequence[LayerActivity | None], unit: Unit) -> DrawnCourse:
    """The course of a layer's mean. Reports without figures leave a gap."""
    values = [
        math.nan if x is None or x.problem is not None else x.mean * unit.factor(x) for x in layers
    ]
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
    return DrawnCourse(drawn, tuple(_joined(silent)), f"mean activity {text} {unit.text}")


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


def _pictures(entries: Sequence[Entry[Layers]], unit: Unit) -> Iterator[Picture]:
    reports = [entry.layers for entry in entries]
    across, label = _across(entries)
    for metric, title, text in (
        ("mean", "Mean activity of each layer", unit.text),
        ("dead", "Dead neurons of each layer", "share of its neurons"),
    ):
        names, values = history_values(reports, metric, hertz=unit.hertz)
        shown = chosen(len(names), [n for n, name in enumerate(names) if _is_sick(entries, name)])
        if shown:
            picture = heat_picture(
                title, [names[at] for at in shown], values[shown], across, label, text
            )
            yield picture.noted(about_chosen(len(names)))


def _is_sick(entries: Sequence[Entry[Layers]], name: str) -> bool:
    return any(name in names for names in entries[-1].sick.values())


def _across(entries: Sequence[Entry[Layers]]) -> tuple[Scale, str]:
    """The axis of epochs, if the labels are numbers that follow each other; else of reports."""
    labels, number = [entry.label for entry in entries], len(entries)
    epochs = isinstance(labels[0], int) and labels == list(range(labels[0], labels[0] + number))
    first = labels[0] if epochs and isinstance(labels[0], int) else 1
    low, high = first - 0.5, first + number - 0.5
    whole = tuple(dict.fromkeys(float(round(tick)) for tick in round_numbers(low, high)))
    ticks = tuple(tick for tick in whole if low < tick < high)
    return Scale(low, high, 0.0, 1.0, ticks), "epoch" if epochs else "report"

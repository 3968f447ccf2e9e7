"""What a page shows of one layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroact.html.charts import Picture
from neuroact.html.drawings import STRIP, Histogram, Shares, Strip
from neuroact.html.results import Fact, ResultBlock, Term, result_blocks, words
from neuroact.html.unit import Unit
from neuroact.printable import printable
from neuroact.results.definitions import definition
from neuroact.results.diagnosis import Verdict
from neuroact.results.layer_activity import SPREAD, LayerActivity
from neuroact.results.verdict_words import percent
from neuroact.stream.chunk import SignalKind
from neuroact.table.text import shape_text

_MOST_PLACES = 12  # of dead or saturated neurons in a list
_COUNTS = ("neurons", "dead", "saturated", "sequences", "observations")
_TITLES = {"name": "layer", "shares": "who fires", "strip": "activity", "observations": "steps"}
_IN_TABLE = ("neurons", "dead", "saturated", "sparsity", "mean", "median")
_OF_ACTIVITY = (*SPREAD, "sparsity")
_MEANINGS = {
    "verdict": "What is wrong with the layer, if anything.",
    "shares": "Shares of the neurons that fired at no step, at some steps, and at every step.",
    "strip": "Activity over the layer's neurons: smallest, quartiles, median and largest.",
}


@dataclass(frozen=True, slots=True)
class PageColumn:
    """A column of a table of layers."""

    key: str
    title: str
    meaning: str = ""
    side: str = "right"
    sorts: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    """A number in a table: the value to sort by, and the text to show."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A verdict in a few characters, and the class of its colour: its severity."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class PageRow:
    """A layer in the table, and its details."""

    name: str
    target: str
    text: str
    about: str
    marks: tuple[Mark, ...]
    shares: Shares | None
    strip: Strip | None
    histogram: Histogram | None
    cells: Mapping[str, Cell]
    facts: tuple[Fact, ...]
    results: tuple[ResultBlock, ...]
    terms: tuple[Term, ...]
    pictures: tuple[Picture, ...]

    @property
    def mark(self) -> str:
        """The mark that colours the row; empty if there is none."""
        return self.marks[0].mark if self.marks else ""


def columns(
    rows: Sequence[PageRow], layers: Sequence[LayerActivity], unit: Unit
) -> list[PageColumn]:
    """The table's columns. First come those that show whether a layer is sick."""
    verdict = ("verdict",) if any(row.marks for row in rows) else ()
    kind = () if all(layer.kind is SignalKind.BINARY for layer in layers) else ("kind",)
    shares = () if all(layer.kind is SignalKind.ANALOG for layer in layers) else ("shares",)
    left = ("name", *verdict, *shares, "strip", *kind)
    return [
        *(_column(key, "left", unit, sorts=key != "strip") for key in left),
        *(
            _column(key, "right", unit)
            for key in _IN_TABLE
            if not layers or any(layer.has_meaning(key) for layer in layers)
        ),
    ]


def _column(key: str, side: str, unit: Unit, *, sorts: bool = True) -> PageColumn:
    meaning = _MEANINGS.get(key) or definition(key)
    if key in SPREAD:
        meaning = f"{meaning} In {unit.text}."
    return PageColumn(key, _TITLES.get(key) or words(key), meaning, side, sorts)


def row_of(
    layer: LayerActivity,
    at: int,
    verdicts: Iterable[Verdict],
    scales: Mapping[SignalKind, tuple[float, float]],
    unit: Unit,
    pictures: Iterable[Picture] = (),
) -> PageRow:
    """The row of the report's layer number `at`, with activity in a unit."""
    measured = layer.problem is None
    cells = _cells(layer, unit)
    kind = f"{layer.framework} {layer.layer_type}"
    shape = shape_text(layer.shape)
    about = f"{printable(kind)}, {layer.kind.value}, {shape}"
    return PageRow(
        name=printable(layer.name),
        target=f"layer-{at}",
        text=" ".join(map(printable, (layer.name, *layer.aliases, kind, shape, layer.kind.value))),
        about=about,
        marks=marks_of(layer, verdicts),
        shares=Shares.of(layer),
        strip=_strip(cells, scales[layer.kind]) if measured else None,
        histogram=Histogram.of(layer, unit) if measured else None,
        cells=cells,
        facts=_facts(layer, cells),
        results=(blocks := result_blocks(layer.results, layer.dt)),
        terms=tuple(term for block in blocks for term in block.terms),
        pictures=tuple(pictures),
    )


def marks_of(layer: LayerActivity, verdicts: Iterable[Verdict]) -> tuple[Mark, ...]:
    """The layer's verdicts, or the mark that it has no figures."""
    found = [
        Mark(verdict.severity, f"{verdict.name.replace('_', ' ')} {_value(verdict, layer)}".strip())
        for verdict in verdicts
    ]
    return tuple(found) if found or layer.problem is None else (Mark("severe", "no figures"),)


def _value(verdict: Verdict, layer: LayerActivity) -> str:
    """A verdict's value, if it is a share of this layer that says more than the verdict."""
    shares = verdict.name in ("dead", "saturated", "dead_channels", "saturating")
    return percent(verdict.value) if shares and verdict.layer == layer.name else ""


def _cells(layer: LayerActivity, unit: Unit) -> dict[str, Cell]:
    missing = layer.problem is not None
    cells = {"kind": Cell(layer.kind.value, layer.kind.value)}
    for key in _COUNTS:
        unknown = (missing and key in ("dead", "saturated")) or not layer.has_meaning(key)
        count = getattr(layer, key)
        cells[key] = Cell("", "-") if unknown else Cell(str(count), f"{count:,}")
        if not unknown and count and key in ("dead", "saturated"):
            share = percent(count / layer.neurons)
            cells[key] = Cell(str(count), f"{count:,} ({share})")
    for key in _OF_ACTIVITY:
        value = getattr(layer, key) * (1.0 if key == "sparsity" else unit.factor(layer))
        text = percent(value) if key == "sparsity" else unit.number(value)
        cells[key] = Cell("", "-") if math.isnan(value) else Cell(repr(value), text)
        if not (missing or layer.has_meaning(key)):
            cells[key] = Cell("", "-")
    return cells


def _strip(cells: Mapping[str, Cell], scale: tuple[float, float]) -> Strip | None:
    """The strip; None if the sums of the layer's values went beyond what a float can hold."""
    if not all(cells[name].value for name in STRIP):
        return None
    return Strip.of({name: float(cells[name].value) for name in STRIP}, scale)


def _facts(layer: LayerActivity, cells: Mapping[str, Cell]) -> tuple[Fact, ...]:
    facts = [Fact("type", printable(f"{layer.framework} {layer.layer_type}"))]
    if layer.aliases:
        facts.append(Fact("also named", ", ".join(map(printable, layer.aliases))))
    facts += [Fact("kind", layer.kind.value), Fact("shape", shape_text(layer.shape))]
    if layer.dt is not None:
        facts.append(Fact("time step", f"{1000 * layer.dt:g} ms"))
    for key, cell in cells.items():
        if key != "kind":
            facts.append(Fact(_TITLES.get(key) or words(key), cell.text, key))
    if reason := layer.problem:
        facts.append(Fact("no figures", reason))
    for key in ("dead", "saturated"):
        found = getattr(layer, f"{key}_neurons")
        if layer.has_meaning(key) and (places := _places(found, layer.neurons)):
            facts.append(Fact(f"{key} neurons", places))
    return tuple(facts)


def layer_terms(unit: Unit, columns: Iterable[PageColumn]) -> list[Term]:
    """What the figures of every layer mean, but for those that are columns."""
    there = {column.key for column in columns}
    keys = [key for key in (*_COUNTS, *_OF_ACTIVITY) if key not in there]
    found = [_column(key, "right", unit) for key in keys]
    return [Term(column.key, column.title, column.meaning) for column in found]


def _places(places: np.ndarray[Any, Any], neurons: int) -> str:
    if len(places) == neurons:
        return "all" if neurons else ""
    shown = ["(" + ", ".join(map(str, place)) + ")" for place in places[:_MOST_PLACES].tolist()]
    if more := len(places) - len(shown):
        shown.append(f"and {more:,} more")
    return ", ".join(shown)

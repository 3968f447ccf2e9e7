"""What a page shows of one layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroact.html.drawings import Histogram, Shares, Strip
from neuroact.html.pictures import Picture
from neuroact.html.results import Fact, ResultBlock, result_blocks
from neuroact.printable import printable
from neuroact.results.definitions import definition
from neuroact.results.diagnosis import Verdict
from neuroact.results.layer_activity import SPREAD, LayerActivity
from neuroact.stream.chunk import SignalKind
from neuroact.table.text import number_text, shape_text

_MOST_PLACES = 12  # of dead or saturated neurons in a list
_COUNTS = ("neurons", "dead", "saturated", "sequences", "observations")
_TITLES = {"name": "layer", "shares": "who fires", "strip": "activity", "observations": "steps"}
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
    """A verdict in a few characters."""

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
    pictures: tuple[Picture, ...]

    @property
    def mark(self) -> str:
        """The mark that colours the row; empty if there is none."""
        return self.marks[0].mark if self.marks else ""


def columns(rows: Iterable[PageRow], layers: Iterable[LayerActivity]) -> list[PageColumn]:
    """The table's columns. First come those that show whether a layer is sick."""
    verdict = ("verdict",) if any(row.marks for row in rows) else ()
    kind = () if all(layer.kind is SignalKind.BINARY for layer in layers) else ("kind",)
    shares = () if all(layer.kind is SignalKind.ANALOG for layer in layers) else ("shares",)
    left = ("name", *verdict, *shares, "strip", *kind)
    right = ("neurons", "dead", "saturated", "sparsity", *SPREAD, "sequences", "observations")
    return [
        *(_column(key, "left", sorts=key != "strip") for key in left),
        *(_column(key, "right") for key in right),
    ]


def _column(key: str, side: str, *, sorts: bool = True) -> PageColumn:
    meaning = _MEANINGS.get(key) or definition(key)
    return PageColumn(key, _TITLES.get(key, key), meaning, side, sorts)


def row_of(
    layer: LayerActivity,
    at: int,
    verdicts: Iterable[Verdict],
    scales: Mapping[SignalKind, tuple[float, float]],
    pictures: Iterable[Picture] = (),
) -> PageRow:
    """The row of the report's layer number `at`."""
    measured = layer.problem is None
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
        strip=Strip.of(layer, scales[layer.kind]) if measured else None,
        histogram=Histogram.of(layer) if measured else None,
        cells=_cells(layer),
        facts=_facts(layer),
        results=result_blocks(layer.results),
        pictures=tuple(pictures),
    )


def marks_of(layer: LayerActivity, verdicts: Iterable[Verdict]) -> tuple[Mark, ...]:
    """The layer's verdicts, or the mark that it has no figures."""
    found = [Mark(verdict.name, f"{verdict.name} {value_text(verdict)}") for verdict in verdicts]
    return tuple(found) if found or layer.problem is None else (Mark("no-figures", "no figures"),)


def value_text(verdict: Verdict, value: float | None = None) -> str:
    """A verdict's value, or the given one, as text. Shares are in percent."""
    found = verdict.value if value is None else value
    return f"{100 * found:.3g}%" if 0 <= found <= 1 else number_text(found)


def _cells(layer: LayerActivity) -> dict[str, Cell]:
    missing = layer.problem is not None
    cells = {"kind": Cell(layer.kind.value, layer.kind.value)}
    for key in _COUNTS:
        unknown = (missing and key in ("dead", "saturated")) or not layer.has_meaning(key)
        count = getattr(layer, key)
        cells[key] = Cell("", "-") if unknown else Cell(str(count), f"{count:,}")
    for key in (*SPREAD, "sparsity"):
        value = getattr(layer, key)
        cells[key] = Cell("" if math.isnan(value) else repr(value), number_text(value))
        if not (missing or layer.has_meaning(key)):
            cells[key] = Cell("", "-")
    return cells


def _facts(layer: LayerActivity) -> tuple[Fact, ...]:
    facts = {"type": printable(f"{layer.framework} {layer.layer_type}")}
    if layer.aliases:
        facts["also named"] = ", ".join(map(printable, layer.aliases))
    facts |= {"kind": layer.kind.value, "shape": shape_text(layer.shape)}
    if layer.dt is not None:
        facts["time step"] = f"{layer.dt:g} s"
    cells = {_TITLES.get(key, key): (key, cell.text) for key, cell in _cells(layer).items()}
    facts |= {title: text for title, (_, text) in cells.items()}
    if reason := layer.problem:
        facts["no figures"] = reason
    for key in ("dead", "saturated"):
        found = getattr(layer, f"{key}_neurons")
        if layer.has_meaning(key) and (places := _places(found, layer.neurons)):
            facts[f"{key} neurons"] = places
    meanings = {title: definition(key) for title, (key, _) in cells.items()}
    return tuple(Fact(name, text, meanings.get(name, "")) for name, text in facts.items())


def _places(places: np.ndarray[Any, Any], neurons: int) -> str:
    if len(places) == neurons:
        return "all" if neurons else ""
    shown = ["(" + ", ".join(map(str, place)) + ")" for place in places[:_MOST_PLACES].tolist()]
    if more := len(places) - len(shown):
        shown.append(f"and {more:,} more")
    return ", ".join(shown)

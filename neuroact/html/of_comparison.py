"""The page of a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from neuroact.card import several
from neuroact.html.drawings import STRIP, Shares, Strip, scales
from neuroact.html.operations import compared_section
from neuroact.html.page import facts_of, rendered
from neuroact.html.pictures import comparison_picture
from neuroact.html.rows import Cell, PageColumn
from neuroact.html.unit import Unit
from neuroact.printable import printable
from neuroact.results.definitions import definition
from neuroact.results.layer_activity import LayerActivity
from neuroact.table.comparison import ComparisonTable, signed_text
from neuroact.table.text import number_text, shape_text

if TYPE_CHECKING:
    from neuroact.results.compared_layers import ComparedLayers, Difference

_METRICS = ("distance", "mean", "dead", "saturated", "sparsity", "std", "median")
_COUNTS = ("dead", "saturated")
_MOST_FAR = 6
_MEANINGS = {
    "report": "The compared report, and the layer's name in it if it is another one.",
    "before": "Who fires, and the activity over the layer's neurons, in the first report.",
    "after": "The same in the compared report.",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A metric in the first report and in the other one."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A layer in the first report and in another one."""

    name: str
    report: str
    partner: str
    target: str
    text: str
    distance: float
    changes: tuple[Change, ...]
    before_shares: Shares | None
    after_shares: Shares | None
    before_strip: Strip | None
    after_strip: Strip | None
    cells: Mapping[str, Cell]


def comparison_page(comparison: ComparedLayers, title: str | None = None) -> str:
    """The comparison as a self-contained page of HTML, made like that of `report_page`.

    It has, in this order: the layers that differ most; a table with a row for each layer and each
    report after the first; the picture; synaptic operations, if they are compared; definitions; the
    origin of each report.

    Args:
        comparison: what to show.
        title: the page's title; None: the reports' labels.
    """
    unit = Unit.of((x for e in comparison.values() for x in e.layers.values()), rates=False)
    rows = list(_rows(comparison, unit))
    apart = sorted(
        (row for row in rows if row.distance > 0), key=lambda row: row.distance, reverse=True
    )
    notes = ComparisonTable(comparison).notes
    unlike = {term: text for term, text in notes.items() if _is_warning(term)}
    return rendered(
        "comparison.html.j2",
        title=printable(_title(comparison.labels) if title is None else title),
        facts=[
            f"{several(len(comparison), 'layer')} matched",
            *(f"{printable(n)}: {several(len(r), 'layer')}" for n, r in comparison.reports.items()),
        ],
        headline=_headline(rows, apart),
        farthest=apart[:_MOST_FAR],
        unlike=unlike,
        rows=rows,
        columns=_columns(),
        pictures=[comparison_picture(comparison, unit)] if len(comparison) else [],
        about_pictures="",
        operations=compared_section(comparison.recorded_operations),
        notes={term: text for term, text in notes.items() if term not in unlike},
        origins=facts_of({label: report.origin for label, report in comparison.reports.items()}),
    )


def _is_warning(term: str) -> bool:
    return term.startswith(("only in ", "not called in ", "unlike ", "matched"))


def _title(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:-1])} and {labels[-1]}"


def _headline(rows: Sequence[ComparisonRow], apart: Sequence[ComparisonRow]) -> str:
    if apart:
        return f"{apart[0].name} differs most"
    if any(math.isnan(row.distance) for row in rows):
        return "No layer has figures in both reports"
    return "In every layer the neurons' activities are the same"


def _columns() -> list[PageColumn]:
    from neuroact.results.compared_layers import Difference

    def column(key: str, side: str, *, sorts: bool = True) -> PageColumn:
        title = {"name": "layer", "before": "first", "after": "compared"}.get(key, key)
        meaning = _MEANINGS.get(key, "")
        if key in _METRICS:
            text = definition(key, Difference)
            meaning = text if key == "distance" else f"Difference {text[:1].lower()}{text[1:]}"
        return PageColumn(key, title, meaning, side, sorts)

    return [
        column("name", "left"),
        column("report", "left"),
        *(column(key, "left", sorts=False) for key in ("before", "after")),
        *(column(key, "right") for key in _METRICS),
    ]


def _rows(comparison: ComparedLayers, unit: Unit) -> Iterator[ComparisonRow]:
    ends = scales([x for entry in comparison.values() for x in entry.layers.values()], unit)
    number = count()
    for entry in comparison.values():
        for label, difference in entry.differences.items():
            first, other = entry.first, entry.layers[label]
            texts = (entry.name, other.name, label, other.layer_type, shape_text(other.shape))
            yield ComparisonRow(
                name=printable(entry.name),
                report=printable(label),
                partner=printable(other.name),
                target=f"row-{next(number)}",
                text=" ".join(map(printable, texts)),
                distance=difference.distance,
                changes=tuple(_changes(first, other)),
                before_shares=Shares.of(first),
                after_shares=Shares.of(other),
                before_strip=_strip(first, ends, unit),
                after_strip=_strip(other, ends, unit),
                cells=_cells(difference),
            )


def _strip(
    layer: LayerActivity, ends: Mapping[Any, tuple[float, float]], unit: Unit
) -> Strip | None:
    if layer.problem is not None:
        return None
    factor = unit.factor(layer)
    return Strip.of({n: factor * getattr(layer, n) for n in STRIP}, ends[layer.kind])


def _changes(first: LayerActivity, other: LayerActivity) -> Iterator[Change]:
    yield Change("mean", number_text(first.mean), number_text(other.mean))
    for name in _COUNTS:
        before, after = getattr(first, name), getattr(other, name)
        if before != after and first.has_meaning(name) and other.has_meaning(name):
            yield Change(name, f"{before:,}", f"{after:,}")


def _cells(difference: Difference) -> dict[str, Cell]:
    return {name: _cell(name, getattr(difference, name)) for name in _METRICS}


def _cell(name: str, value: float | None) -> Cell:
    if value is None or math.isnan(value):
        return Cell("", "-")
    if name in _COUNTS:
        return Cell(str(value), f"{value:+,}" if value else "0")
    return Cell(repr(value), number_text(value) if name == "distance" else signed_text(value))

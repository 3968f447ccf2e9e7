"""A comparison as a table: a layer's row of the first report, and below it the differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from neuroact.printable import printable
from neuroact.results.layer_activity import LayerActivity
from neuroact.table.columns import TableColumn
from neuroact.table.compared_operations import ComparedOperationsTable
from neuroact.table.layout import (
    ShownTable,
    print_rendered,
)
from neuroact.table.legend import joined
from neuroact.table.notebook import html_table
from neuroact.table.text import number_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

    from neuroact.results.compared_layers import ComparedLayers, Difference

IN_PYTHON = "comparison.table(legend=True)"
"""How the legend is asked for."""
_METRICS = ("mean", "std", "q1", "median", "q3", "sparsity")
_COUNTS = ("dead", "saturated")
_MEANINGS = {
    "first row": "of a layer: its figures in the first report",
    "with + or -": "differences: figures of that report minus those of the first",
    "distance": "1-Wasserstein, between the neurons' activities in that report and in the first",
    "mean to q3": "of the activity over neurons; std with ddof 0, quartiles of type 7 (linear)",
    "sparsity": "share of values that are 0",
    "dead": "neurons whose values are all 0: they never fired",
    "saturated": "neurons with no value 0: they fired at every step",
}


def print_comparison(
    comparison: ComparedLayers, *, legend: bool = False, hint: str = IN_PYTHON
) -> None:
    """Print the table to standard output, in colour if that is a terminal."""
    print_rendered(ComparisonTable(comparison, legend=legend, hint=hint))


class ComparisonTable(ShownTable):
    """A table that shows itself: as text, at a prompt, in a notebook, and printed by rich.

    Below it is a table of synaptic operations, if they are compared.

    Args:
        comparison: what to show.
        legend: whether the notes also explain the tables' words.
        hint: how the legend is asked for.
    """

    labels = 2

    def __init__(
        self, comparison: ComparedLayers, *, legend: bool = True, hint: str = IN_PYTHON
    ) -> None:
        super().__init__(_columns(comparison), _notes(comparison, None if legend else hint))
        self._comparison = comparison
        found = comparison.recorded_operations
        self.operations = None if found is None else ComparedOperationsTable(found, legend=legend)

    def _repr_html_(self) -> str:
        table = ComparisonTable(self._comparison)  # with the legend, which is folded away
        caption = " and ".join(self._comparison.labels)
        of_activity = html_table(table.columns, table.notes, caption)
        if table.operations is None:
            return of_activity
        caption = f"synaptic operations in {' and '.join(table.operations.reports)}"
        return of_activity + html_table(table.operations.columns, table.operations.notes, caption)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield from super().__rich_console__(console, options)
        if self.operations is not None:
            yield ""
            yield self.operations


def _columns(comparison: ComparedLayers) -> list[TableColumn]:
    # For each layer: the first report's row, then a row for each other report that has the layer.
    entries: list[tuple[str, str, LayerActivity, Difference | None]] = []
    for name, entry in comparison.items():
        for label, layer in entry.layers.items():
            difference = entry.differences.get(label)
            entries.append(
                (printable(name) if difference is None else "", label, layer, difference)
            )

    def column(
        head: str, text: Callable[[LayerActivity, Difference | None], str], *, activity: bool
    ) -> TableColumn:
        cells = tuple(text(layer, difference) for _, _, layer, difference in entries)
        return TableColumn(head, cells, apart=activity)

    def metric(name: str) -> Callable[[LayerActivity, Difference | None], str]:
        return lambda layer, difference: (
            "-"
            if not layer.has_meaning(name)
            else number_text(getattr(layer, name))
            if difference is None
            else signed_text(getattr(difference, name))
        )

    def count(name: str) -> Callable[[LayerActivity, Difference | None], str]:
        return lambda layer, difference: (
            _count(layer, name) if difference is None else _change(difference, name)
        )

    names = TableColumn("layer", tuple(name for name, *_ in entries), left=True)
    return [
        names,
        TableColumn("report", tuple(printable(label) for _, label, _, _ in entries), left=True),
        column("neurons", lambda layer, difference: f"{layer.neurons:,}", activity=False),
        *(column(name, metric(name), activity=True) for name in _METRICS),
        *(column(name, count(name), activity=False) for name in _COUNTS),
        column(
            "distance",
            lambda layer, difference: (
                "" if difference is None else number_text(difference.distance)
            ),
            activity=True,
        ),
    ]


def signed_text(value: float) -> str:
    """A difference as a short text with its sign; `0` only if there is none.

    >>> from neuroact.table.comparison import signed_text
    >>> [signed_text(x) for x in (0.0, 0.25, -2e-5, 1.0)]
    ['0', '+0.2500', '-2.0e-05', '+1']
    """
    text = number_text(value)
    if text == "1":
        return "+1"
    if text == ">0.9999":
        return "+0.9999"
    return text if value == 0 or math.isnan(value) or value < 0 else f"+{text}"


def _count(layer: LayerActivity, name: str) -> str:
    shown = layer.problem is None and layer.has_meaning(name)
    return f"{getattr(layer, name):,}" if shown else "-"


def _change(difference: Difference, name: str) -> str:
    change = getattr(difference, name)
    return "-" if change is None else f"{change:+,}" if change else "0"


def _notes(comparison: ComparedLayers, hint: str | None) -> dict[str, str]:
    """The notes: with the legend, or else a hint at it."""
    found = _farthest(comparison) | (_MEANINGS if hint is None else {})
    for label, names in comparison.unmatched.items():
        found[f"only in {printable(label)}"] = joined(names)
    renamed = [
        f"{name} is {layer.name} in {label}"
        for name, entry in comparison.items()
        for label, layer in entry.layers.items()
        if layer.name != name
    ]
    if renamed:
        found["matched"] = joined(renamed, "; ")
    for label, report in comparison.reports.items():
        if report.not_called:
            found[f"not called in {printable(label)}"] = joined(report.not_called)
    counted = [report.recorded_operations is not None for report in comparison.reports.values()]
    if any(counted) and not all(counted):
        without = (n for n, has in zip(comparison.labels, counted, strict=True) if not has)
        found["no operations in"] = joined(without)
    found |= _unlike(comparison)
    return found if hint is None else found | {"legend": f"{hint} explains the words"}


def _farthest(comparison: ComparedLayers) -> dict[str, str]:
    apart = [
        (difference.distance, name, label)
        for name, entry in comparison.items()
        for label, difference in entry.differences.items()
        if not math.isnan(difference.distance)
    ]
    distance, name, label = max(apart, default=(math.nan, "", ""))
    if math.isnan(distance):
        return {"differs most": "unknown: no layer has figures in both reports"}
    if distance == 0:
        return {"differs most": "none: in every layer the neurons' activities are the same"}
    text = f"{printable(name)}, in {printable(label)}, by a distance of {number_text(distance)}"
    return {"differs most": text}


def _unlike(comparison: ComparedLayers) -> dict[str, str]:
    """Warnings of what makes the reports hard to compare."""
    found = {}
    of_kinds = {
        name: kinds
        for name, entry in comparison.items()
        if len(kinds := {x.kind.value for x in entry.layers.values()}) > 1
    }
    if of_kinds:
        texts = (f"{name} ({', '.join(sorted(kinds))})" for name, kinds in of_kinds.items())
        found["unlike values"] = f"{joined(texts)}: their activities have different units"
    steps = {
        label: {layer.dt for layer in report.values()}
        for label, report in comparison.reports.items()
    }
    if len({dt for values in steps.values() for dt in values}) > 1:
        texts = (
            f"{label} " + ", ".join("unknown" if dt is None else f"{dt:g} s" for dt in values)
            for label, values in steps.items()
        )
        found["unlike steps"] = f"{joined(texts, '; ')}: activities are still per step"
    return found

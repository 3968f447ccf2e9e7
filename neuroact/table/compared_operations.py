"""Compared operations as a table: of each layer a row for each report, and of all layers too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from neuroact.printable import printable
from neuroact.table.columns import TableColumn
from neuroact.table.layout import ShownTable
from neuroact.table.legend import joined
from neuroact.table.operations import OperationsTable
from neuroact.table.text import ratio_text

if TYPE_CHECKING:
    from neuroact.results.compared_operations import ComparedOperations

_RATIO = (
    "MACs and ACs for a sample, all its steps, divided by those of the first report; of the "
    "total, over all layers counted in each report"
)


class ComparedOperationsTable(ShownTable):
    """A table that rich can print: the columns of `OperationsTable`, and a ratio."""

    labels = 2

    def __init__(self, compared: ComparedOperations, *, legend: bool = True) -> None:
        self.reports = tuple(compared.reports)
        tables = {
            # The table above hints at the legend.
            label: OperationsTable(each, legend=legend, hint="")
            for label, each in compared.reports.items()
        }
        super().__init__(_columns(compared, tables), _notes(compared, tables))


def _columns(
    compared: ComparedOperations, tables: Mapping[str, OperationsTable]
) -> list[TableColumn]:
    found = {
        label: {column.head: column for column in table.columns} for label, table in tables.items()
    }
    # For each layer, and then for all: its name, and each report's label, layer and ratio.
    rows: list[tuple[str, str, str | None, float]] = []
    for name, entry in compared.items():
        for label, layer in entry.layers.items():
            rows.append((name, label, layer.name, compared.ratio(label, name)))
    rows += [("total", label, None, compared.ratio(label)) for label in compared.reports]
    first = next(iter(compared.reports))
    places = {
        label: {name: at for at, name in enumerate(each)}
        for label, each in compared.reports.items()
    }

    def text(head: str, label: str, layer: str | None) -> str:
        column = found[label].get(head)
        if column is None:
            return ""
        return column.total if layer is None else column.cells[places[label][layer]]

    heads = {head: column for each in found.values() for head, column in each.items()}
    del heads["layer"]
    names = tuple(printable(name) if label == first else "" for name, label, *_ in rows)
    return [
        TableColumn("layer", names, left=True),
        TableColumn("report", tuple(printable(label) for _, label, *_ in rows), left=True),
        *(
            replace(column, cells=tuple(text(head, *row[1:3]) for row in rows), total="")
            for head, column in heads.items()
        ),
        TableColumn("ratio", tuple("" if row[1] == first else ratio_text(row[3]) for row in rows)),
    ]


def _notes(compared: ComparedOperations, tables: Mapping[str, OperationsTable]) -> dict[str, str]:
    found = {label: table.notes for label, table in tables.items()}
    notes = {"ratio": _RATIO}
    for term in dict.fromkeys(term for each in found.values() for term in each):
        texts = {label: each[term] for label, each in found.items() if term in each}
        if len(texts) == len(found) and len(set(texts.values())) == 1 and not term.startswith("! "):
            notes[term] = next(iter(texts.values()))
        else:
            notes |= {f"{term} in {printable(label)}": text for label, text in texts.items()}
    for label, names in compared.unmatched.items():
        notes[f"operations only in {printable(label)}"] = joined(names)
    for label, divided in compared.per_sample.items():
        if isinstance(divided, str):
            notes[f"! no ratio with {printable(label)}"] = divided
    return notes

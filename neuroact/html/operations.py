"""Synaptic operations in a page: the tables of the terminal, with heads that sort and explain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, count
from typing import TYPE_CHECKING

from neuroact.errors import MissingOperationsError
from neuroact.html.charts import Picture
from neuroact.html.pictures import operations_picture
from neuroact.html.rows import Cell, PageColumn
from neuroact.printable import printable
from neuroact.results.energy import Energy
from neuroact.table.columns import TableColumn
from neuroact.table.compared_operations import ComparedOperationsTable
from neuroact.table.energy import EnergyTable
from neuroact.table.operations import OperationsTable

if TYPE_CHECKING:
    from neuroact.energy import OperationCosts
    from neuroact.results.compared_operations import ComparedOperations
    from neuroact.results.layers import Layers

_ALARM = "! "  # in front of a note's term


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table of texts.

    Attributes:
        caption: what it is about.
        columns: the first one has names.
        rows: a cell for each column.
        totals: a text for each column, for a last row; empty if there is none.
        notes: what stands beneath the table, by term: all that no column's head explains.
        open: whether the meanings of columns are read without a click.
    """

    caption: str
    columns: tuple[PageColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[str, ...]
    notes: Mapping[str, str]
    open: bool

    @classmethod
    def of(
        cls,
        caption: str,
        columns: Sequence[TableColumn],
        notes: Mapping[str, str],
        *,
        prefix: str,
        sorts: bool = True,
        opened: bool = False,
    ) -> PlainTable:
        """The table that a terminal shows, and its notes but for alarms.

        Args:
            caption: what it is about.
            columns: the terminal's columns.
            notes: the terminal's notes by term. A term may name several columns, with commas.
            prefix: of the columns' keys, which are unique in a page.
            sorts: whether the heads sort.
            opened: whether the meanings of columns are read without a click.
        """
        meanings = {head: text for term, text in notes.items() for head in term.split(", ")}
        number = count()
        heads = tuple(
            PageColumn(
                f"{prefix}-{next(number)}",
                column.head,
                meanings.get(column.head, ""),
                "left" if column.left else "right",
                sorts,
            )
            for column in columns
        )
        explained = {column.head for column in columns}
        return cls(
            caption,
            heads,
            tuple(zip(*(map(_cell, column.cells) for column in columns), strict=True)),
            tuple(c.total for c in columns) if any(c.total for c in columns[1:]) else (),
            {
                term: printable(text)
                for term, text in notes.items()
                if not (term.startswith(_ALARM) or explained.issuperset(term.split(", ")))
            },
            opened,
        )


@dataclass(frozen=True, slots=True)
class OperationsSection:
    """What a page shows of operations.

    Attributes:
        tables: of operations, and of energy if there are costs.
        not_counted: why modules with weights are not counted, by name.
        pictures: the bars.
    """

    tables: tuple[PlainTable, ...]
    not_counted: Mapping[str, str]
    pictures: tuple[Picture, ...] = ()


def operations_section(report: Layers, costs: OperationCosts | None) -> OperationsSection | None:
    """The section of a report's page; None if no operations were recorded.

    Raises:
        MissingOperationsError: there are costs and no operations.
        TypeError: the costs are no `OperationCosts`.
    """
    operations = report.recorded_operations
    if operations is None:
        if costs is not None:
            raise MissingOperationsError
        return None

    def tables() -> Iterator[PlainTable]:
        counts = OperationsTable(operations)
        yield PlainTable.of("Operations", counts.columns, counts.notes, prefix="operations")
        if costs is not None:
            joules = EnergyTable(Energy(operations, costs))
            yield PlainTable.of(
                "Estimated energy", joules.columns, joules.notes, prefix="energy", opened=True
            )

    pictures = (operations_picture(operations),) if len(operations) else ()
    why = {printable(name): printable(text) for name, text in operations.not_counted.items()}
    return OperationsSection(tuple(tables()), why, pictures)


def compared_section(compared: ComparedOperations | None) -> OperationsSection | None:
    """The section of a comparison's page; None if no operations are compared."""
    if compared is None:
        return None
    table = ComparedOperationsTable(compared)
    names, *others = table.columns
    # A terminal shows a name once. Here it heads each row, for those who hear the table read.
    filled = replace(names, cells=tuple(accumulate(names.cells, lambda last, name: name or last)))
    shown = PlainTable.of(
        "Operations in each report",
        [filled, *others],
        table.notes,
        prefix="operations",
        sorts=False,  # rows of one layer would not stand together
    )
    why = {
        f"{printable(name)} in {printable(label)}": printable(reason)
        for label, operations in compared.reports.items()
        for name, reason in operations.not_counted.items()
    }
    return OperationsSection((shown,), why)


def _cell(text: str) -> Cell:
    """A cell that sorts by its number, if it has one; so does `40 (33 %)`."""
    value = text.partition(" (")[0].replace(",", "").lstrip(">")
    return Cell("" if value == "-" else value, text)

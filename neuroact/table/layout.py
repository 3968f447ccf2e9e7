"""Lay out columns for a width, and let rich draw them.

rich is imported only when a table is drawn, to keep `import neuroact` light.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from neuroact.printable import printable
from neuroact.table.columns import TableColumn
from neuroact.table.text import BLOCKS, PLAIN_BLOCKS, folded

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

NARROWEST = 32
"""Smallest width of a table. A narrower terminal breaks its lines."""

_LEAST_NAME_WIDTH = 12  # narrower, most names would take more lines than parts
_GAP = 2
_UNLIMITED = 1_000_000


def drawn(
    columns: Sequence[TableColumn], notes: Mapping[str, str], width: int, *, labels: int = 1
) -> Iterator[RenderableType]:
    """As many tables as the width needs, one below the other, and the notes.

    Args:
        columns: the first one has the layers' names, and is repeated in each table.
        notes: notes by term.
        width: longest line.
        labels: how many of the columns say what a row is. They are repeated in each table if they
            leave room for the widest of the others.
    """
    names, *others = columns
    width = max(width, NARROWEST)
    shown, widest = others[: labels - 1], max(others[labels - 1 :], key=lambda x: x.width)
    if _taken([*shown, widest]) > width - min(names.width, _LEAST_NAME_WIDTH):
        shown = []
    for stack in _stacks(names, shown, others[len(shown) :], width):
        yield _table([names, *shown, *stack], width)
        yield ""
    yield _listed(notes)


class ShownTable:
    """A table that shows itself: as text, at a prompt, and printed by rich.

    Attributes:
        columns: the first one has the layers' names.
        notes: notes below it, by term.
    """

    labels: ClassVar[int] = 1
    """How many of the columns say what a row is."""

    def __init__(self, columns: Sequence[TableColumn], notes: Mapping[str, str]) -> None:
        self.columns, self.notes = columns, notes

    def text(self, width: int | None = None) -> str:
        """The table and its notes as plain text; `width` is as in `table_text`."""
        return plain_text(self, terminal_width() if width is None else width)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield from drawn(self.columns, self.notes, options.max_width, labels=self.labels)


def plain_text(renderable: RenderableType, width: int | None) -> str:
    """The text that rich makes of it, without colour. If `width` is None, it is not limited."""
    from rich.console import Console

    # force_jupyter=False: in a notebook, rich would draw into the cell and return no text.
    console = Console(
        width=_UNLIMITED if width is None else max(width, NARROWEST),
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def print_rendered(renderable: RenderableType) -> None:
    """Print to standard output, if that is a terminal in colour and for its width."""
    if not is_terminal():
        print(plain_text(renderable, None))
        return
    from rich.console import Console

    console = Console()
    console.width = max(console.width, NARROWEST)
    console.print(renderable)


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def terminal_width() -> int | None:
    """Width of the terminal; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def terminal_blocks() -> str:
    """Characters for histograms that standard output can show."""
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    return BLOCKS if is_terminal() and encoding == "utf8" else PLAIN_BLOCKS


def _stacks(
    names: TableColumn, shown: list[TableColumn], columns: list[TableColumn], width: int
) -> list[list[TableColumn]]:
    """The columns of each table from the top: one table, or those that go apart in others.

    Each table also has the names, and the columns that are shown in each.
    """
    if names.width + _taken([*shown, *columns]) <= width:
        return [columns]
    room = width - min(names.width, _LEAST_NAME_WIDTH) - _taken(shown)
    first = [column for column in columns if not column.apart]
    apart = [column for column in columns if column.apart]
    return [stack for part in (first, apart) for stack in _packed(part, room) if stack]


def _packed(columns: list[TableColumn], room: int) -> list[list[TableColumn]]:
    packed: list[list[TableColumn]] = [[]]
    for column in columns:
        if packed[-1] and _taken([*packed[-1], column]) > room:
            packed.append([])
        packed[-1].append(column)
    return packed


def _taken(columns: Iterable[TableColumn]) -> int:
    return sum(_GAP + column.width for column in columns)


def _widths(columns: list[TableColumn], width: int) -> list[int]:
    names, *others = columns
    most = width - min(names.width, _LEAST_NAME_WIDTH) - _GAP
    taken = [min(column.width, most) for column in others]
    return [min(names.width, width - sum(taken) - _GAP * len(taken)), *taken]


def _table(columns: list[TableColumn], width: int) -> Table:
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        # ASCII, so that print() works with any encoding of standard output.
        box=Box("    \n    \n ---\n    \n    \n ---\n    \n    \n", ascii=True),
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),  # the box's divider is the last cell of the gap
        show_footer=any(column.total for column in columns[1:]),
    )
    widths = _widths(columns, width)
    for column, room in zip(columns, widths, strict=True):
        table.add_column(
            column.head,
            Text(column.total),
            justify="left" if column.left else "right",
            width=room,
            no_wrap=True,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        lines = ("\n".join(folded(*cell)) for cell in zip(row, widths, strict=True))
        styles = (column.style(cell) for column, cell in zip(columns, row, strict=True))
        table.add_row(*map(Text, lines, styles))
    return table


def _listed(terms: Mapping[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for term, meaning in terms.items():
        alarm = "bold red" if term.startswith("! ") else "bold"
        table.add_row(Text(term, alarm), Text(printable(meaning)))
    return table

"""Columns laid out for a width, and drawn by rich.

rich is imported when a table is drawn, not before: `import neuroact` stays light.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from neuroact.printable import printable
from neuroact.table.columns import TableColumn
from neuroact.table.text import BLOCKS, PLAIN_BLOCKS, folded

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

NARROWEST = 32
"""Smallest width a table is laid out for; a narrower terminal breaks its lines."""

_LEAST_NAME_WIDTH = 12  # Narrower, and most names would take more lines than they have parts.
_GAP = 2
_UNLIMITED = 1_000_000


def drawn(
    columns: Sequence[TableColumn], notes: Mapping[str, str], width: int
) -> Iterator[RenderableType]:
    """The tables that a width needs, one below the other, and the notes.

    Args:
        columns: the names' column first; it stands in each table.
        notes: by term.
        width: longest line.
    """
    names, *others = columns
    width = max(width, NARROWEST)
    for stack in _stacks(names, others, width):
        yield _table([names, *stack], width)
        yield ""
    yield _listed(notes)


def plain_text(renderable: RenderableType, width: int | None) -> str:
    """What rich makes of it, without colour; as wide as it wants where `width` is None."""
    from rich.console import Console

    # force_jupyter: inside a notebook rich would draw into the cell instead of returning text.
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


def print_to_terminal(renderable: RenderableType) -> None:
    """Print to standard output, which is a terminal, in its colours and for its width."""
    from rich.console import Console

    console = Console()
    console.width = max(console.width, NARROWEST)
    console.print(renderable)


def is_terminal() -> bool:
    """Whether standard output is one."""
    return sys.stdout is not None and sys.stdout.isatty()


def terminal_width() -> int | None:
    """Width of the terminal that standard output is; None where it is none."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def terminal_blocks() -> str:
    """Characters of small histograms that standard output can show."""
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    return BLOCKS if is_terminal() and encoding == "utf8" else PLAIN_BLOCKS


def _stacks(names: TableColumn, columns: list[TableColumn], width: int) -> list[list[TableColumn]]:
    """The columns of each table, from the top: all in one, or counts and activity, or more."""
    if names.width + _taken(columns) <= width:
        return [columns]
    room = width - min(names.width, _LEAST_NAME_WIDTH)
    counts = [column for column in columns if not column.of_activity]
    activity = [column for column in columns if column.of_activity]
    return [stack for part in (counts, activity) for stack in _packed(part, room) if stack]


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
        # ASCII, so that print() works whatever the encoding of standard output.
        box=Box("    \n    \n ---\n    \n    \n ---\n    \n    \n", ascii=True),
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),  # the box's own divider is the gap's last cell
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

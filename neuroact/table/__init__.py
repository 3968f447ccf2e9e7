"""A report as a table of text, for a terminal, a file or a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroact.results.diagnosis import diagnose
from neuroact.table.columns import table_columns
from neuroact.table.layout import (
    NARROWEST,
    ShownTable,
    is_terminal,
    print_rendered,
    terminal_blocks,
)
from neuroact.table.legend import IN_COMMANDS, IN_PYTHON, Hints, notes
from neuroact.table.notebook import html_table
from neuroact.table.rows import MOST_ROWS, table_rows
from neuroact.table.text import BLOCKS, PLAIN_BLOCKS, folded, number_text
from neuroact.table.totals import Totals

if TYPE_CHECKING:
    from neuroact.results.layers import Layers

__all__ = [
    "IN_COMMANDS",
    "IN_PYTHON",
    "MOST_ROWS",
    "NARROWEST",
    "Hints",
    "ReportTable",
    "Totals",
    "folded",
    "is_terminal",
    "notes",
    "number_text",
    "print_table",
    "table_html",
    "table_text",
    "terminal_blocks",
]


def table_text(
    report: Layers, width: int | None = None, *, fold: bool | None = None, legend: bool = False
) -> str:
    r"""A report's table, and notes below it, as plain text without colour.

    If the width is too small for one table, there are two, counts above activity, or more. A long
    name is broken, after a dot if possible. Nothing is cut off.

    A layer where nothing fired has zeros and a sparsity of 1. A layer without figures shows `nan`,
    and `-` for its dead and saturated neurons. A note below says why.

    More than `MOST_ROWS` layers are folded by module. A row then describes all neurons of the
    module's layers, and counts the layers' verdicts.

    Args:
        report: what to show.
        width: longest line, `NARROWEST` or more. None: the terminal's width if standard output is
            a terminal, else the table's own width.
        fold: True or False to fold by module or not, whatever the number of layers.
        legend: whether the notes also explain the table's words.

    >>> import numpy as np
    >>> from neuroact import ActivityReport, LayerActivity, SignalKind
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=2, events=np.array([5, 5, 9, 5]),
    ... )
    >>> print("\n".join(table_text(ActivityReport([layer]), width=72).splitlines()[:5]))
    layer  shape  neurons  sparsity  dead  saturated
    ------------------------------------------------
    lif    4            4    0.4000     0          0
    ------------------------------------------------
    total               4    0.4000     0          0
    """
    return ReportTable(report, fold=fold, legend=legend, blocks=terminal_blocks()).text(width)


def print_table(
    report: Layers, *, fold: bool | None = None, legend: bool = False, hints: Hints = IN_PYTHON
) -> None:
    """Print the table to standard output, in colour if that is a terminal."""
    print_rendered(
        ReportTable(report, fold=fold, legend=legend, hints=hints, blocks=terminal_blocks())
    )


def table_html(report: Layers, *, fold: bool | None = None) -> str:
    """The table for a notebook: the same texts as in `table_text`, all escaped."""
    return ReportTable(report, fold=fold)._repr_html_()


class ReportTable(ShownTable):
    """A table that shows itself: as text, at a prompt, in a notebook, and printed by rich.

    Args:
        report: what to show.
        fold: as in `table_text`.
        legend: as in `table_text`.
        hints: how more is asked for.
        blocks: characters of the histograms, from empty to full.
    """

    def __init__(
        self,
        report: Layers,
        *,
        fold: bool | None = None,
        legend: bool = True,
        hints: Hints = IN_PYTHON,
        blocks: str = PLAIN_BLOCKS,
    ) -> None:
        self._report, self._fold = report, fold
        layers = list(report.values())
        rows = table_rows(layers, fold=fold)
        verdicts = diagnose(layers)
        found = _folded_note(len(rows), len(layers), hints)
        found |= notes(report, verdicts, legend=legend, hints=hints)
        super().__init__(table_columns(layers, rows, verdicts, blocks), found)

    def _repr_html_(self) -> str:
        # The legend is folded away, so it is there in any case.
        table = ReportTable(self._report, fold=self._fold, blocks=BLOCKS)
        layers = len(self._report)
        caption = f"{layers} layer{'' if layers == 1 else 's'}"
        return html_table(table.columns, table.notes, caption)


def _folded_note(rows: int, layers: int, hints: Hints) -> dict[str, str]:
    if rows == layers:
        return {}
    text = (
        f"{layers} layers by module: a row describes all neurons of a module; "
        f"for every layer: {hints.unfolded}"
    )
    return {"folded": text}

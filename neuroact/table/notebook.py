"""A table as HTML, for a notebook's cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from neuroact.printable import printable
from neuroact.table.columns import TableColumn

_CELL = "padding:.15em .6em;text-align:"
_NAME = "min-width:9em;white-space:pre-wrap;overflow-wrap:anywhere"
# Legible on a light page and on a dark one.
_COLOURS = {"yellow": "#b58900", "magenta": "#c2185b", "bold red": "#d32f2f;font-weight:bold"}


def html_table(columns: Sequence[TableColumn], notes: Mapping[str, str], caption: str) -> str:
    """The same texts as in a terminal, all escaped. It fetches nothing and has no script."""
    heads = "".join(_cell("th", column, column.head) for column in columns)
    rows = zip(*(column.cells for column in columns), strict=True)
    body = "".join(f"<tr>{_row(columns, row)}</tr>" for row in rows)
    foot = ""
    if any(column.total for column in columns[1:]):
        totals = "".join(_cell("th", column, column.total) for column in columns)
        foot = f"<tfoot><tr>{totals}</tr></tfoot>"
    terms = "".join(
        f"<dt><b>{escape(printable(term))}</b></dt><dd>{escape(printable(meaning))}</dd>"
        for term, meaning in notes.items()
    )
    return (
        '<div class="neuroact" style="overflow-x:auto">'
        '<table style="border-collapse:collapse;font-size:90%">'
        f'<caption style="text-align:left">{escape(printable(caption))}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>{foot}</table>"
        f"<details><summary>what the figures mean</summary><dl>{terms}</dl></details></div>"
    )


def _row(columns: Sequence[TableColumn], row: Sequence[str]) -> str:
    return "".join(
        _cell("td", column, text, _COLOURS.get(column.style(text), ""))
        for column, text in zip(columns, row, strict=True)
    )


def _cell(tag: str, column: TableColumn, text: str, colour: str = "") -> str:
    side = "left" if column.left else "right"
    # Only names may wrap.
    lines = _NAME if column.head == "layer" else "white-space:pre"
    style = f"{_CELL}{side};{lines}" + (f";color:{colour}" if colour else "")
    return f'<{tag} style="{style}">{escape(text)}</{tag}>'

"""A report as a table of text, for a terminal or a file.

rich is imported when a table is drawn, not before: `import neuroact` stays light.
"""

from __future__ import annotations

import math
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from neuroact.activity import LayerActivity
from neuroact.stream import SignalKind

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

    from neuroact.report import ActivityReport

NARROWEST = 32
"""Smallest width a table is laid out for; a narrower terminal breaks its lines."""

_LEAST_NAME_WIDTH = 12  # Narrower, and most names would take more lines than they have parts.
_GAP = 2
_UNLIMITED = 1_000_000
_FIGURES = ("mean", "std", "min", "q1", "median", "q3", "max")
_ACTIVITY = ("kind", *_FIGURES)
_LEFT = ("layer", "shape", "kind")
_ALARMS = {"dead": "yellow", "saturated": "magenta"}

_MEANINGS = {
    "activity": "of a neuron: mean of its values over all steps; where 0 and 1, spikes per step",
    "mean to max": "of the activity over neurons; std with ddof 0, quartiles of type 7 (linear)",
    "sequences": "samples' sequences begun",
    "steps": "(time step, sample) pairs looked at: how often each neuron was seen",
    "sparsity": "share of values that are 0; of the total, among all values of its layers",
    "dead": "neurons whose values are all 0: they never fired",
    "saturated": "neurons with no value 0: they fired at every step",
}
_KINDS = {
    SignalKind.GRADED: "few levels, signed, scaled or several spikes at once; 0 is silent",
    SignalKind.ANALOG: "real values, no spikes; any value but 0 counts as firing",
}


def table_text(report: ActivityReport, width: int | None = None) -> str:
    r"""A report's table and what its figures mean, as plain text without colour.

    A width that does not suffice for one table gives two, counts above activity, or more; a name
    too long is broken, after a dot where it can be. Nothing is cut off.

    A layer where nothing fired has zeros and a sparsity of 1. One whose figures are NaN shows
    `nan`, and `-` for its dead and saturated neurons, and a line below says why.

    Args:
        report: what to show.
        width: longest line, `NARROWEST` or more. Where None, the terminal's width if standard
            output is one, else as wide as the table is.

    >>> import numpy as np
    >>> from neuroact import ActivityReport, LayerActivity, SignalKind
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=2, events=np.array([0, 5, 10, 5]),
    ... )
    >>> print("\n".join(table_text(ActivityReport([layer]), width=72).splitlines()[:5]))
    layer  shape  neurons  sequences  steps  sparsity  dead  saturated
    ------------------------------------------------------------------
    lif    4            4          2     10    0.5000     1          1
    ------------------------------------------------------------------
    total               4                      0.5000     1          1
    """
    from rich.console import Console

    if width is None and _is_terminal():
        width = shutil.get_terminal_size().columns
    # force_jupyter: inside a notebook rich would draw into the cell instead of returning text.
    console = Console(
        width=_UNLIMITED if width is None else max(width, NARROWEST),
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(ReportTable(report))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def print_table(report: ActivityReport) -> None:
    """Print the table to standard output, in colour where that is a terminal."""
    from rich.console import Console

    if not _is_terminal():
        print(table_text(report))
        return
    console = Console()
    console.width = max(console.width, NARROWEST)
    console.print(ReportTable(report))


class ReportTable:
    """The table as `rich.console.Console.print` takes it, laid out for the console's width.

    Args:
        report: what to show.
    """

    def __init__(self, report: ActivityReport) -> None:
        self.report = report

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        width = max(options.max_width, NARROWEST)
        layers = list(self.report.values())
        names, *columns = _columns(layers, Totals.of(layers))
        for stack in _stacks(names, columns, width):
            yield _drawn([names, *stack], width)
            yield ""
        yield _listed(notes(self.report))


@dataclass(frozen=True, slots=True)
class Totals:
    """What can be added up over layers: those that spike and have figures.

    Layers of real values count only where no others have figures: hardly a real value is ever 0,
    so they would hide what the spiking layers do.

    Attributes:
        left_out: names of the layers that are not in it.
        neurons: neurons of the others.
        dead: dead ones among them.
        saturated: saturated ones among them.
        sparsity: share of zeros among all their values; NaN where there are none.
    """

    left_out: tuple[str, ...]
    neurons: int
    dead: int
    saturated: int
    sparsity: float

    @classmethod
    def of(cls, layers: Sequence[LayerActivity]) -> Totals:
        """The totals; zeros, and a sparsity of NaN, where no layer has figures."""
        measured = [layer for layer in layers if why_no_figures(layer) is None]
        spiking = [layer for layer in measured if layer.kind is not SignalKind.ANALOG]
        counted = spiking or measured
        values = sum(layer.neurons * layer.observations for layer in counted)
        events = sum(int(layer.events.sum()) for layer in counted)
        return cls(
            left_out=tuple(layer.name for layer in layers if layer not in counted),
            neurons=sum(layer.neurons for layer in counted),
            dead=sum(layer.dead for layer in counted),
            saturated=sum(layer.saturated for layer in counted),
            sparsity=(values - events) / values if values else math.nan,
        )


def why_no_figures(layer: LayerActivity) -> str | None:
    """Why a layer's figures are NaN; None where they are numbers."""
    if layer.fault is not None:
        return layer.fault
    if layer.neurons == 0:
        return "it has no neurons"
    return "no step of it was looked at" if layer.observations == 0 else None


def notes(report: ActivityReport) -> dict[str, str]:
    """What the figures mean and what they leave out, by term; a line each below the table."""
    layers = list(report.values())
    found = dict(_MEANINGS)
    if left_out := Totals.of(layers).left_out:
        found["total"] = f"of all layers but {_joined(left_out)}"
    for kind, meaning in _KINDS.items():
        if names := [layer.name for layer in layers if layer.kind is kind]:
            found[kind.value] = f"{_joined(names)}: {meaning}"
    if steps := {layer.dt for layer in layers if layer.dt is not None}:
        found["time step"] = _joined(f"{dt:g} s" for dt in sorted(steps))
    reasons = {layer.name: why_no_figures(layer) for layer in layers}
    if missing := [f"{name}: {reason}" for name, reason in reasons.items() if reason]:
        found["no figures"] = _joined(missing, "; ")
    if report.not_called:
        found["not called"] = f"{_joined(report.not_called)}: recorded, but without figures"
    if aliases := [f"{x.name} is also {_joined(x.aliases)}" for x in layers if x.aliases]:
        found["aliases"] = _joined(aliases, "; ")
    return found | _origin_notes(report.origin)


def printable(text: str) -> str:
    r"""A name as it may be shown: what does not print, escape codes too, as an escape.

    The empty name is shown as two quotation marks.

    >>> from neuroact.table import printable
    >>> print(printable("lif\x1b[31m\n"))
    lif\x1b[31m\n
    """
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped) or '""'


def figure_text(value: float) -> str:
    """A figure in few characters: four decimals; `0` and `1` only where exact.

    >>> from neuroact.table import figure_text
    >>> [figure_text(x) for x in (0.0, 0.25, 2e-5, 0.99999, 1.0, 12345.6)]
    ['0', '0.2500', '2.0e-05', '>0.9999', '1', '1.235e+04']
    """
    if value in (0.0, 1.0):
        return str(int(value))
    if 0.99995 <= value < 1:
        return ">0.9999"
    if 0.001 <= abs(value) < 10_000 or math.isnan(value):
        return f"{value:.4f}"
    return f"{value:.1e}" if abs(value) < 1 else f"{value:.3e}"


def folded(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells that make up the text, broken after dots where they can be.

    >>> from neuroact.table import folded
    >>> folded("encoder.block1.lif", 10)
    ['encoder.', 'block1.lif']
    """
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for part in re.split(r"(?<=\.)", text):
        if cell_len(lines[-1] + part) <= width:
            lines[-1] += part
        else:
            lines += chop_cells(part, width)
    return [line for line in lines if line] or [""]


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    cells: tuple[str, ...]
    total: str

    @property
    def width(self) -> int:
        from rich.cells import cell_len

        return max(cell_len(text) for text in (self.head, *self.cells, self.total))


def _columns(layers: Sequence[LayerActivity], totals: Totals) -> list[_Column]:
    def column(head: str, cells: Iterable[str], total: str = "") -> _Column:
        return _Column(head, tuple(cells), total)

    kinds = [layer.kind.value for layer in layers]
    spiking = all(kind == SignalKind.BINARY.value for kind in kinds)
    return [
        column("layer", (printable(layer.name) for layer in layers), "total"),
        *([] if spiking else [column("kind", kinds)]),
        column("shape", ("x".join(map(str, layer.shape)) or "()" for layer in layers)),
        column("neurons", (f"{layer.neurons:,}" for layer in layers), f"{totals.neurons:,}"),
        column("sequences", (f"{layer.sequences:,}" for layer in layers)),
        column("steps", (f"{layer.observations:,}" for layer in layers)),
        *(column(n, (figure_text(getattr(layer, n)) for layer in layers)) for n in _FIGURES),
        column("sparsity", (figure_text(x.sparsity) for x in layers), figure_text(totals.sparsity)),
        column("dead", (_count(x, x.dead) for x in layers), f"{totals.dead:,}"),
        column("saturated", (_count(x, x.saturated) for x in layers), f"{totals.saturated:,}"),
    ]


def _stacks(names: _Column, columns: list[_Column], width: int) -> list[list[_Column]]:
    """The columns of each table, from the top: all in one, or counts and activity, or more."""
    if names.width + _taken(columns) <= width:
        return [columns]
    room = width - min(names.width, _LEAST_NAME_WIDTH)
    counts = [column for column in columns if column.head not in _ACTIVITY]
    activity = [column for column in columns if column.head in _ACTIVITY]
    return [*_packed(counts, room), *_packed(activity, room)]


def _packed(columns: list[_Column], room: int) -> list[list[_Column]]:
    packed: list[list[_Column]] = [[]]
    for column in columns:
        if packed[-1] and _taken([*packed[-1], column]) > room:
            packed.append([])
        packed[-1].append(column)
    return packed


def _taken(columns: Iterable[_Column]) -> int:
    return sum(_GAP + column.width for column in columns)


def _widths(columns: list[_Column], width: int) -> list[int]:
    names, *others = columns
    most = width - min(names.width, _LEAST_NAME_WIDTH) - _GAP
    taken = [min(column.width, most) for column in others]
    return [min(names.width, width - sum(taken) - _GAP * len(taken)), *taken]


def _drawn(columns: list[_Column], width: int) -> Table:
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
        side: Literal["left", "right"] = "left" if column.head in _LEFT else "right"
        table.add_column(column.head, Text(column.total), justify=side, width=room, no_wrap=True)
    for row in zip(*(column.cells for column in columns), strict=True):
        lines = ("\n".join(folded(*cell)) for cell in zip(row, widths, strict=True))
        table.add_row(*map(Text, lines, map(_style, columns, row)))
    return table


def _style(column: _Column, cell: str) -> str:
    return _ALARMS.get(column.head, "") if cell not in ("0", "-") else ""


def _listed(terms: Mapping[str, str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for term, meaning in terms.items():
        table.add_row(Text(term, "bold"), Text(printable(meaning)))
    return table


def _origin_notes(origin: Mapping[str, Any]) -> dict[str, str]:
    # A report may come from a file that anyone wrote, so nothing is taken for granted.
    found = {}
    options, versions, model = (origin.get(key) for key in ("options", "versions", "model"))
    if isinstance(options, Mapping) and options.get("of") == "input":
        found["of input"] = "the figures are of what goes into the layers, not of what they emit"
    if isinstance(model, str):
        found["model"] = model
    if isinstance(versions, Mapping) and versions:
        found["versions"] = _joined(f"{name} {version}" for name, version in versions.items())
    return found


def _joined(parts: Iterable[str], between: str = ", ") -> str:
    return between.join(map(printable, parts))


def _count(layer: LayerActivity, count: int) -> str:
    return "-" if why_no_figures(layer) else f"{count:,}"


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()

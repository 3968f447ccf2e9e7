"""A report as a table of text, for a terminal or a file.

rich is imported when a table is drawn, not before: `import neuroact` stays light.
"""

from __future__ import annotations

import math
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from neuroact.activity import LayerActivity
from neuroact.stream import SignalKind

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

    from neuroact.report import ActivityReport

NARROWEST = 24
"""Smallest width a table is laid out for; a narrower terminal breaks its lines."""

_LEAST_NAME_WIDTH = 12  # Narrower names would be broken into more lines than they have words.
_GAP = 2
_UNLIMITED = 1_000_000
# Plain ASCII, so that print() works in every encoding: rules below the head and above the totals.
_BOX = "    \n    \n ---\n    \n    \n ---\n    \n    \n"


def table_text(report: ActivityReport, width: int | None = None) -> str:
    """A report's table and what its figures mean, as plain text without colour.

    A width that does not suffice for one table gives two, the counts above the activities, or
    more; a name too long is broken, after a dot where it can be. Nothing is cut off.

    A figure is rounded to four decimals; `0` and `1` stand only where they are exact. A layer
    whose figures are NaN shows `nan`, and `-` for its dead and saturated neurons, and a line below
    says why. A layer where nothing fired has zeros and a sparsity of 1.

    Args:
        report: what to show.
        width: longest line, at least `NARROWEST`. Where None, the terminal's width if standard
            output is one, else as wide as the table is.

    >>> import numpy as np
    >>> from neuroact import ActivityReport, LayerActivity, SignalKind
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=2, events=np.array([0, 5, 10, 5]),
    ... )
    >>> print("\\n".join(table_text(ActivityReport([layer]), width=60).splitlines()[:9]))
    layer  shape  neurons  sequences  steps  sparsity  dead
    -------------------------------------------------------
    lif    4            4          2     10    0.5000     1
    -------------------------------------------------------
    total               4                      0.5000     1
    <BLANKLINE>
    layer  saturated
    ----------------
    lif            1
    """
    from rich.console import Console

    if width is None and _is_terminal(sys.stdout):
        width = shutil.get_terminal_size().columns
    # force_jupyter: inside a notebook rich would draw into the cell rather than return text.
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
    """Print the table to standard output, with colours where that is a terminal."""
    from rich.console import Console

    if _is_terminal(sys.stdout):
        Console().print(ReportTable(report))
    else:
        print(table_text(report))


class ReportTable:
    """The table for `rich.console.Console.print`, laid out for the console's width.

    Args:
        report: what to show.
    """

    def __init__(self, report: ActivityReport) -> None:
        self.report = report

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        layers = list(self.report.values())
        names = _Name(layers)
        for columns in _stacks(names, _columns(layers), options.max_width):
            yield _drawn(names, columns, options.max_width)
            yield ""
        yield _notes(self.report)


@dataclass(frozen=True, slots=True)
class Totals:
    """What can be added up over layers: the spiking ones that have figures.

    Layers of real values join only where no other has figures: hardly a real value is ever 0, so
    they would hide what the spiking layers do.

    Attributes:
        layers: how many layers were added up.
        neurons: neurons of these layers.
        dead: dead ones among them.
        saturated: saturated ones among them.
        sparsity: share of zeros among all values of these layers; NaN where there are none.
    """

    layers: int
    neurons: int
    dead: int
    saturated: int
    sparsity: float

    @classmethod
    def of(cls, layers: Iterable[LayerActivity]) -> Totals:
        """The totals of these layers; zeros, and a sparsity of NaN, where none has figures."""
        measured = [layer for layer in layers if has_figures(layer)]
        spiking = [layer for layer in measured if layer.kind is not SignalKind.ANALOG]
        counted = spiking or measured
        values = sum(layer.neurons * layer.observations for layer in counted)
        events = sum(int(layer.events.sum()) for layer in counted)
        return cls(
            layers=len(counted),
            neurons=sum(layer.neurons for layer in counted),
            dead=sum(layer.dead for layer in counted),
            saturated=sum(layer.saturated for layer in counted),
            sparsity=(values - events) / values if values else math.nan,
        )

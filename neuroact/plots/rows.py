"""A row for each layer, with its name at the left, in the report's order from the top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sys import float_info
from typing import TYPE_CHECKING

from neuroact.plots.figure import (
    ALARM,
    COLUMN,
    FILL,
    FONT,
    PLAIN,
    SMALL,
    Colors,
    layer_colours,
    new_axes,
    shown_name,
)
from neuroact.results.diagnosis import diagnose
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

_NARROW, _WIDE = 24, 34  # characters in a line of a layer's name
_CHARACTER = 0.055  # inches
_LINE, _LEAST_ROW = 0.115, 0.21


@dataclass(frozen=True, slots=True)
class PlotRow:
    """One layer's row.

    Attributes:
        label: the layer's name, in lines; with its kind if it is not binary.
        layer: the layer; None if it has no figures.
        missing: why it has no figures; empty if it has.
    """

    label: str
    layer: LayerActivity | None
    missing: str = ""


def plot_rows(report: Layers) -> list[PlotRow]:
    """A row for every recorded layer, also for those without figures or never called."""
    width = name_width([*map(_name, report.values()), *report.not_called])
    called = [_row(layer, width) for layer in report.values()]
    missing = [PlotRow(shown_name(name, width), None, "never called") for name in report.not_called]
    return called + missing


def row_colours(rows: Sequence[PlotRow], given: Colors) -> dict[int, str]:
    """The colour of each row that has something to draw, by its place."""
    drawn = {place: row.layer for place, row in enumerate(rows) if row.layer is not None}
    found = layer_colours(list(drawn.values()), given, [FILL] * len(drawn))
    return dict(zip(drawn, found, strict=True))


def name_width(names: Iterable[str]) -> int:
    """Characters in a line, so that most names take at most two lines."""
    return _NARROW if max(map(len, names), default=0) <= 2 * _NARROW else _WIDE


def row_axes(
    labels: Sequence[str], ax: Axes | None, *, least: float = _LEAST_ROW, below: float = 0.0
) -> Axes:
    """Axes with a row for each label, at the heights 0, 1, 2, … from the top.

    Args:
        labels: labels of one or more lines.
        ax: axes to use; None makes a figure of its own, as high as its rows need.
        least: smallest height of a row, in inches.
        below: room below the axes, in inches.
    """
    lines = [label.split("\n") for label in labels]
    if ax is None:
        longest = max((len(line) for label in lines for line in label), default=0)
        width = COLUMN + _CHARACTER * max(0, longest - _NARROW)
        rows = sum(max(least, _LINE * len(label) + 0.04) for label in lines)
        ax = new_axes(width, max(1.3, 0.85 + rows) + below)
    ax.set_yticks(range(len(labels)), labels, fontsize=FONT, **PLAIN)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(max(len(labels), 1) - 0.4, -0.6)
    ax.spines["left"].set_visible(False)
    return ax


def say_what_is_missing(axes: Axes, reasons: Sequence[str]) -> None:
    """Write into each empty row the reason why it is empty."""
    across = axes.get_yaxis_transform()
    for row, reason in enumerate(reasons):
        if reason:
            axes.text(0.01, row, reason, transform=across, va="center", fontsize=FONT)


def mark_verdicts(axes: Axes, rows: Sequence[PlotRow]) -> None:
    """Write a layer's verdicts at the right end of its row."""
    found: dict[str, list[str]] = {}
    for verdict in diagnose(row.layer for row in rows if row.layer is not None):
        for name in verdict.layers:
            found.setdefault(name, []).append(verdict.name)
    across = axes.get_yaxis_transform()
    for place, row in enumerate(rows):
        if row.layer is not None and row.layer.name in found:
            text = "\n".join(found[row.layer.name])
            axes.text(1.01, place, text, transform=across, va="center", fontsize=SMALL, color=ALARM)


def limits(values: Iterable[float]) -> tuple[float, float]:
    """Ends of an axis: a little beyond all values, as far as floats go, and never equal."""
    ends = list(map(float, values))
    lowest, highest = min(ends, default=0.0), max(ends, default=1.0)
    largest = max(-lowest, highest)
    if highest - lowest <= 1e-9 * largest:  # one value, except for rounding
        around = max(0.05, largest / 1000)
        lowest, highest = (lowest - around, highest + around) if largest else (0.0, 1.0)
    margin = 0.04 * highest - 0.04 * lowest
    return max(lowest - margin, -float_info.max), min(highest + margin, float_info.max)


def _row(layer: LayerActivity, width: int) -> PlotRow:
    drawn = layer if layer.problem is None else None
    return PlotRow(shown_name(_name(layer), width), drawn, short_problem(layer))


def _name(layer: LayerActivity) -> str:
    spikes = layer.kind is SignalKind.BINARY
    return layer.name if spikes else f"{layer.name} ({layer.kind.value})"


def short_problem(layer: LayerActivity) -> str:
    """`LayerActivity.problem` in words that fit into a narrow picture; empty if there is none."""
    if layer.problem is None:
        return ""
    if layer.nonfinite:
        return "no figures: NaN or infinity emitted"
    if layer.not_binary:
        return "no figures: not only 0 and 1 emitted"
    return "no figures: nothing observed" if layer.neurons else "no figures: no neurons"

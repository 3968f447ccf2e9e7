"""A training run: a metric of each layer from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import (
    COLOURS,
    FONT,
    PLAIN,
    activity_label,
    check_axes,
    in_hertz,
    legend_below,
    per_unit,
)
from neuroact.plots.grid import grid_plot
from neuroact.printable import printable
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

Labelled: TypeAlias = "Iterable[tuple[object, Layers]] | Mapping[object, Layers]"

_STROKE = 1.5  # points
_WRAP = 10  # characters of a label on one line
_ROOM = 1.8  # inches for all labels side by side, in a narrow figure
_OF_ACTIVITY = ("mean", "median", "std", "min", "q1", "q3", "max")
_SHARES = {
    "sparsity": "sparsity (share of values that are 0)",
    "dead": "dead neurons (share)",
    "saturated": "saturated neurons (share)",
}
HISTORY_METRICS = (*_OF_ACTIVITY, *_SHARES)
"""The metrics that `history_plot` can show."""


def history_plot(history: Labelled, metric: str = "mean", *, ax: Axes | None = None) -> Axes:
    """A training run at a glance: a row per layer, a column per report, a metric as colour.

    A place is white if the report has no figures of the layer. A line through a row shows where no
    neuron of a spiking layer fired. Layers are in the order in which they first appear.

    Args:
        history: pairs of a label and a report, such as a `History`; or reports by label. Labels
            that are whole numbers are epochs.
        metric: one of `HISTORY_METRICS`. Dead and saturated neurons are shown as shares.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        ValueError: there is no report, or no such metric.
        MissingExtraError: matplotlib is not installed.

    >>> import neuroact
    >>> history = []
    >>> for epoch in range(3):
    ...     recording = neuroact.Recording()
    ...     recording.observe("lif", [[[0, 1, epoch > 1]]])
    ...     history.append((epoch, recording.report()))
    >>> history_plot(history, "dead").images[0].get_array().round(2).tolist()
    [[0.67, 0.67, 0.33]]
    """
    check_axes(ax)
    if metric not in HISTORY_METRICS:
        raise ValueError(
            f"expected metric= to be one of {', '.join(HISTORY_METRICS)}, came {metric!r}"
        )
    pairs = list(history.items() if isinstance(history, Mapping) else history)
    if not pairs:
        raise ValueError("expected at least one report, came an empty history")
    layers = [layer for _, report in pairs for layer in report.values()]
    hertz = metric in _OF_ACTIVITY and in_hertz(layers)
    names, values = history_values([report for _, report in pairs], metric, hertz=hertz)
    label = _SHARES.get(metric) or f"{metric} over neurons of\n{activity_label(layers)}"
    axes = grid_plot(names, values, edges=(-0.5, len(pairs) - 0.5), label=label, ax=ax)
    _label_columns(axes, [label for label, _ in pairs])
    _mark_silence(axes, names, [report for _, report in pairs])
    return axes


def history_values(
    reports: Sequence[Layers], metric: str, *, hertz: bool
) -> tuple[list[str], NDArray[np.float64]]:
    """The layers' names, and a metric of each layer in each report, float64 `[layers, reports]`.

    It is NaN where a report has no figures of a layer.
    """
    names = list(dict.fromkeys(name for report in reports for name in report))
    values = np.full((len(names), len(reports)), np.nan)
    for column, report in enumerate(reports):
        for row, name in enumerate(names):
            if name in report:
                values[row, column] = _value(report[name], metric, hertz=hertz)
    return names, values


def _mark_silence(axes: Axes, names: Sequence[str], reports: Sequence[Layers]) -> None:
    """Draw a line through a row where its layer was silent."""
    from matplotlib.lines import Line2D

    for row, name in enumerate(names):
        silent = [name in report and _is_silent(report[name]) for report in reports]
        for start, stop in _runs(silent):
            axes.hlines(row, start - 0.5, stop + 0.5, colors=COLOURS[5], linewidth=_STROKE)
    if axes.collections:
        line = Line2D([], [], color=COLOURS[5], linewidth=_STROKE, label="silent: no neuron fired")
        legend_below(axes, [line], columns=1)


def _is_silent(layer: LayerActivity) -> bool:
    return layer.problem is None and layer.kind is not SignalKind.ANALOG and layer.dead_share == 1


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First and last place of those that follow each other."""
    start = None
    for place, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = place
        elif not flag and start is not None:
            yield start, place - 1
            start = None


def _label_columns(axes: Axes, labels: Sequence[object]) -> None:
    texts = [fill(printable(str(label)), _WRAP) for label in labels]
    widest = max(len(line) for text in texts for line in text.split("\n"))
    room = max(1, int(_ROOM / (0.06 * widest + 0.08)))
    shown = range(0, len(texts), math.ceil(len(texts) / room))
    axes.set_xticks(list(shown), [texts[at] for at in shown], fontsize=FONT, **PLAIN)
    if all(text.isdecimal() for text in texts):
        axes.set_xlabel("epoch", fontsize=FONT)


def _value(layer: LayerActivity, metric: str, *, hertz: bool) -> float:
    if metric in ("dead", "saturated"):
        return float(getattr(layer, f"{metric}_share"))
    return float(getattr(layer, metric)) * per_unit(layer, hertz)

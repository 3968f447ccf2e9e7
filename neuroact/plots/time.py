"""Activity from step to step of a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroact.plots.figure import SMALL, activity_label, per_unit, plain_look, whole_ticks
from neuroact.plots.grid import grid_plot
from neuroact.plots.lines import MOST_NAMED, line_axes, line_colours, name_lines
from neuroact.plots.results import TimeAxis, results_of
from neuroact.plots.rows import limits
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

_BAND = "band: one standard deviation over samples to either side"


def time_plot(report: Layers, *, ax: Axes | None = None) -> Axes:
    """Each layer's activity at each time step of its sequences, with its spread over samples.

    A line is the mean over samples and neurons. A band around it shows the spread: take each
    sample's mean over neurons; the band reaches one standard deviation of these means to either
    side, but not below 0. Layers that are not binary have no band. More than seven layers are drawn
    as rows, with the activity as colour and without bands.

    Time is in seconds if all layers have the same `dt`, else in steps. Activity is in Hz if, in
    addition, all layers are binary.

    Args:
        report: what to show; recorded with the statistic `TimeCourse`.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingStatisticError: no layer has results of `TimeCourse`.
        MissingExtraError: matplotlib is not installed.
    """
    courses = results_of(report, "TimeCourse")
    layers = [report[name] for name in courses if report[name].problem is None]
    drawn = {layer.name for layer in layers}
    missing = [name for name in (*report, *report.not_called) if name not in drawn]
    longest = max((courses[name].steps for name in drawn), default=0)
    axis = TimeAxis.of(layers, longest)
    if len(layers) > MOST_NAMED:
        axes = _rows(layers, courses, longest, axis, ax)
    else:
        axes = _lines(layers, courses, axis, ax)
        name_lines(axes, layers, missing)
    if axis.tick == 1:
        whole_ticks(axes.xaxis)
    return axes


def _lines(
    layers: list[LayerActivity], courses: Mapping[str, Any], axis: TimeAxis, ax: Axes | None
) -> Axes:
    axes, ends, banded = line_axes(layers, ax), [0.0], False
    for layer, colour in zip(layers, line_colours(len(layers)), strict=True):
        course, unit = courses[layer.name], per_unit(layer, axis.hertz)
        # A value is drawn from the start of its step to the end.
        edges, activity = np.arange(course.steps + 1) * axis.tick, course.activity * unit
        axes.stairs(activity, edges, baseline=None, color=colour, linewidth=1.1)
        low = high = activity
        if layer.kind is SignalKind.BINARY:
            spread, banded = course.active_share_std * unit, True
            low, high = np.maximum(activity - spread, 0.0), activity + spread
            axes.stairs(high, edges, baseline=low, fill=True, color=colour, alpha=0.2, linewidth=0)
        ends += [low.min(initial=0.0), high.max(initial=0.0)]
    axes.set_xlabel(axis.label)
    axes.set_ylabel(activity_label(layers, hertz=axis.hertz))
    axes.set_ylim(*limits(ends))
    if banded:
        axes.set_title(_BAND, fontsize=SMALL, loc="right")
    plain_look(axes, grid="y")
    return axes


def _rows(
    layers: list[LayerActivity],
    courses: Mapping[str, Any],
    longest: int,
    axis: TimeAxis,
    ax: Axes | None,
) -> Axes:
    values = np.full((len(layers), longest), np.nan)
    for row, layer in enumerate(layers):
        course = courses[layer.name]
        values[row, : course.steps] = course.activity * per_unit(layer, axis.hertz)
    names = [layer.name for layer in layers]
    label = activity_label(layers, hertz=axis.hertz)
    axes = grid_plot(names, values, edges=(0.0, longest * axis.tick), label=label, ax=ax)
    axes.set_xlabel(axis.label)
    return axes

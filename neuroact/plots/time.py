"""Activity from step to step of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroact.activity import LayerActivity
from neuroact.plots.figure import activity_label, in_hertz, per_unit, plain_look
from neuroact.plots.grid import grid_plot
from neuroact.plots.lines import MOST_NAMED, line_axes, line_colours, name_lines
from neuroact.plots.results import results_of, time_unit
from neuroact.plots.rows import limits, missing_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.report import ActivityReport

_BAND = "band: one standard deviation over samples, either way"


def time_plot(report: ActivityReport, *, ax: Axes | None = None) -> Axes:
    """Each layer's activity at each time step of its sequences, with its spread over samples.

    A line is the mean over samples and neurons, its band one standard deviation, over samples, of
    the mean over neurons; it is cut off at 0. Layers that are not binary have no band. More than
    seven layers are rows, a time step a column, the activity as colour, without bands.

    Time is in steps; in seconds, and activity in Hz, where every layer emits spikes and has one
    and the same `dt`.

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
    layers = [report[name] for name in courses if not missing_figures(report[name])]
    missing = [
        name for name in (*report, *report.not_called) if name not in {x.name for x in layers}
    ]
    hertz = in_hertz(layers) and len({layer.dt for layer in layers}) == 1
    longest = max((courses[layer.name].steps for layer in layers), default=0)
    step = layers[0].dt if hertz else None
    scale, unit = (1.0, "") if step is None else time_unit(longest * step)
    tick = scale * (step or 1.0)
    if len(layers) > MOST_NAMED:
        axes = _rows(layers, courses, longest, hertz, ax)
        axes.images[0].set_extent((0, longest * tick, len(layers) - 0.5, -0.5))
    else:
        axes = _lines(layers, courses, tick, hertz, ax)
    axes.set_xlabel(f"time since the sequence's start ({unit})" if unit else "time step")
    if len(layers) <= MOST_NAMED:
        name_lines(axes, layers, missing)
    return axes


def _lines(
    layers: list[LayerActivity], courses: dict[str, Any], tick: float, hertz: bool, ax: Axes | None
) -> Axes:
    axes, ends = line_axes(layers, ax), [0.0]
    for layer, colour in zip(layers, line_colours(len(layers)), strict=True):
        course, per = courses[layer.name], per_unit(layer, hertz)
        # A step's value holds from its start to its end.
        edges, activity = np.arange(course.steps + 1) * tick, course.activity * per
        axes.stairs(activity, edges, baseline=None, color=colour, linewidth=1.1)
        ends += [activity.min(initial=0.0), activity.max(initial=0.0)]
    axes.set_ylabel(activity_label(layers))
    axes.set_ylim(*limits(ends))
    plain_look(axes, grid="y")
    return axes


def _rows(
    layers: list[LayerActivity],
    courses: dict[str, Any],
    longest: int,
    hertz: bool,
    ax: Axes | None,
) -> Axes:
    values = np.full((len(layers), longest), np.nan)
    for row, layer in enumerate(layers):
        course = courses[layer.name]
        values[row, : course.steps] = course.activity * per_unit(layer, hertz)
    names = [layer.name for layer in layers]
    return grid_plot(names, values, edges=(0, longest), label=activity_label(layers), ax=ax)

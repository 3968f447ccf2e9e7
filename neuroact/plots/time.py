"""Activity from step to step of a sequence, or from bin to bin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import SMALL, Colors, activity_label, per_unit, plain_look, whole_ticks
from neuroact.plots.grid import grid_plot, refuse_colours
from neuroact.plots.lines import MOST_NAMED, line_axes, line_colours, name_lines
from neuroact.plots.results import TimeAxis, drawn_layers, results_of, step_bins
from neuroact.plots.rows import limits
from neuroact.results.layer_activity import LayerActivity
from neuroact.statistics.results import ratio
from neuroact.stream.chunk import SignalKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers
    from neuroact.statistics import TimeCourseResult

_BAND = "band: one standard deviation over samples"


def rebinned(
    course: TimeCourseResult, edges: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A course's activity in other bins, and its spread over samples.

    Args:
        course: what `TimeCourse` found.
        edges: of the bins, in steps, ascending.

    Returns:
        Values per neuron and step in each bin, NaN where nothing was observed; and the root mean
        square of `active_share_std` of the course's own bins in it.

    >>> import numpy as np
    >>> from neuroact import Recording
    >>> recording = Recording(statistics="TimeCourse")
    >>> recording.observe("lif", np.array([0, 1, 1, 1, 0]).reshape(5, 1, 1))
    >>> from neuroact.plots.time import rebinned
    >>> rebinned(recording.report()["lif"]["TimeCourse"], np.array([0, 2, 4, 6]))[0].tolist()
    [0.5, 1.0, 0.0]
    """
    own = np.arange(course.bins + 1) * course.bin_width

    def within(values: NDArray[Any]) -> NDArray[np.float64]:
        upto = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return np.diff(np.interp(edges, own, upto))

    seen = within(course.observations)
    variance = ratio(within(course.observations * course.active_share_std**2), seen)
    return ratio(within(course.total), seen * course.neurons), np.sqrt(np.maximum(variance, 0))


def time_plot(report: Layers, *, colors: Colors = None, ax: Axes | None = None) -> Axes:
    """Each layer's activity in each time bin of its sequences, with its spread over samples.

    A line is the mean over samples and neurons. A band around it shows the spread: take each
    sample's mean over neurons; the band reaches one standard deviation of these means to either
    side, but not below 0. Layers that are not binary have no band. More than seven layers are drawn
    as rows, with the activity as colour and without bands.

    Bins are those of `TimeCourse`, one step wide if it was not told another width. Where there are
    more than 1000, the line shows means over neighbouring bins, and the band the spread of one of
    them (root mean square); the title says so.

    Time is in seconds if all layers have the same `dt`, in milliseconds below one second, else in
    steps. Activity is in Hz if, in addition, all layers are binary.

    Args:
        report: what to show; recorded with the statistic `TimeCourse`.
        colors: a colour for all layers, one for each layer drawn, or some by name or glob.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingStatisticError: no layer has results of `TimeCourse`.
        MissingExtraError: matplotlib is not installed.
    """
    courses = results_of(report, "TimeCourse")
    layers, missing = drawn_layers(report, courses)
    drawn = [courses[layer.name] for layer in layers]
    longest = max((course.bins * course.bin_width for course in drawn), default=0)
    width = min((course.bin_width for course in drawn), default=1)
    edges, axis = step_bins(longest, width), TimeAxis.of(layers, longest)
    if len(layers) > MOST_NAMED:
        refuse_colours(colors, len(layers))
        axes = _rows(layers, courses, edges, axis, ax)
    else:
        shades = line_colours(layers, colors)
        axes = _lines(layers, courses, edges, axis, shades, ax)
        about = time_band(layers, edges, width, axis)
        name_lines(axes, layers, shades, missing)
        if about and not missing:
            axes.set_title(about, fontsize=SMALL, loc="right")
    if axis.tick == 1:
        whole_ticks(axes.xaxis)
    return axes


def _lines(
    layers: list[LayerActivity],
    courses: Mapping[str, Any],
    edges: NDArray[np.int64],
    axis: TimeAxis,
    shades: list[str],
    ax: Axes | None,
) -> Axes:
    axes, ends = line_axes(layers, ax), [0.0]
    for layer, colour in zip(layers, shades, strict=True):
        course, unit = courses[layer.name], per_unit(layer, axis.hertz)
        end = course.bins * course.bin_width
        own = np.append(edges[edges < end], end)
        # A value is drawn from the start of its bin to the end.
        activity, spread = (each * unit for each in rebinned(course, own))
        axes.stairs(activity, own * axis.tick, baseline=None, color=colour, linewidth=1.1)
        low = high = activity
        if layer.kind is SignalKind.BINARY:
            low, high = np.maximum(activity - spread, 0.0), activity + spread
            axes.stairs(
                high,
                own * axis.tick,
                baseline=low,
                fill=True,
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
        ends += [low.min(initial=0.0), high.max(initial=0.0)]
    axes.set_xlabel(axis.label)
    axes.set_ylabel(activity_label(layers, hertz=axis.hertz))
    axes.set_ylim(*limits(ends))
    plain_look(axes, grid="y")
    return axes


def time_band(
    layers: list[LayerActivity], edges: NDArray[np.int64], width: int, axis: TimeAxis
) -> str:
    """What bins and bands are; empty if bins are steps and there are no bands."""
    said, wide = [], int(edges[1]) if len(edges) > 1 else width
    if wide > 1:
        said.append(f"{'bins of' if wide == width else 'line: means over'} {axis.length(wide)}")
    if any(layer.kind is SignalKind.BINARY for layer in layers):
        where = "to either side" if wide == width else f"in {axis.length(width)}"
        said.append(f"{_BAND} {where}")
    return "\n".join(said)


def _rows(
    layers: list[LayerActivity],
    courses: Mapping[str, Any],
    edges: NDArray[np.int64],
    axis: TimeAxis,
    ax: Axes | None,
) -> Axes:
    values = np.array(
        [rebinned(courses[x.name], edges)[0] * per_unit(x, axis.hertz) for x in layers]
    )
    names = [layer.name for layer in layers]
    label = activity_label(layers, hertz=axis.hertz)
    axes = grid_plot(names, values, edges=(0.0, edges[-1] * axis.tick), label=label, ax=ax)
    axes.set_xlabel(axis.binned(edges))
    return axes

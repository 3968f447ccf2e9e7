"""The real values of each layer: how they are distributed, and their mean from step to step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import ALARM, SMALL, Colors, plain_look, whole_ticks
from neuroact.plots.grid import grid_plot, refuse_colours
from neuroact.plots.lines import MOST_NAMED, line_axes, line_colours, name_lines
from neuroact.plots.results import TimeAxis, drawn_layers, results_of, step_bins
from neuroact.plots.rows import (
    PlotRow,
    limits,
    plot_rows,
    row_axes,
    row_colours,
    say_what_is_missing,
)
from neuroact.plots.violin import draw_silhouette
from neuroact.results.layer_activity import LayerActivity
from neuroact.statistics import SignalResult
from neuroact.statistics.results import ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

_BINS = 60
_WIDE = 30.0  # times: a layer so much smaller than another would be a dot on a linear axis
_CAPTION = "height: values, of each layer up to its fullest bin\nbar: quartiles; line: median"
_THRESHOLD = "; dashed: threshold"


def signal_plot(report: Layers, *, colors: Colors = None, ax: Axes | None = None) -> Axes:
    """A silhouette per layer of all its values, in the report's order from the top.

    A silhouette is a histogram of the values of all neurons, samples and steps, and its mirror
    image; `value_silhouette` defines the bins. The bar reaches from the first to the third
    quartile, and the line on it is the median. A dashed line is the threshold, if `Signal` was
    given one. If one layer's values are 30 times larger than another's, the axis is linear around 0
    and logarithmic beyond the smallest layer's largest value.

    Args:
        report: what to show; recorded with the statistic `Signal`.
        colors: a colour for all layers, one for each layer drawn, or some by name or glob.
        ax: axes to draw into; None makes a figure of its own, as high as its layers need.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingStatisticError: no layer has results of `Signal`.
        MissingExtraError: matplotlib is not installed.
    """
    results = results_of(report, "Signal")
    rows = plot_rows(report)
    axes = row_axes([row.label for row in rows], ax, least=0.3)
    drawn = {
        at: results[row.layer.name]
        for at, row in enumerate(rows)
        if row.layer is not None and not _missing(row, results)
    }
    linear = linear_width(list(drawn.values()))
    ends: list[float] = []
    shades = row_colours(rows, colors)
    for at, result in drawn.items():
        counts, edges = value_silhouette(result, linear)
        quartiles = (result.q1, result.median, result.q3)
        draw_silhouette(axes, at, counts, edges, quartiles, shades[at])
        ends += [edges[0], edges[-1]]
        if result.threshold is not None:
            axes.vlines(result.threshold, at - 0.45, at + 0.45, ALARM, "dashed", linewidth=0.8)
            ends.append(result.threshold)
    say_what_is_missing(axes, [_missing(row, results) for row in rows])
    if linear is not None:
        axes.set_xscale("asinh", linear_width=linear)
        low, high = np.sinh(limits(np.arcsinh(np.array(ends) / linear))) * linear
        axes.set_xlim(low, high)
        ticks = value_ticks(linear, max(-low, high))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    else:
        axes.set_xlim(*limits(ends))
    known = any(result.threshold is not None for result in drawn.values())
    axes.set_xlabel("value")
    axes.set_title(_CAPTION + _THRESHOLD * known, fontsize=SMALL, loc="right")
    plain_look(axes, grid="x")
    return axes


def value_silhouette(
    result: SignalResult, linear: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many values lie in each of up to 60 bins of a picture, and the bins' edges.

    The bins reach from the smallest to the largest value. Those of `SignalResult.bins` are cut at
    their edges: a bin's values count as evenly spread over it.

    Args:
        result: the values of a layer that has some.
        linear: None for bins of equal width. Else they are of equal width in `asinh(x / linear)`.

    >>> import numpy as np
    >>> from neuroact import Recording, Signal
    >>> from neuroact.plots.signal import value_silhouette
    >>> recording = Recording(statistics=Signal)
    >>> recording.observe("mem", np.array([[[0.0], [1.0], [1.0]]]), kind="analog")
    >>> counts, edges = value_silhouette(recording.report()["mem"][Signal])
    >>> counts[[0, 1, -1]].tolist(), edges[[0, -1]].tolist()
    ([1.0, 0.0, 2.0], [0.0, 1.0])
    """
    least, most, unit = result.min, result.max, linear or 1.0
    if least == most:
        around = abs(least) / 100 or unit / 100
        return np.array([result.bin_counts.sum() * 1.0]), np.array([least - around, most + around])
    if linear is None:
        edges = np.linspace(least, most, _BINS + 1)
    else:
        start, stop = np.arcsinh(np.array([least, most]) / linear)
        edges = np.sinh(np.linspace(start, stop, _BINS + 1)) * linear
    edges[0], edges[-1] = least, most
    low, high = (np.clip(edge, least, most) for edge in result.edges)
    # Of a bin without width, all values lie at one place.
    place = np.clip(np.searchsorted(edges, low, side="right") - 1, 0, _BINS - 1)
    counts = np.zeros(_BINS)
    for first, last, at, number in zip(low, high, place, result.bin_counts, strict=True):
        if first == last:
            counts[at] += number
        else:
            below = np.clip((edges - first) / (last - first), 0.0, 1.0)
            counts += number * np.diff(below)
    return counts, edges


def signal_time_plot(report: Layers, *, colors: Colors = None, ax: Axes | None = None) -> Axes:
    """Each layer's mean value at each time step of its sequences, with the spread around it.

    A line is the mean over samples and neurons. The band reaches one standard deviation over
    samples and neurons to either side. More than seven layers are drawn as rows, with the mean as
    colour and without bands. More than 1000 steps are drawn in bins, which the title names: mean
    and deviation are then over the bin's steps too. Time is in seconds if all layers have the same
    `dt`, else in steps.

    Args:
        report: what to show; recorded with the statistic `Signal`.
        colors: a colour for all layers, one for each layer drawn, or some by name or glob.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingStatisticError: no layer has results of `Signal`.
        MissingExtraError: matplotlib is not installed.
    """
    results: Mapping[str, SignalResult] = results_of(report, "Signal")
    layers, missing = drawn_layers(report, results)
    longest = max((results[x.name].steps for x in layers), default=0)
    edges, axis = step_bins(longest), TimeAxis.of(layers, longest)
    if len(layers) > MOST_NAMED:
        refuse_colours(colors, len(layers))
        axes = _rows(layers, results, edges, axis, ax)
    else:
        shades = line_colours(layers, colors)
        axes = _lines(layers, results, edges, axis, shades, ax)
        name_lines(axes, layers, shades, missing)
    if axis.tick == 1:
        whole_ticks(axes.xaxis)
    return axes


def signal_course(
    result: SignalResult, edges: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of a layer's values in bins of time.

    Args:
        result: what `Signal` found.
        edges: of the bins, in steps, ascending.

    Returns:
        Mean and standard deviation (ddof 0) over samples, neurons and the bin's steps, float64
        `[bins]`; NaN where nothing was observed.

    >>> import numpy as np
    >>> from neuroact import Recording, Signal
    >>> from neuroact.plots.signal import signal_course
    >>> recording = Recording(statistics=Signal)
    >>> recording.observe("mem", np.array([1.0, 3.0, 5.0]).reshape(3, 1, 1), kind="analog")
    >>> mean, std = signal_course(recording.report()["mem"][Signal], np.array([0, 2, 4]))
    >>> mean.tolist(), std.tolist()
    ([2.0, 5.0], [1.0, 0.0])
    """
    places = np.arange(result.steps)

    def within(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.histogram(places, edges, weights=values)[0]

    seen = result.step_observations.astype(np.float64)
    number, mean = within(seen), np.where(seen > 0, result.mean_by_step, 0.0)
    means = ratio(within(seen * mean), number)
    # Around the bin's own mean, so that a large mean does not swallow a small spread.
    own = np.repeat(means, np.diff(edges))[: result.steps]
    spread = np.where(seen > 0, result.std_by_step**2 + (mean - own) ** 2, 0.0)
    return means, np.sqrt(ratio(within(seen * spread), number))


def _lines(
    layers: Sequence[LayerActivity],
    results: Mapping[str, SignalResult],
    edges: NDArray[np.int64],
    axis: TimeAxis,
    shades: Sequence[str],
    ax: Axes | None,
) -> Axes:
    axes, ends = line_axes(layers, ax), [0.0]
    for layer, colour in zip(layers, shades, strict=True):
        result = results[layer.name]
        own = np.append(edges[edges < result.steps], result.steps)
        mean, std = signal_course(result, own)
        axes.stairs(mean, own * axis.tick, baseline=None, color=colour, linewidth=1.1)
        band: dict[str, Any] = {"fill": True, "alpha": 0.2, "linewidth": 0}
        axes.stairs(mean + std, own * axis.tick, baseline=mean - std, color=colour, **band)
        ends += [float((mean - std).min()), float((mean + std).max())]
    axes.set_xlabel(axis.label)
    axes.set_ylabel("mean value")
    axes.set_ylim(*limits(ends))
    axes.set_title(signal_band(edges, axis), fontsize=SMALL, loc="right")
    plain_look(axes, grid="y")
    return axes


def signal_band(edges: NDArray[np.int64], axis: TimeAxis) -> str:
    """What the line and its band are, in words."""
    wide = int(edges[1]) if len(edges) > 1 else 1
    if wide == 1:
        return "band: one standard deviation over samples and neurons"
    bins = f"bins of {axis.length(wide)}"
    return f"{bins}; band: one standard deviation\nover samples, neurons and the bin's steps"


def _rows(
    layers: Sequence[LayerActivity],
    results: Mapping[str, SignalResult],
    edges: NDArray[np.int64],
    axis: TimeAxis,
    ax: Axes | None,
) -> Axes:
    values = np.array([signal_course(results[layer.name], edges)[0] for layer in layers])
    names = [layer.name for layer in layers]
    ends = (0.0, edges[-1] * axis.tick)
    axes = grid_plot(names, values, edges=ends, label="mean value", ax=ax)
    axes.set_xlabel(axis.binned(edges))
    return axes


def linear_width(results: Sequence[SignalResult]) -> float | None:
    """Where an axis for all of them turns logarithmic; None if it can be linear."""
    sizes = [max(-result.min, result.max) for result in results]
    sizes = [size for size in sizes if size > 0]
    return min(sizes) if sizes and max(sizes) > _WIDE * min(sizes) else None


def value_ticks(linear: float, largest: float) -> list[float]:
    """Zero, and at most two powers of ten to either side: more labels would have no room."""
    least, most = math.ceil(math.log10(linear)), math.floor(math.log10(largest))
    powers = [10.0**power for power in range(most, least - 1, -max(1, (most - least + 2) // 2))]
    return [-power for power in powers[:2]] + [0.0] + powers[1::-1]


def _missing(row: PlotRow, results: Mapping[str, SignalResult]) -> str:
    if row.layer is None:
        return row.missing
    return "" if row.layer.name in results else "no values recorded"

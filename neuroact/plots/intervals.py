"""A silhouette per layer of its neurons' interspike intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import SMALL, Colors, plain_look, whole_ticks
from neuroact.plots.results import TimeAxis, results_of
from neuroact.plots.rows import (
    PlotRow,
    limits,
    plot_rows,
    row_axes,
    row_colours,
    say_what_is_missing,
)
from neuroact.plots.violin import draw_silhouette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

LONG = 50  # steps: on a longer linear axis, short intervals would have no room
_BINS = 40
_CAPTION = "height: intervals per step, of each layer up to its most\nbar: quartiles; line: median"


def interval_density(
    histogram: NDArray[np.int64], *, logarithmic: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The number of intervals per step of length, in bins.

    On a linear axis, a bin is one step wide. On a logarithmic one, all bins look about equally
    wide.

    Args:
        histogram: the number of intervals that are k steps long, at index k.
        logarithmic: whether the axis is logarithmic.

    Returns:
        The intervals in each bin divided by its width, and the bins' edges in steps.

    >>> import numpy as np
    >>> from neuroact.plots.intervals import interval_density
    >>> heights, edges = interval_density(np.array([0, 4, 0, 1]), logarithmic=False)
    >>> heights.tolist(), edges.tolist()
    ([4.0, 0.0, 1.0], [0.5, 1.5, 2.5, 3.5])
    """
    most = len(histogram) - 1
    if logarithmic:
        edges = np.unique(np.geomspace(1, most + 1, _BINS).round().astype(np.int64))
    else:
        edges = np.arange(1, most + 2)
    upto = np.concatenate([[0], np.cumsum(histogram)])
    return np.diff(upto[edges]) / np.diff(edges), edges - np.float64(0.5)


def interval_plot(report: Layers, *, colors: Colors = None, ax: Axes | None = None) -> Axes:
    """A silhouette per layer of its neurons' interspike intervals, in the report's order.

    A silhouette is a histogram of all intervals of all neurons, and its mirror image. Its height
    is the number of intervals per step of length; `interval_density` defines the bins. The bar
    reaches from the first to the third quartile, and the line on it is the median. The axis is
    logarithmic if an interval is longer than 50 steps. It shows seconds if all layers have the same
    `dt`.

    Args:
        report: what to show; recorded with the statistic `InterspikeIntervals`.
        colors: a colour for all layers, one for each layer drawn, or some by name or glob.
        ax: axes to draw into; None makes a figure of its own, as high as its layers need.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingStatisticError: no layer has results of `InterspikeIntervals`.
        MissingExtraError: matplotlib is not installed.
    """
    results = results_of(report, "InterspikeIntervals")
    rows = plot_rows(report)
    axes = row_axes([row.label for row in rows], ax, least=0.3)
    drawn = {
        at: results[row.layer.name]
        for at, row in enumerate(rows)
        if row.layer is not None and not _missing(row, results)
    }
    longest = max((len(result.histogram) - 1 for result in drawn.values()), default=1)
    shades = row_colours(rows, colors)
    axis = TimeAxis.of(list(report.values()), longest, "interspike interval")
    for at, result in drawn.items():
        heights, edges = interval_density(result.histogram, logarithmic=longest > LONG)
        quartiles = tuple(result.quantile(q) * axis.tick for q in (0.25, 0.5, 0.75))
        draw_silhouette(axes, at, heights, edges * axis.tick, quartiles, shades[at])
    say_what_is_missing(axes, [_missing(row, results) for row in rows])
    if longest > LONG:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlim(0.45 * axis.tick, (longest + 0.5) * 1.1 * axis.tick)
    else:
        if axis.tick == 1:
            whole_ticks(axes.xaxis)
        axes.set_xlim(*limits([0.5 * axis.tick, (longest + 0.5) * axis.tick]))
    axes.set_xlabel(axis.label)
    axes.set_title(_CAPTION, fontsize=SMALL, loc="right")
    plain_look(axes, grid="x")
    return axes


def _missing(row: PlotRow, results: dict[str, Any]) -> str:
    if row.layer is None:
        return row.missing
    result = results.get(row.layer.name)
    if result is None:
        return "no intervals recorded"
    return "" if result.histogram.sum() else "no neuron fired twice"

"""A silhouette per layer: how many of its neurons have which activity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import SMALL, Colors, activity_label, in_hertz, per_unit, plain_look
from neuroact.plots.rows import (
    limits,
    mark_verdicts,
    plot_rows,
    row_axes,
    row_colours,
    say_what_is_missing,
)
from neuroact.results.binning import binned
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

MOST_BINS = 40
"""Largest number of bins of one layer."""

_HALF, _LEAST = 0.42, 0.025  # heights, of a row of 1
_CAPTION = "height: neurons, of each layer up to its fullest bin\nbar: quartiles; line: median"


@dataclass(frozen=True, slots=True)
class Silhouette:
    """A histogram of neurons by activity.

    Attributes:
        counts: neurons in each bin, int64 `[bins]`.
        edges: edges of the bins, which have equal width, float64 `[bins + 1]`.
    """

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


def silhouette(layer: LayerActivity) -> Silhouette:
    """A histogram of neurons by activity, in at most `MOST_BINS` bins of equal width.

    In a binary layer, an activity is a whole number of spikes divided by the observations. Every
    bin then covers the same number of possible activities, and edges lie between two of them. So no
    bin is empty only because no activity can fall into it.

    There are no bins if the layer has no figures.

    >>> import numpy as np
    >>> from neuroact import LayerActivity, SignalKind
    >>> from neuroact.plots import silhouette
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=2, sequences=1, events=np.array([0, 1, 1, 2]),
    ... )
    >>> silhouette(layer).counts.tolist(), silhouette(layer).edges.tolist()
    ([1, 2, 1], [-0.25, 0.25, 0.75, 1.25])
    """
    if layer.problem is not None:
        return Silhouette(np.empty(0, np.int64), np.zeros(1))
    activities, neurons = layer.activity_distribution
    if layer.kind is SignalKind.BINARY:
        events = np.rint(activities * layer.observations).astype(np.int64)
        least = int(events[0])
        width = math.ceil((int(events[-1]) - least + 1) / MOST_BINS)
        counts = np.bincount((events - least) // width, weights=neurons)
        edges = (least - 0.5 + width * np.arange(len(counts) + 1)) / layer.observations
    else:
        bins = min(MOST_BINS, len(activities))
        counts, edges = binned(activities, bins, weights=neurons)
    return Silhouette(counts.astype(np.int64), edges)


def violin_plot(report: Layers, *, colors: Colors = None, ax: Axes | None = None) -> Axes:
    """A silhouette per layer of its neurons' average activity, in the report's order from the top.

    A silhouette is a histogram and its mirror image. It is not smoothed: it shows nothing at
    activities that no neuron has. `silhouette` defines the bins. The bar reaches from the first to
    the third quartile, and the line on it is the median. Empty rows, verdicts and the unit are as
    in `box_plot`.

    Args:
        report: what to show.
        colors: a colour for all layers, one for each layer drawn, or some by name or glob.
        ax: axes to draw into; None makes a figure of its own, as high as its layers need.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows, hertz = plot_rows(report), in_hertz(report.values())
    axes = row_axes([row.label for row in rows], ax, least=0.3)
    ends: list[float] = []
    shades = row_colours(rows, colors)
    for place, row in enumerate(rows):
        if row.layer is not None:
            shape, unit = silhouette(row.layer), per_unit(row.layer, hertz)
            quartiles = (row.layer.q1 * unit, row.layer.median * unit, row.layer.q3 * unit)
            edges = shape.edges * unit
            draw_silhouette(axes, place, shape.counts, edges, quartiles, shades[place])
            # A single bin would fill the axis.
            beyond = 2 * (shape.edges[1] - shape.edges[0]) if len(shape.counts) == 1 else 0.0
            ends += [(shape.edges[0] - beyond) * unit, (shape.edges[-1] + beyond) * unit]
    say_what_is_missing(axes, [row.missing for row in rows])
    mark_verdicts(axes, rows)
    axes.set_xlabel(activity_label(report.values()))
    axes.set_title(_CAPTION, fontsize=SMALL, loc="right")
    axes.set_xlim(*limits(ends))
    plain_look(axes, grid="x")
    return axes


def draw_silhouette(
    axes: Axes,
    place: int,
    amounts: NDArray[Any],
    edges: NDArray[np.float64],
    quartiles: tuple[float, ...],
    colour: str,
) -> None:
    """Draw a silhouette at the height `place`, with a bar for its three quartiles."""
    heights = amounts / amounts.max() * (_HALF - _LEAST)
    # One neuron among a million must still be seen.
    heights[amounts > 0] += _LEAST
    axes.stairs(
        place + heights,
        edges,
        baseline=place - heights,
        fill=True,
        facecolor=colour,
        edgecolor="none",
    )
    q1, median, q3 = quartiles
    axes.hlines(place, q1, q3, colors="black", linewidth=2.2)
    axes.plot(median, place, "|", color="black", ms=7, mew=1.6)

"""A box per layer: quartiles, whiskers and outliers of its neurons' activity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import (
    FILL,
    SMALL,
    Colors,
    activity_label,
    in_hertz,
    per_unit,
    plain_look,
)
from neuroact.plots.rows import (
    limits,
    mark_verdicts,
    plot_rows,
    row_axes,
    row_colours,
    say_what_is_missing,
)
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

MOST_OUTLIERS = 100
"""Largest number of outliers drawn for one layer."""

_CAPTION = (
    "box: quartiles, median; diamond: mean; whiskers: 1.5 IQR\n"
    "circles: neurons beyond, each activity once"
)


@dataclass(frozen=True, slots=True)
class BoxStats:
    """What a layer's box shows.

    Attributes:
        q1: first quartile, the lower edge of the box.
        median: the line in the box.
        q3: third quartile, the upper edge of the box.
        mean: the diamond.
        low: end of the lower whisker: the lowest activity that is at least `q1 - 1.5 (q3 - q1)`.
        high: end of the upper whisker: the highest activity that is at most `q3 + 1.5 (q3 - q1)`.
        outliers: distinct activities beyond the whiskers, ascending. If there are more than
            `MOST_OUTLIERS`, only that many: evenly spaced by rank, the lowest and highest included.
        outliers_left_out: number of distinct activities beyond the whiskers that are not drawn.
    """

    q1: float
    median: float
    q3: float
    mean: float
    low: float
    high: float
    outliers: NDArray[np.float64]
    outliers_left_out: int

    def times(self, factor: float) -> BoxStats:
        """The same box in another unit."""
        names = ("q1", "median", "q3", "mean", "low", "high", "outliers")
        return replace(self, **{name: getattr(self, name) * factor for name in names})


def box_stats(layer: LayerActivity) -> BoxStats:
    """What a layer's box shows, by Tukey's rule, like matplotlib's boxes.

    If nothing fired, everything is 0. If the layer has no figures, everything is NaN and there are
    no outliers. It uses the layer's distinct activities only, so a million neurons cost little.

    >>> import numpy as np
    >>> from neuroact import LayerActivity, SignalKind
    >>> from neuroact.plots import box_stats
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=1, events=np.array([1, 1, 2, 2, 3, 9]),
    ... )
    >>> stats = box_stats(layer)
    >>> stats.low, stats.high, stats.outliers.tolist()
    (0.1, 0.3, [0.9])
    """
    if layer.problem is not None:
        nan = np.nan
        return BoxStats(nan, nan, nan, nan, nan, nan, np.empty(0), 0)
    q1, q3 = layer.q1, layer.q3
    reach = 1.5 * (q3 - q1)
    activities, _ = layer.activity_distribution
    within = activities[(activities >= q1 - reach) & (activities <= q3 + reach)]
    # A quartile can lie between two activities. A whisker must not end inside the box.
    low = float(min(q1, within.min(initial=np.inf)))
    high = float(max(q3, within.max(initial=-np.inf)))
    beyond = activities[(activities < low) | (activities > high)]
    ranks = np.linspace(0, max(len(beyond) - 1, 0), min(len(beyond), MOST_OUTLIERS))
    outliers = beyond[ranks.round().astype(np.intp)]
    left_out = len(beyond) - len(outliers)
    return BoxStats(q1, layer.median, q3, layer.mean, low, high, outliers, left_out)


def box_plot(report: Layers, *, colors: Colors = None, ax: Axes | None = None) -> Axes:
    r"""A box per layer of its neurons' average activity, in the report's order from the top.

    `box_stats` says what a box shows. The row of a layer that has no figures, or was never called,
    says why it is empty. A layer's verdicts (`ActivityReport.diagnose`) stand at its right. The
    axis spans the data, or 0 to 1 if nothing was measured. It shows firing rates in Hz if every
    layer emits binary spikes and has a `dt`.

    Args:
        report: what to show.
        colors: a colour for all layers, one for each layer drawn, or some by name or glob.
        ax: axes to draw into; None makes a figure of its own, as high as its layers need.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingExtraError: matplotlib is not installed.

    >>> import numpy as np
    >>> from neuroact import ActivityReport, LayerActivity, SignalKind
    >>> from neuroact.plots import box_plot
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=1, events=np.array([0, 5, 10]),
    ... )
    >>> box_plot(ActivityReport([layer])).get_xlabel()
    'average activity\n(spikes per neuron and time step)'
    """
    rows, hertz = plot_rows(report), in_hertz(report.values())
    axes = row_axes([row.label for row in rows], ax)
    boxes, shades = [], row_colours(rows, colors)
    for place, row in enumerate(rows):
        if row.layer is not None:
            boxes.append(box_stats(row.layer).times(per_unit(row.layer, hertz)))
            draw_box(axes, place, boxes[-1], colour=shades[place])
    say_what_is_missing(axes, [row.missing for row in rows])
    mark_verdicts(axes, rows)
    axes.set_xlabel(activity_label(report.values()))
    axes.set_title(caption(boxes), fontsize=SMALL, loc="right")
    axes.set_xlim(*box_limits(boxes))
    plain_look(axes, grid="x")
    return axes


def draw_box(
    axes: Axes, row: float, box: BoxStats, *, height: float = 0.6, colour: str = FILL
) -> None:
    """Draw one horizontal box, centred at the height `row`."""
    # Axes.bxp would import pyplot and choose a backend, because it reads every rcParam.
    line: dict[str, Any] = {"colors": "black", "linewidth": 0.7}
    half = height / 2
    axes.hlines([row, row], [box.low, box.q3], [box.q1, box.high], **line)
    axes.vlines([box.low, box.high], row - half / 2, row + half / 2, **line)
    width = box.q3 - box.q1
    axes.barh(row, width, height, box.q1, color=colour, edgecolor="black", linewidth=0.7)
    axes.vlines(box.median, row - half, row + half, colors="black", linewidth=1.6)
    axes.plot(box.mean, row, "D", ms=3.2, mfc="white", mec="black", mew=0.6)
    axes.plot(box.outliers, [row] * len(box.outliers), "o", ms=2, mfc="none", mec="0.35", mew=0.4)


def caption(boxes: list[BoxStats]) -> str:
    """The caption: what the boxes show, and what they leave out."""
    most = f", at most {MOST_OUTLIERS} a layer" if any(b.outliers_left_out for b in boxes) else ""
    return _CAPTION + most


def box_limits(boxes: list[BoxStats]) -> tuple[float, float]:
    """Ends of an axis that has room for the boxes."""
    return limits(x for box in boxes for x in (box.low, box.high, box.mean, *box.outliers))

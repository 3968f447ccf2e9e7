"""Neurons sorted by their activity: which share is active, and which is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import Colors, activity_label, in_hertz, per_unit, plain_look
from neuroact.plots.lines import line_axes, line_colours, name_lines, named_lines
from neuroact.plots.results import drawn_layers
from neuroact.plots.rows import limits
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

MOST_STEPS = 2000
"""Largest number of steps of a curve. More could not be told apart."""


def sorted_activity(layer: LayerActivity) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A layer's distinct activities, and the shares of neurons between which each is found.

    If there are more than `MOST_STEPS` activities, only that many, evenly spaced by rank.

    Returns:
        Activities, float64 `[steps]`, descending; shares, float64 `[steps + 1]`, from 0 to 1.
        If the layer has no figures, there are 0 steps.

    >>> import numpy as np
    >>> from neuroact import LayerActivity, SignalKind
    >>> from neuroact.plots import sorted_activity
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=1, events=np.array([0, 5, 0, 0]),
    ... )
    >>> [array.tolist() for array in sorted_activity(layer)]
    [[0.5, 0.0], [0.0, 0.25, 1.0]]
    """
    if layer.problem is not None:
        return np.empty(0), np.zeros(1)
    activities, neurons = layer.activity_distribution
    ends = np.cumsum(neurons[::-1]) / layer.neurons
    last = len(ends) - 1
    steps = np.linspace(0, last, min(last + 1, MOST_STEPS)).round().astype(np.intp)
    return activities[::-1][steps], np.concatenate([[0.0], ends[steps]])


def curve_plot(report: Layers, *, colors: Colors = None, ax: Axes | None = None) -> Axes:
    """A curve per layer: its neurons' average activity, the most active neuron first.

    At a share x of the neurons, the curve shows the activity that these neurons reach or exceed.
    Dead neurons are an end at 0, saturated ones a beginning at 1. Layers without figures are named
    in the title. Of more than seven layers, seven have a colour and a name: the first, the last and
    five evenly spaced between them. The others are grey, and the title says so. To choose the
    layers, see `ActivityReport.plot`.

    Args:
        report: what to show.
        colors: a colour for all layers, one for each layer drawn, or some by name or glob.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    layers, missing = drawn_layers(report, report)
    hertz = in_hertz(report.values())
    axes = line_axes(layers, ax)
    tops, shades, named = [0.0], line_colours(layers, colors), set(named_lines(len(layers)))
    for at, layer in enumerate(layers):
        activities, shares = sorted_activity(layer)
        activities = activities * per_unit(layer, hertz)
        line = axes.stairs(activities, shares, baseline=None, color=shades[at])
        line.set(linewidth=1.1 if at in named else 0.6, zorder=2 if at in named else 1)
        tops += [activities[0], activities[-1]]
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(*limits(tops))
    axes.set_xlabel("share of the layer's neurons, most active first")
    axes.set_ylabel(activity_label(report.values()))
    plain_look(axes, grid="y")
    name_lines(axes, layers, shades, missing)
    return axes

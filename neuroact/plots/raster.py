"""The spikes of one sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuroact.plots.figure import (
    COLUMN,
    FONT,
    PLAIN,
    SMALL,
    new_axes,
    plain_look,
    shown_name,
    whole_ticks,
)
from neuroact.plots.results import TimeAxis, result_of
from neuroact.plots.rows import limits
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 2.0  # inches of the axes; marks of neighbours just touch
_MOST_VECTORS = 20_000
"""More spikes are drawn as pixels, even in an SVG or PDF."""


def raster_plot(layer: LayerActivity, *, sequence: int = 0, ax: Axes | None = None) -> Axes:
    """A mark for each spike of one sequence, with time to the right and neurons upward.

    The title says which sequence it is, and which neurons and steps were left out.

    Args:
        layer: one layer of a report; recorded with the statistic `Raster`.
        sequence: which of the kept sequences, from 0.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingStatisticError: the layer has no results of `Raster`.
        IndexError: the sequence was not kept.
        ValueError: the layer's values cannot be trusted. The message says why.
        MissingExtraError: matplotlib is not installed.

    >>> import neuroact, torch
    >>> recording = neuroact.Recording(statistics=[neuroact.Raster])
    >>> recording.observe("lif", torch.eye(3).unsqueeze(1))
    >>> raster_plot(recording.report()["lif"]).get_xlabel()
    'time (steps)'
    """
    raster = result_of(layer, "Raster")
    if layer.unreliable is not None:
        raise ValueError(f'layer "{layer.name}" cannot be drawn: {layer.unreliable}')
    steps, neurons = raster.of(sequence)
    length = int(raster.lengths[sequence])
    axis = TimeAxis.of([layer], length)
    axes = new_axes(COLUMN, _HEIGHT + 0.7) if ax is None else ax
    # A mark is in the middle of its step, and as high as a neuron's line.
    axes.plot(
        (steps + 0.5) * axis.tick,
        neurons,
        "|",
        color="black",
        ms=min(max(0.7 * 72 * _HEIGHT / max(raster.watched, 1), 0.8), 7),
        mew=min(max(0.5 * 72 * 2.6 / max(length, 1), 0.4), 1.2),
        rasterized=len(steps) > _MOST_VECTORS,
    )
    axes.set_xlim(0, max(length, 1) * axis.tick)
    axes.set_ylim(*limits([-0.5, max(raster.neurons, 1) - 0.5]))
    whole_ticks(axes.yaxis)
    if axis.tick == 1:
        whole_ticks(axes.xaxis)
    axes.set_xlabel(axis.label)
    axes.set_ylabel("neuron")
    title = "\n".join([shown_name(layer.name, 44), *_what_it_is(raster, sequence)])
    axes.set_title(title, fontsize=SMALL, **PLAIN)
    plain_look(axes)
    axes.tick_params(labelsize=FONT)
    return axes


def _what_it_is(raster: Any, sequence: int) -> list[str]:
    kept = "the only one kept" if raster.kept == 1 else f"of the first {raster.kept:,}, kept"
    left_out = []
    if raster.every > 1:
        left_out.append(f"one neuron in {raster.every:,}")
    if int(raster.lengths[sequence]) == raster.most_steps:
        left_out.append(f"the first {raster.most_steps:,} steps")
    lines = [f"sequence {sequence + 1} of {raster.begun:,}, {kept}"]
    return lines + ([" and ".join(left_out)] if left_out else [])

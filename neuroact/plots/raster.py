"""The spikes of one sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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

    from neuroact.statistics import RasterResult

_HEIGHT = 2.0  # inches of the axes; marks of neighbours just touch
_MOST_MARKS = 20_000
"""More spikes are drawn as pixels, even in an SVG or PDF."""
_MOST_COLUMNS, _MOST_ROWS = 800, 500  # what a column of a paper shows at 300 dots per inch
_LIGHTEST = 0.4  # grey of a pixel with the fewest spikes; without any it is white


def raster_plot(layer: LayerActivity, *, sequence: int = 0, ax: Axes | None = None) -> Axes:
    """A mark for each spike of one sequence, with time to the right and neurons upward.

    More than 20,000 spikes are drawn as an image of at most 800 by 500 pixels: the more spikes in a
    pixel's steps and neurons, the darker it is, and no spike is lost. The title says which sequence
    it is, which neurons and steps were left out, and what a pixel is.

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
    title = [shown_name(layer.name, 44), *_what_it_is(raster, sequence)]
    if len(steps) > _MOST_MARKS:
        title.append(_draw_pixels(axes, raster, sequence, axis, own=ax is None))
    else:
        # A mark is in the middle of its step, and as high as a neuron's line.
        axes.plot(
            (steps + 0.5) * axis.tick,
            neurons,
            "|",
            color="black",
            ms=min(max(0.7 * 72 * _HEIGHT / max(raster.watched, 1), 0.8), 7),
            mew=min(max(0.5 * 72 * 2.6 / max(length, 1), 0.4), 1.2),
        )
    axes.set_xlim(0, max(length, 1) * axis.tick)
    axes.set_ylim(*limits([-0.5, max(raster.neurons, 1) - 0.5]))
    whole_ticks(axes.yaxis)
    if axis.tick == 1:
        whole_ticks(axes.xaxis)
    axes.set_xlabel(axis.label)
    axes.set_ylabel("neuron")
    axes.set_title("\n".join(title), fontsize=SMALL, **PLAIN)
    plain_look(axes)
    axes.tick_params(labelsize=FONT)
    return axes


def spikes_in_pixels(
    raster: RasterResult, sequence: int
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """The spikes of a sequence in pixels of equal size.

    Returns:
        The number of spikes in each, int64 `[rows, columns]`, with time to the right; and how many
        steps wide and watched neurons high a pixel is. The last row and column may reach beyond the
        last neuron and step.
    """
    steps, neurons = raster.of(sequence)
    wide = -(-int(raster.lengths[sequence]) // _MOST_COLUMNS)
    high = -(-raster.watched // _MOST_ROWS)
    columns = -(-int(raster.lengths[sequence]) // wide)
    pixels = neurons // raster.every // high * columns + steps // wide
    rows = -(-raster.watched // high)
    counts = np.bincount(pixels, minlength=rows * columns).reshape(rows, columns)
    return counts.astype(np.int64), (wide, high)


def _draw_pixels(
    axes: Axes, raster: RasterResult, sequence: int, axis: TimeAxis, *, own: bool
) -> str:
    """Draw an image, and return what its pixels are."""
    counts, (wide, high) = spikes_in_pixels(raster, sequence)
    most = int(counts.max())
    rows, columns = counts.shape
    bottom, top = ((n * high - 0.5) * raster.every for n in (0, rows))
    axes.imshow(
        np.where(counts > 0, _LIGHTEST + (1 - _LIGHTEST) * counts / most, 0.0),
        cmap="gray_r",
        vmin=0,
        vmax=1,
        aspect="auto",
        origin="lower",
        # Other axes may have fewer dots than pixels. Then none is dropped.
        interpolation="nearest" if own else "antialiased",
        extent=(0, columns * wide * axis.tick, bottom, top),
    )
    across = "" if high == 1 else f" of {high:,} neurons"
    return f"pixels of {axis.length(wide)}{across}: black for {most:,} spike{'s' * (most > 1)}"


def _what_it_is(raster: Any, sequence: int) -> list[str]:
    kept = "the only one kept" if raster.kept == 1 else f"of the first {raster.kept:,}, kept"
    left_out = []
    if raster.every > 1:
        left_out.append(f"one neuron in {raster.every:,}")
    if int(raster.lengths[sequence]) == raster.most_steps:
        left_out.append(f"the first {raster.most_steps:,} steps")
    lines = [f"sequence {sequence + 1} of {raster.begun:,}, {kept}"]
    return lines + ([" and ".join(left_out)] if left_out else [])

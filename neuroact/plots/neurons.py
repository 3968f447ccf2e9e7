"""A map of a layer: every neuron at its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import (
    COLOUR_MAP,
    COLUMN,
    FONT,
    PLAIN,
    SMALL,
    activity_label,
    in_hertz,
    new_axes,
    per_unit,
    shown_name,
)
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DEAD, _SATURATED = "#D55E00", "#CC79A7"
MOST_NUMBERED = 144
"""Up to so many neurons without places have their number in their square."""
MOST_LINES = 24
"""Up to so many lines and columns of neurons at their places are numbered."""
_MOST_RATIO = 2.0  # of a picture's sides; in a longer one, neurons are not squares


def neuron_map(layer: LayerActivity, *, ax: Axes | None = None) -> Axes:
    """A layer's neurons as squares, coloured by average activity; dead and saturated ones marked.

    Real values are no spikes: of an analog layer, only the dead units of a ReLU are marked.

    Neurons of the shape `[height, width]` are drawn at their places. Those of a convolutional
    layer, `[channels, height, width]`, are drawn as one map per channel, and the maps stand row by
    row. Any dimensions before the last two count as channels. Neurons without places, `[neurons]`,
    fill a square row by row. Small maps have numbers: of neurons, or of lines and columns.

    Args:
        layer: one layer of a report.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        ValueError: the layer has no figures. The message says why.
        MissingExtraError: matplotlib is not installed.

    >>> import numpy as np
    >>> from neuroact import LayerActivity, SignalKind
    >>> from neuroact.plots import neuron_map
    >>> layer = LayerActivity(
    ...     name="conv", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=1, events=np.arange(8).reshape(2, 2, 2),
    ... )
    >>> neuron_map(layer).get_title()
    '"conv": 2 x 2 x 2 neurons'
    """
    if layer.problem is not None:
        raise ValueError(f'layer "{layer.name}" cannot be drawn: {layer.problem}')
    shape = drawn_shape(layer.shape)
    picture = tiled(layer.activity.reshape(shape) * per_unit(layer, in_hertz([layer])))
    axes = _axes(picture) if ax is None else ax
    found = {
        "dead": (_DEAD, layer.events == 0),
        "saturated": (_SATURATED, layer.events == layer.observations),
    }
    marks = {
        colour: tiled(where.reshape(shape), fill=0) == 1
        for name, (colour, where) in found.items()
        if layer.has_meaning(name)
    }
    pixels = _show(axes, picture, marks, activity_label([layer]))
    _say_what_it_is(axes, layer, shape)
    _number(axes, pixels, shape, layer.neurons)
    return axes


def drawn_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The neurons' shape without dimensions of size 1.

    So channels of height 1 become the lines of one map, and a single column is filled in row by
    row.
    """
    return tuple(size for size in shape if size != 1)


def tiled(values: NDArray[Any], fill: float = np.nan) -> NDArray[np.float64]:
    """The neurons as one picture `[rows, columns]`, with `fill` in places without a neuron."""
    if values.ndim < 2:
        flat = np.atleast_1d(values)
        width = math.ceil(math.sqrt(flat.size))
        picture = np.full(math.ceil(flat.size / width) * width, fill)
        picture[: flat.size] = flat
        return picture.reshape(-1, width)
    if values.ndim == 2:
        return values.astype(np.float64)
    maps = values.reshape(-1, *values.shape[-2:])
    across, gap = columns_of_maps(values.shape), _gap(values.shape)
    down = math.ceil(len(maps) / across)
    height, width = maps.shape[1] + gap, maps.shape[2] + gap
    picture = np.full((down * height - gap, across * width - gap), fill)
    for number, channel in enumerate(maps):
        top, left = (number // across) * height, (number % across) * width
        picture[top : top + maps.shape[1], left : left + maps.shape[2]] = channel
    return picture


def columns_of_maps(shape: tuple[int, ...]) -> int:
    """How many maps stand side by side to make the picture about as high as wide."""
    channels, (height, width) = math.prod(shape[:-2]), shape[-2:]
    return min(channels, max(1, round(math.sqrt(channels * height / width))))


def _gap(shape: tuple[int, ...]) -> int:
    """The gap between two maps, in neurons. Large maps need a larger one for it to be seen."""
    return max(1, round(max(shape[-2:]) / 16))


def _axes(picture: NDArray[np.float64]) -> Axes:
    ratio = picture.shape[0] / picture.shape[1]
    return new_axes(COLUMN, 0.75 + (COLUMN - 1) * min(max(ratio, 1 / _MOST_RATIO), _MOST_RATIO))


def _show(
    axes: Axes, picture: NDArray[np.float64], marks: Mapping[str, NDArray[np.bool_]], label: str
) -> NDArray[np.float64]:
    """Draw the picture; gives its colours, `[rows, columns, 4]`."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize, to_rgba

    known = picture[~np.isnan(picture)]
    low, high = float(known.min()), float(known.max())
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    scale = ScalarMappable(Normalize(low, high), colormaps[COLOUR_MAP].with_extremes(bad="white"))
    pixels = scale.to_rgba(np.ma.masked_invalid(picture))
    for colour, where in marks.items():
        pixels[where] = to_rgba(colour)
    square = 1 / _MOST_RATIO <= picture.shape[0] / picture.shape[1] <= _MOST_RATIO
    axes.imshow(pixels, aspect="equal" if square else "auto", interpolation="antialiased")
    axes.spines[:].set_visible(False)
    # An inset of the axes, so that it is as high as the picture.
    bar = axes.figure.colorbar(scale, cax=axes.inset_axes((1.03, 0.0, 0.045, 1.0)))
    bar.ax.tick_params(labelsize=FONT)
    bar.set_label(label, fontsize=FONT)
    return np.asarray(pixels)


def _number(axes: Axes, pixels: NDArray[np.float64], shape: tuple[int, ...], neurons: int) -> None:
    """Write the numbers of neurons, or of their lines and columns, if there is room."""
    rows, columns = pixels.shape[:2]
    if len(shape) < 2 and neurons <= MOST_NUMBERED:
        light = pixels[..., :3] @ (0.3, 0.6, 0.1) > 0.5
        for neuron in range(neurons):
            row, column = divmod(neuron, columns)
            ink = "black" if light[row, column] else "white"
            place = {"ha": "center", "va": "center", "fontsize": SMALL, "color": ink}
            axes.text(column, row, str(neuron), **place)  # type: ignore[arg-type]
    elif len(shape) == 2 and max(rows, columns) <= MOST_LINES:
        axes.set_yticks(range(rows), map(str, range(rows)), fontsize=SMALL)
        axes.set_xticks(range(columns), map(str, range(columns)), fontsize=SMALL)
        axes.tick_params(length=0, pad=1)


def _say_what_it_is(axes: Axes, layer: LayerActivity, shape: tuple[int, ...]) -> None:
    size = " x ".join(f"{n:,}" for n in layer.shape) or "1"
    title = f'"{layer.name}": {size} neuron{"" if layer.neurons == 1 else "s"}'
    axes.set_title(shown_name(title, 50), fontsize=FONT, **PLAIN)
    axes.set_xticks([])
    axes.set_yticks([])
    if len(shape) == 2 < len(layer.shape):
        axes.set_ylabel(f"channels, 0 to {shape[0] - 1:,} from the top", fontsize=FONT)
    if len(shape) > 2:
        across, row = columns_of_maps(shape), shape[-2] + _gap(shape)
        firsts = range(0, math.prod(shape[:-2]), across)
        middles = [place * row + (shape[-2] - 1) / 2 for place in range(len(firsts))]
        axes.set_yticks(middles, [str(first) for first in firsts], fontsize=SMALL)
        axes.tick_params(axis="y", length=0)
        axes.set_ylabel("channel, the first of each row", fontsize=FONT)
    marks = {"dead": ("orange", layer.dead), "saturated": ("pink", layer.saturated)}
    texts = [
        f"{name} ({colour}): {count:,}"
        for name, (colour, count) in marks.items()
        if count and layer.has_meaning(name)
    ]
    axes.set_xlabel("; ".join(texts), fontsize=FONT)

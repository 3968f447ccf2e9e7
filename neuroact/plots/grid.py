"""A grid of numbers as colours: a row for each layer, a column for each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import COLOUR_MAP, FONT, Colors, plain_look, shown_name
from neuroact.plots.rows import name_width, row_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar

_ROW, _HIGH_ROW, _FEW = 0.17, 0.3, 8
_ABOVE = 0.25  # inches: a colour bar needs so much more than a title


def refuse_colours(given: Colors, layers: int) -> None:
    """Refuse colours of layers where the colours of a grid show numbers.

    Raises:
        ValueError: some are given.
    """
    if given is not None:
        raise ValueError(
            f"expected no colors=, came some: {layers} layers are drawn as rows whose colours are "
            "numbers; choose at most 7 layers with layers= to have a line for each"
        )


def grid_plot(
    names: Sequence[str],
    values: NDArray[np.float64],
    *,
    edges: tuple[float, float],
    label: str,
    ax: Axes | None,
) -> Axes:
    """Draw `values[layer, column]` as colours. A NaN stays white.

    Args:
        names: names of the layers, from the top.
        values: float64 `[layers, columns]`.
        edges: start of the first column and end of the last one, on the x axis.
        label: what the colours mean, with its unit.
        ax: axes to draw into; None makes a figure of its own.
    """
    from matplotlib import colormaps

    width = name_width(names)
    labels = [shown_name(name, width) for name in names]
    least = _ROW if len(names) > _FEW else _HIGH_ROW
    axes = row_axes(labels, ax, least=least, below=_ABOVE)
    seen = values[~np.isnan(values)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    image = axes.imshow(
        np.ma.masked_invalid(values),
        cmap=colormaps[COLOUR_MAP].with_extremes(bad="white"),
        vmin=low,
        vmax=high,
        aspect="auto",
        interpolation="nearest",
        extent=(*edges, max(len(names), 1) - 0.5, -0.5),
    )
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    colour_bar(axes, image, label)
    plain_look(axes)
    axes.spines["bottom"].set_visible(False)
    return axes


def colour_bar(axes: Axes, image: Any, label: str) -> Colorbar:
    """Draw a colour bar above the picture, with a height that does not depend on the rows."""
    inches = axes.get_window_extent().height / axes.figure.dpi
    above = axes.inset_axes((0.0, 1 + 0.06 / inches, 1.0, 0.08 / inches))
    bar = axes.figure.colorbar(image, cax=above, orientation="horizontal")
    bar.ax.xaxis.set_ticks_position("top")
    bar.ax.xaxis.set_label_position("top")
    bar.ax.tick_params(labelsize=FONT, length=2, pad=1)
    bar.set_label(label, fontsize=FONT)
    return bar

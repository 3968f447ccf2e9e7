"""A row a layer, a column a time: figures as colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuroact.plots.figure import COLOUR_MAP, FONT, plain_look, shown_name
from neuroact.plots.rows import name_width, row_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TICKS = 8
"""Most columns that are labelled."""


def grid_plot(
    names: Sequence[str],
    values: NDArray[np.float64],
    *,
    edges: tuple[float, float],
    label: str,
    ax: Axes | None,
) -> Axes:
    """Draw `values[layer, column]`; nothing where one is NaN.

    Args:
        names: of the layers, from the top.
        values: what is shown, float64 `[layers, columns]`.
        edges: where the first column begins and the last one ends, on the axis below.
        label: what the colours mean, with its unit.
        ax: axes to draw into; None makes a figure of its own.
    """
    from matplotlib import colormaps

    width = name_width(names)
    axes = row_axes([shown_name(name, width) for name in names], ax, least=0.17)
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
    bar = axes.figure.colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.045, 1.0)))
    bar.ax.tick_params(labelsize=FONT)
    bar.set_label(label, fontsize=FONT)
    plain_look(axes)
    axes.spines["bottom"].set_visible(False)
    return axes

"""A box for each layer in each of the compared reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroact.plots.box import box_limits, box_stats, caption, draw_box
from neuroact.plots.figure import (
    SMALL,
    activity_label,
    check_axes,
    colours,
    in_hertz,
    legend_below,
    legend_height,
    per_unit,
    plain_look,
    shown_name,
)
from neuroact.plots.rows import name_width, row_axes, short_problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.compared_layers import ComparedLayers

_BOX_HEIGHT = 0.13  # inches
_COLUMNS = 2


def comparison_plot(comparison: ComparedLayers, *, ax: Axes | None = None) -> Axes:
    """A row for each matched layer, with a box for each report, in order from the top.

    Each report has a colour. Boxes and units are as in `box_plot`. If a report has no figures of a
    layer, a text in the place of the box says why.

    Args:
        comparison: what `neuroact.compare` gave.
        ax: axes to draw into; None makes a figure of its own.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    check_axes(ax)
    width = name_width(comparison)
    names = [shown_name(name, width) for name in comparison]
    reports = len(comparison.labels)
    axes = row_axes(
        names, ax, least=0.1 + _BOX_HEIGHT * reports, below=legend_height(reports, _COLUMNS)
    )
    layers = [layer for entry in comparison.values() for layer in entry.layers.values()]
    hertz, height = in_hertz(layers), 0.8 / reports
    boxes = []
    for row, entry in enumerate(comparison.values()):
        for place, (label, colour) in enumerate(
            zip(comparison.labels, colours(reports), strict=True)
        ):
            layer, at = entry.layers.get(label), row + (place + 0.5) * height - 0.4
            missing = "no such layer" if layer is None else short_problem(layer)
            if layer is not None and not missing:
                boxes.append(box_stats(layer).times(per_unit(layer, hertz)))
                draw_box(axes, at, boxes[-1], height=0.8 * height, colour=colour)
            else:
                across = axes.get_yaxis_transform()
                axes.text(0.01, at, missing, transform=across, va="center", fontsize=SMALL)
    axes.set_xlabel(activity_label(layers))
    axes.set_xlim(*box_limits(boxes))
    axes.set_title(caption(boxes), fontsize=SMALL, loc="right")
    plain_look(axes, grid="x")
    _legend(axes, comparison.labels)
    return axes


def _legend(axes: Axes, labels: tuple[str, ...]) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=colour, edgecolor="black", linewidth=0.5, label=shown_name(label, 24))
        for label, colour in zip(labels, colours(len(labels)), strict=True)
    ]
    legend_below(axes, handles, columns=_COLUMNS)

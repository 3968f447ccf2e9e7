"""A bar per layer: its synaptic operations, in front of what it would do without any zero."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from neuroact.plots.figure import (
    COLOURS,
    SMALL,
    legend_below,
    legend_height,
    plain_look,
    shown_name,
)
from neuroact.plots.rows import name_width, row_axes, say_what_is_missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.operations import LayerOperations, Operations

_KINDS: Mapping[str, tuple[str, str]] = {
    "macs": ("MACs", COLOURS[5]),
    "acs": ("ACs", COLOURS[4]),
}
"""Parts of the effective operations: label and colour, in the order in which they are stacked."""
_DENSE = "0.87"
_HEIGHT = 0.62
_BELOW = 0.12  # inches that a label of two lines takes more
_MOST_APART = 200.0  # below this share of the longest bar, another is hardly seen on a linear axis
_ROOM = 1.15  # of a logarithmic axis, to the right of the longest bar
_LABEL = "synaptic operations\n(over everything recorded{})"
_CAPTION = "at the right: MACs and ACs as a share of dense"


def operations_plot(operations: Operations, *, ax: Axes | None = None) -> Axes:
    r"""A row per layer: its dense operations in grey, and in front of them its MACs and ACs.

    Layers are in the model's order from the top. MACs and ACs are stacked, and their share of dense
    stands at the right. If some bar would be hardly seen beside the longest one, the axis is
    logarithmic. Stacked lengths have no meaning there: where a layer has both, its row has MACs in
    the upper half and ACs in the lower one, each from the left end. The row of a module that is not
    counted says so; `Operations.not_counted` has the reason.

    Args:
        operations: what to show.
        ax: axes to draw into; None makes a figure of its own, as high as its layers need.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingExtraError: matplotlib is not installed.

    >>> from neuroact.plots import operations_plot
    >>> from neuroact.results.operations import Operations
    >>> operations_plot(Operations([])).get_xlabel()
    'synaptic operations\n(over everything recorded)'
    """
    layers, missing = list(operations.values()), list(operations.not_counted)
    names = [layer.name for layer in layers] + missing
    width = name_width(names)
    logarithmic = _logarithmic(layers)
    labels = [shown_name(name, width) for name in names]
    axes = row_axes(labels, ax, below=_BELOW + legend_height(1, 1))
    _scale(axes, layers, logarithmic=logarithmic)
    across = axes.get_yaxis_transform()
    for row, layer in enumerate(layers):
        axes.barh(row, layer.dense, 1.25 * _HEIGHT, color=_DENSE)
        for figure, start, height, place in _bars(layer, logarithmic=logarithmic):
            length = getattr(layer, figure)
            axes.barh(row + place, length, height, start, color=_KINDS[figure][1])
        axes.text(1.01, row, percent_of_dense(layer), transform=across, va="center", fontsize=SMALL)
    say_what_is_missing(axes, ["" for _ in layers] + ["not counted" for _ in missing])
    axes.set_xlabel(_LABEL.format(", logarithmic" if logarithmic else ""))
    axes.set_title(_CAPTION, fontsize=SMALL, loc="right")
    plain_look(axes, grid="x")
    _legend(axes)
    return axes


def _bars(layer: LayerOperations, *, logarithmic: bool) -> Iterator[tuple[str, int, float, float]]:
    """Of each kind of operation that the layer did: where its bar starts, its height and place."""
    done = [figure for figure in _KINDS if getattr(layer, figure)]
    halves = logarithmic and len(done) > 1
    start = 0
    for at, figure in enumerate(done):
        if halves:
            yield figure, 0, _HEIGHT / 2, (at - 0.5) * _HEIGHT / 2
        else:
            yield figure, start, _HEIGHT, 0.0
            start += getattr(layer, figure)


def _logarithmic(layers: list[LayerOperations]) -> bool:
    """Whether the shortest bar is hardly seen beside the longest one."""
    lengths = _lengths(layers)
    return bool(lengths) and max(lengths) > _MOST_APART * min(lengths)


def _lengths(layers: list[LayerOperations]) -> list[int]:
    bars = [(layer.dense, *(getattr(layer, figure) for figure in _KINDS)) for layer in layers]
    return [length for found in bars for length in found if length]


def _scale(axes: Axes, layers: list[LayerOperations], *, logarithmic: bool) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    lengths = _lengths(layers)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(lengths) / 2, max(lengths) * _ROOM)
        return
    axes.set_xlim(0, max(lengths, default=1) * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))


def percent_of_dense(layer: LayerOperations) -> str:
    """The share of dense that is effective, as text; a dash if it is not known."""
    return "-" if math.isnan(layer.share) else f"{100 * layer.share:.3g} %"


def _legend(axes: Axes) -> None:
    from matplotlib.patches import Patch

    shown = {"dense": _DENSE, **dict(_KINDS.values())}
    handles = [Patch(facecolor=colour, label=label) for label, colour in shown.items()]
    legend_below(axes, handles, columns=len(handles))

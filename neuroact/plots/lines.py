"""A line for each layer. Of many lines some have a colour and a name; the others are grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroact.plots.figure import (
    COLUMN,
    FONT,
    PLAIN,
    Colors,
    layer_colours,
    legend_below,
    legend_height,
    new_axes,
    shown_name,
)
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED = 7
"""Up to so many lines are named in a legend. Of more, so many are."""

_DARK = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_OTHERS = "0.8"
_NARROW = 24  # characters of a name with two names side by side


def line_axes(layers: Sequence[LayerActivity], ax: Axes | None, *, height: float = 2.0) -> Axes:
    """Axes for a line per layer, with room for the legend."""
    if ax is not None:
        return ax
    named = [layers[at] for at in named_lines(len(layers))]
    lines = sum(shown_name(x.name, _width(named)).count("\n") + 1 for x in named)
    return new_axes(COLUMN, height + legend_height(lines, _columns(named)) + 0.02 * lines)


def named_lines(number: int) -> list[int]:
    """Which lines have a name: all, or `MOST_NAMED` of them from the first to the last.

    >>> from neuroact.plots.lines import named_lines
    >>> named_lines(3), named_lines(40)
    ([0, 1, 2], [0, 6, 13, 20, 26, 32, 39])
    """
    places = np.linspace(0, number - 1, min(number, MOST_NAMED)).round()
    return [int(place) for place in places]


def line_colours(layers: Sequence[LayerActivity], given: Colors = None) -> list[str]:
    """A colour for each line, dark enough for a thin line on white; grey for those not named."""
    own = [_OTHERS] * len(layers)
    for at, colour in zip(named_lines(len(layers)), _DARK, strict=False):
        own[at] = colour
    return layer_colours(layers, given, own)


def name_lines(
    axes: Axes, layers: Sequence[LayerActivity], shades: Sequence[str], missing: Sequence[str] = ()
) -> None:
    """Name lines in a legend. The title says which have no name, and which layers no line.

    Args:
        axes: where the lines are.
        layers: a layer for each line.
        shades: a colour for each line.
        missing: names of layers without a line.
    """
    from matplotlib.lines import Line2D

    places = named_lines(len(layers))
    named = [layers[at] for at in places]
    handles: list[Any] = [
        Line2D([], [], color=shades[at], linewidth=1.4, label=shown_name(x.name, _width(named)))
        for at, x in zip(places, named, strict=True)
    ]
    if handles:
        legend_below(axes, handles, columns=_columns(named))
    title = [about_named(len(layers))] if len(layers) > MOST_NAMED else []
    if missing:
        text = "without a line: " + ", ".join(missing[:4])
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        title.append(shown_name(text + more, 60))
    if title:
        axes.set_title("\n".join(title), fontsize=FONT - 1, loc="right", **PLAIN)


def about_named(number: int) -> str:
    """Which lines of so many are named, in words."""
    return f"named: {MOST_NAMED} of {number:,} layers, evenly spaced in order; grey: the others"


def _width(layers: Sequence[LayerActivity]) -> int:
    return _NARROW if _columns(layers) == 2 else 2 * _NARROW


def _columns(layers: Sequence[LayerActivity]) -> int:
    return 2 if max((len(layer.name) for layer in layers), default=0) <= _NARROW else 1

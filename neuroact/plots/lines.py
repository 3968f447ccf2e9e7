"""A line for each layer. Few lines have a colour each; many go through a colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neuroact.plots.figure import (
    COLOUR_MAP,
    COLUMN,
    FONT,
    colours,
    legend_below,
    legend_height,
    new_axes,
    shown_name,
)
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED = 7
"""Up to so many lines are named in a legend. More are coloured by their place in the network."""

_NARROW = 24  # characters of a name with two names side by side


def line_axes(layers: Sequence[LayerActivity], ax: Axes | None, *, height: float = 2.0) -> Axes:
    """Axes for a line per layer, with room for the legend."""
    if ax is not None:
        return ax
    below = 0.0
    if len(layers) <= MOST_NAMED:
        lines = sum(shown_name(x.name, _width(layers)).count("\n") + 1 for x in layers)
        below = legend_height(lines, _columns(layers)) + 0.02 * lines
    return new_axes(COLUMN, height + below)


def line_colours(number: int) -> list[str]:
    """Colours for a number of lines, dark enough for a thin line on white."""
    dark = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
    return dark[:number] if number <= MOST_NAMED else colours(number)


def line_width(number: int) -> float:
    """Line width in points. Many lines are thinner."""
    return 1.1 if number <= MOST_NAMED else 0.6


def name_lines(axes: Axes, layers: Sequence[LayerActivity], missing: Sequence[str] = ()) -> None:
    """Name the lines in a legend or by a colour bar, and layers without a line in the title."""
    if len(layers) > MOST_NAMED:
        _colour_bar(axes, len(layers))
    elif layers:
        from matplotlib.lines import Line2D

        handles: list[Any] = [
            Line2D([], [], color=colour, linewidth=1.4, label=shown_name(x.name, _width(layers)))
            for x, colour in zip(layers, line_colours(len(layers)), strict=True)
        ]
        legend_below(axes, handles, columns=_columns(layers))
    if missing:
        text = "without a line: " + ", ".join(missing[:4])
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        axes.set_title(shown_name(text + more, 60), fontsize=FONT - 1, loc="right")


def _width(layers: Sequence[LayerActivity]) -> int:
    return _NARROW if _columns(layers) == 2 else 2 * _NARROW


def _columns(layers: Sequence[LayerActivity]) -> int:
    return 2 if max((len(layer.name) for layer in layers), default=0) <= _NARROW else 1


def _colour_bar(axes: Axes, layers: int) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    shades = ListedColormap(colours(layers), name=COLOUR_MAP)
    scale = ScalarMappable(Normalize(0.5, layers + 0.5), shades)
    bar = axes.figure.colorbar(scale, ax=axes, pad=0.02, aspect=30)
    bar.set_ticks([1, layers])
    bar.ax.tick_params(labelsize=FONT, length=0)
    bar.set_label("layer, in the report's order", fontsize=FONT)
    bar.outline.set_visible(False)

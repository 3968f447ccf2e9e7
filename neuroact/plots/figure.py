"""What all pictures share: figures, colours, type sizes, files.

Figures are made without pyplot. So no backend is chosen, no window opens, and no global state is
kept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from neuroact.atomic_file import checked_path, write_bytes
from neuroact.card import came
from neuroact.errors import MissingExtraError
from neuroact.printable import printable
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind
from neuroact.table import folded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

Colors: TypeAlias = "str | Sequence[str] | Mapping[str, str] | None"
"""Colours of layers: one for all, one for each layer drawn, or some by name or glob."""

FORMATS = ("png", "svg", "pdf")
COLUMN = 3.3
"""Width of a paper's column in inches. Figures have this width unless names need more."""

FONT, SMALL = 7, 6  # points: as captions in papers, and a little smaller
_DPI = 300
_MOST_INCHES = 200  # a PNG side has fewer than 2^16 pixels
# Okabe and Ito's palette, which colour-blind people can tell apart. Its yellow is left out, because
# it is hardly seen on white.
COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#999999")
FILL, ALARM = COLOURS[0], "#B34700"  # vermillion, dark enough for small type
COLOUR_MAP = "cividis"
# A layer's name is plain text, neither mathtext nor TeX.
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}


def new_axes(width: float = COLUMN, height: float = 2.2) -> Axes:
    """Axes in a new figure; its size is in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as cause:
        raise MissingExtraError("matplotlib", extra="plots", purpose="drawing a report") from cause
    return Figure(figsize=(width, min(height, _MOST_INCHES)), layout="constrained").add_subplot()


def check_axes(ax: object) -> None:
    """Check that there are axes to draw into, or None for a figure of its own.

    Raises:
        TypeError: it is something else; says what came.
    """
    if ax is not None and not hasattr(ax, "figure"):
        raise TypeError(f"expected ax= to be axes of matplotlib, came {came(ax)}")


def save_figure(axes: Axes, path: str | os.PathLike[str]) -> None:
    """Write the figure of the axes to a file, whole or not at all.

    Args:
        axes: any axes of the figure.
        path: the file. Its ending, one of `FORMATS`, is the format.

    Raises:
        ValueError: another ending.
        TypeError: the path is neither a text nor a path.
        FileNotFoundError: the folder does not exist.
    """
    target = Path(checked_path(path))
    ending = target.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        expected = " or ".join(f".{name}" for name in FORMATS)
        raise ValueError(f'expected a file name that ends in {expected}, came "{target}"')
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f'cannot write "{target}": there is no folder "{target.parent}"; make it first'
        )
    write_bytes(target, image_bytes(axes, ending))


def image_bytes(axes: Axes, form: str) -> bytes:
    """The figure of the axes as the bytes of a file. Equal figures give equal bytes.

    Args:
        axes: any axes of the figure.
        form: one of `FORMATS`.
    """
    import matplotlib

    image = io.BytesIO()
    # No date and no random identifiers: equal figures give equal bytes.
    dates = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with matplotlib.rc_context({"svg.hashsalt": "neuroact"}):
        axes.figure.figure.savefig(image, format=form, dpi=_DPI, metadata=dates[form])
    return image.getvalue()


def plain_look(axes: Axes, *, grid: str | None = None) -> None:
    """Set small type, remove the box, and draw a fine grid on the axis that `grid` names."""
    axes.tick_params(labelsize=FONT)
    axes.xaxis.label.set_fontsize(FONT)
    axes.yaxis.label.set_fontsize(FONT)
    axes.spines[["top", "right"]].set_visible(False)
    if grid is not None:
        axes.grid(axis=grid, color="0.9", linewidth=0.6)  # type: ignore[arg-type]  # "x" or "y"
        axes.set_axisbelow(True)


def colours(number: int) -> list[str]:
    """Colours for a number of lines or boxes: `COLOURS` if enough, else from dark to light.

    Light yellow is left out, because it is hardly seen on white.
    """
    if number <= len(COLOURS):
        return list(COLOURS[:number])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[COLOUR_MAP](0.15 + 0.75 * n / (number - 1))) for n in range(number)]


def layer_colours(
    layers: Sequence[LayerActivity], given: Colors, otherwise: Sequence[str]
) -> list[str]:
    """A colour for each layer drawn: the given one, or the picture's own.

    Args:
        layers: the layers drawn, in their order.
        given: what the user wants. In a mapping, a name counts before a glob.
        otherwise: the picture's own colours, for layers that a mapping does not name.

    Raises:
        ValueError: there are more or fewer colours than layers, or one is no colour.
        TypeError: these are no colours.
    """
    from matplotlib.colors import is_color_like

    if given is None:
        return list(otherwise)
    if isinstance(given, str):
        found = [given] * len(layers)
    elif isinstance(given, Mapping):
        found = [_by_name(x.name, given) or own for x, own in zip(layers, otherwise, strict=True)]
    elif isinstance(given, Iterable):
        found = list(given)
    else:
        raise TypeError(
            "expected colors= to be a colour, a list of them, or a mapping from names of layers to "
            f"colours, came {came(given)}"
        )
    if len(found) != len(layers):
        raise ValueError(
            f"expected colors= to have a colour for each of the {len(layers)} layers drawn, came "
            f"{len(found)}; a mapping from names to colours may leave layers out"
        )
    for colour in found:
        if not is_color_like(colour):
            raise ValueError(
                f'expected colors= to have colours such as "#0072B2" or "orange", came {colour!r}'
            )
    return found


def _by_name(name: str, given: Mapping[str, str]) -> str | None:
    globs = (colour for pattern, colour in given.items() if fnmatchcase(name, pattern))
    return given.get(name) or next(globs, None)


def whole_ticks(axis: Axis) -> None:
    """Label whole numbers only, such as of steps or neurons."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))


def legend_height(entries: int, columns: int) -> float:
    """Inches that a legend below the axes needs."""
    return 0.14 * -(-entries // columns) + 0.1


def legend_below(axes: Axes, handles: Sequence[Any], *, columns: int) -> None:
    """Put a legend below the label of the x axis."""
    lines = axes.get_xlabel().count("\n") + 1
    legend = axes.legend(
        handles=handles,
        fontsize=SMALL,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        # Room for ticks, tick labels and the axis label, in units of the legend's font size.
        borderaxespad=(20 + 1.3 * FONT * lines) / SMALL,
        ncols=min(columns, len(handles)) or 1,
    )
    for text in legend.get_texts():
        text.set(**PLAIN)


def shown_name(name: str, width: int) -> str:
    """A name made printable, in lines of at most `width` characters."""
    return "\n".join(folded(printable(name), width))


def in_hertz(layers: Iterable[LayerActivity]) -> bool:
    """Whether activities can be shown in Hz: all layers are binary and have a `dt`."""
    found = list(layers)
    return bool(found) and all(x.dt is not None and x.kind is SignalKind.BINARY for x in found)


def unit_of(layers: Iterable[LayerActivity]) -> str:
    """The unit of activity: spikes if all layers are binary, else values."""
    return "spikes" if all(x.kind is SignalKind.BINARY for x in layers) else "values"


def activity_label(layers: Iterable[LayerActivity], *, hertz: bool | None = None) -> str:
    """Label of an axis of neurons' average activity, with its unit.

    Args:
        layers: the layers shown.
        hertz: whether they are shown in Hz. None: if possible.
    """
    found = list(layers)
    if in_hertz(found) if hertz is None else hertz:
        return "average firing rate of a neuron (Hz)"
    return f"average activity\n({unit_of(found)} per neuron and time step)"


def per_unit(layer: LayerActivity, hertz: bool) -> float:
    """The factor from a layer's activity to the number shown."""
    return 1 / layer.dt if hertz and layer.dt is not None else 1.0

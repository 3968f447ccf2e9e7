"""What all pictures share: figures without pyplot, colours, type sizes, files.

Figures are made without pyplot: no backend is chosen, no window opened, no global state kept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroact.atomic_file import write_bytes
from neuroact.errors import MissingExtraError
from neuroact.printable import printable
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind
from neuroact.table import folded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

FORMATS = ("png", "svg", "pdf")
COLUMN = 3.3
"""Width of a paper's column in inches: that of every figure whose names leave room for it."""

FONT, SMALL = 7, 6  # points: what a paper's own captions have, and what stands beside
_DPI = 300
_MOST_INCHES = 200  # a PNG of 2^16 pixels or more cannot be made
# Okabe and Ito's palette without its yellow, which is lost on white: told apart by people who see
# colours differently.
COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#999999")
FILL, ALARM = COLOURS[0], "#B34700"  # vermillion, dark enough for small type
COLOUR_MAP = "cividis"
# A layer's name is text: neither mathtext nor TeX.
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}


def new_axes(width: float = COLUMN, height: float = 2.2) -> Axes:
    """Axes of a figure of their own, in inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as cause:
        raise MissingExtraError("matplotlib", extra="plots", purpose="drawing a report") from cause
    return Figure(figsize=(width, min(height, _MOST_INCHES)), layout="constrained").add_subplot()


def save_figure(axes: Axes, path: str | os.PathLike[str]) -> None:
    """Write the figure that the axes belong to; the file is written whole or not at all.

    Args:
        axes: any axes of the figure.
        path: where to; its ending, one of `FORMATS`, says the format.

    Raises:
        ValueError: another ending.
        FileNotFoundError: the folder does not exist.
    """
    target = Path(path)
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
    """The figure that the axes belong to as a file's content, the same for the same figure.

    Args:
        axes: any axes of the figure.
        form: one of `FORMATS`.
    """
    import matplotlib

    image = io.BytesIO()
    # Without a date and random identifiers the same figure gives the same file.
    dates = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with matplotlib.rc_context({"svg.hashsalt": "neuroact"}):
        axes.figure.figure.savefig(image, format=form, dpi=_DPI, metadata=dates[form])
    return image.getvalue()


def plain_look(axes: Axes, *, grid: str | None = None) -> None:
    """Small type, no box around; fine lines across one axis where `grid` names it."""
    axes.tick_params(labelsize=FONT)
    axes.xaxis.label.set_fontsize(FONT)
    axes.yaxis.label.set_fontsize(FONT)
    axes.spines[["top", "right"]].set_visible(False)
    if grid is not None:
        axes.grid(axis=grid, color="0.9", linewidth=0.6)  # type: ignore[arg-type]  # "x" or "y"
        axes.set_axisbelow(True)


def colours(number: int) -> list[str]:
    """Colours for so many lines or boxes: of `COLOURS`, or in order from dark to light.

    Light yellow, which is lost on white, is not among them.
    """
    if number <= len(COLOURS):
        return list(COLOURS[:number])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[COLOUR_MAP](0.15 + 0.75 * n / (number - 1))) for n in range(number)]


def whole_ticks(axis: Axis) -> None:
    """Label whole numbers only: of steps, of neurons."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))


def legend_height(entries: int, columns: int) -> float:
    """Inches that a legend below the axes takes."""
    return 0.14 * -(-entries // columns) + 0.1


def legend_below(axes: Axes, handles: Sequence[Any], *, columns: int) -> None:
    """A legend under the label of the axes."""
    lines = axes.get_xlabel().count("\n") + 1
    legend = axes.legend(
        handles=handles,
        fontsize=SMALL,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        # Ticks, their labels and the axis' own, in units of the legend's type.
        borderaxespad=(20 + 1.3 * FONT * lines) / SMALL,
        ncols=min(columns, len(handles)) or 1,
    )
    for text in legend.get_texts():
        text.set(**PLAIN)


def shown_name(name: str, width: int) -> str:
    """A layer's name as text of lines of at most so many characters."""
    return "\n".join(folded(printable(name), width))


def in_hertz(layers: Iterable[LayerActivity]) -> bool:
    """Whether activities can be shown as firing rates: spikes, of steps of a known time."""
    found = list(layers)
    return bool(found) and all(x.dt is not None and x.kind is SignalKind.BINARY for x in found)


def unit_of(layers: Iterable[LayerActivity]) -> str:
    """What is counted: spikes, or values where a layer emits others than 0 and 1."""
    return "spikes" if all(x.kind is SignalKind.BINARY for x in layers) else "values"


def activity_label(layers: Iterable[LayerActivity], *, hertz: bool | None = None) -> str:
    """Label of an axis of neurons' average activity, with its unit.

    Args:
        layers: those shown.
        hertz: whether they are shown in Hz; where None, whether they can be.
    """
    found = list(layers)
    if in_hertz(found) if hertz is None else hertz:
        return "average firing rate of a neuron (Hz)"
    return f"average activity\n({unit_of(found)} per neuron and time step)"


def per_unit(layer: LayerActivity, hertz: bool) -> float:
    """What an activity is multiplied by to be shown."""
    return 1 / layer.dt if hertz and layer.dt is not None else 1.0

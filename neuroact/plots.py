"""A report as a picture; needs the extra `plots`.

Figures are made without pyplot: no backend is chosen, no window opened, no global state kept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.activity import LayerActivity
from neuroact.errors import MissingExtraError
from neuroact.files import write_bytes
from neuroact.stream import SignalKind
from neuroact.table import folded, printable, why_no_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.report import ActivityReport

FORMATS = ("png", "svg", "pdf")
MOST_OUTLIERS = 100
"""Most outliers drawn for one layer."""

_NAME_WIDTH = 34  # characters of a layer's name on one line
_DPI = 150
_MOST_INCHES = 400  # a PNG of 2^16 pixels or more cannot be made
# Okabe and Ito's palette: told apart by people who see colours differently, and in grey.
_BOX, _MEAN = "#56B4E9", "#D55E00"
_CAPTION = (
    "box: quartiles and median; diamond: mean; whiskers: 1.5 IQR\n"
    "circles: neurons beyond, each activity once"
)
# A layer's name is text: neither mathtext nor TeX.
_PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}


@dataclass(frozen=True, slots=True)
class BoxStats:
    """What a layer's box shows.

    Attributes:
        q1: lower edge, the first quartile.
        median: line in the box.
        q3: upper edge, the third quartile.
        mean: diamond.
        low: end of the lower whisker, the lowest activity of `q1 - 1.5 (q3 - q1)` or more.
        high: end of the upper whisker, the highest activity of `q3 + 1.5 (q3 - q1)` or less.
        outliers: activities beyond the whiskers, each once, ascending. Of more than
            `MOST_OUTLIERS`, that many, evenly by rank, the lowest and the highest among them.
        outliers_left_out: number of different activities that are beyond and not drawn.
    """

    q1: float
    median: float
    q3: float
    mean: float
    low: float
    high: float
    outliers: NDArray[np.float64]
    outliers_left_out: int


def box_stats(layer: LayerActivity) -> BoxStats:
    """What a layer's box shows; Tukey's rule, as matplotlib and most others have it.

    Where nothing fired everything is 0. Everything is NaN, without outliers, where the layer's
    figures are.

    >>> import numpy as np
    >>> from neuroact import LayerActivity, SignalKind
    >>> from neuroact.plots import box_stats
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=1, events=np.array([1, 1, 2, 2, 3, 9]),
    ... )
    >>> stats = box_stats(layer)
    >>> stats.low, stats.high, stats.outliers.tolist()
    (0.1, 0.3, [0.9])
    """
    q1, q3 = layer.q1, layer.q3
    reach = 1.5 * (q3 - q1)
    # NaN compares false with everything, so a layer without figures has neither.
    within = layer.activity[(layer.activity >= q1 - reach) & (layer.activity <= q3 + reach)]
    # A quartile lies between two activities; the whisker never ends inside the box.
    low = float(min(q1, within.min(initial=np.inf)))
    high = float(max(q3, within.max(initial=-np.inf)))
    beyond = np.unique(layer.activity[(layer.activity < low) | (layer.activity > high)])
    ranks = np.linspace(0, max(len(beyond) - 1, 0), min(len(beyond), MOST_OUTLIERS))
    outliers = beyond[ranks.round().astype(np.intp)]
    left_out = len(beyond) - len(outliers)
    return BoxStats(q1, layer.median, q3, layer.mean, low, high, outliers, left_out)


def box_plot(report: ActivityReport, *, ax: Axes | None = None) -> Axes:
    """A box per layer of its neurons' average activity, in the report's order from the top.

    `box_stats` says what a box shows. A layer without figures, and one never called, keeps an
    empty place that says why. The axis spans the data; where nothing was measured, 0 to 1.

    Args:
        report: what to show.
        ax: axes to draw into; None makes a figure of its own, as high as its layers need.

    Returns:
        The axes drawn into. Nothing is shown on a screen.

    Raises:
        MissingExtraError: matplotlib is not installed.

    >>> import numpy as np
    >>> from neuroact import ActivityReport, LayerActivity, SignalKind
    >>> from neuroact.plots import box_plot
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=1, events=np.array([0, 5, 10]),
    ... )
    >>> box_plot(ActivityReport([layer])).get_xlabel()
    'average activity (spikes per neuron and time step)'
    """
    slots = _slots(report)
    axes = _new_axes(slots) if ax is None else ax
    for row, slot in enumerate(slots):
        if slot.stats is not None:
            _draw_box(axes, row, slot.stats)
    _label_rows(axes, slots)
    _label_values(axes, slots, report)
    return axes


def save_figure(axes: Axes, path: str | os.PathLike[str]) -> None:
    """Write the figure that the axes belong to; the file is written whole or not at all.

    Args:
        axes: any axes of the figure.
        path: where to; its ending, one of `FORMATS`, says the format.

    Raises:
        ValueError: another ending.
        FileNotFoundError: the folder does not exist.
    """
    import matplotlib

    target = Path(path)
    ending = target.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        expected = " or ".join(f".{name}" for name in FORMATS)
        raise ValueError(f'expected a file name that ends in {expected}, came "{target}"')
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f'cannot write "{target}": there is no folder "{target.parent}"; make it first'
        )
    image = io.BytesIO()
    # Without a date and random identifiers the same figure gives the same file.
    dates = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with matplotlib.rc_context({"svg.hashsalt": "neuroact"}):
        axes.figure.figure.savefig(image, format=ending, dpi=_DPI, metadata=dates[ending])
    write_bytes(target, image.getvalue())


@dataclass(frozen=True, slots=True)
class _Slot:
    """One layer's place on the axis."""

    label: str
    stats: BoxStats | None
    missing: str = ""

    @property
    def lines(self) -> int:
        return self.label.count("\n") + 1


def _slots(report: ActivityReport) -> list[_Slot]:
    called = [_slot(layer) for layer in report.values()]
    return called + [_Slot(_name(name), None, "never called") for name in report.not_called]


def _slot(layer: LayerActivity) -> _Slot:
    spikes = layer.kind is SignalKind.BINARY
    label = _name(layer.name if spikes else f"{layer.name} ({layer.kind.value})")
    missing = _missing(layer)
    return _Slot(label, None if missing else box_stats(layer), missing)


def _name(name: str) -> str:
    return "\n".join(folded(printable(name), _NAME_WIDTH))


def _missing(layer: LayerActivity) -> str:
    # Shorter than `fault`, which would not fit into a narrow figure.
    if layer.nonfinite:
        return "no figures: NaN or infinity emitted"
    if layer.not_binary:
        return "no figures: not only 0 and 1 emitted"
    if why_no_figures(layer) is not None:
        return "no figures: nothing observed"
    return ""


def _new_axes(slots: Sequence[_Slot]) -> Axes:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as cause:
        raise MissingExtraError("matplotlib", extra="plots", purpose="drawing a report") from cause
    longest = max((len(line) for s in slots for line in s.label.split("\n")), default=0)
    rows = sum(max(0.26, 0.13 * slot.lines + 0.06) for slot in slots)
    height = min(max(1.9, 1.2 + rows), _MOST_INCHES)
    return Figure(figsize=(4.8 + 0.07 * longest, height), layout="constrained").add_subplot()


def _draw_box(axes: Axes, row: int, box: BoxStats) -> None:
    # Axes.bxp reads every rcParam, the backend among them: that imports pyplot and chooses one.
    line: dict[str, Any] = {"colors": "black", "linewidth": 0.8}
    axes.hlines([row, row], [box.low, box.q3], [box.q1, box.high], **line)
    axes.vlines([box.low, box.high], row - 0.15, row + 0.15, **line)
    width = box.q3 - box.q1
    axes.barh(row, width, 0.6, box.q1, color=_BOX, edgecolor="black", linewidth=0.8)
    axes.vlines(box.median, row - 0.3, row + 0.3, colors="black", linewidth=1.8)
    axes.plot(box.mean, row, "D", ms=4, mfc=_MEAN, mec="white", mew=0.6)
    axes.plot(box.outliers, [row] * len(box.outliers), "o", ms=2.5, mfc="none", mec="0.35", mew=0.5)


def _label_rows(axes: Axes, slots: Sequence[_Slot]) -> None:
    axes.set_yticks(range(len(slots)), [slot.label for slot in slots], fontsize=8, **_PLAIN)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(slots), 1) - 0.4, -0.6)
    across = axes.get_yaxis_transform()
    for row, slot in enumerate(slots):
        if slot.missing:
            axes.text(0.01, row, slot.missing, transform=across, va="center", fontsize=8)


def _label_values(axes: Axes, slots: Sequence[_Slot], report: ActivityReport) -> None:
    binary = all(layer.kind is SignalKind.BINARY for layer in report.values())
    unit = "spikes" if binary else "spikes or values"
    axes.set_xlabel(f"average activity ({unit} per neuron and time step)", fontsize=9)
    boxes = [slot.stats for slot in slots if slot.stats is not None]
    most = f", at most {MOST_OUTLIERS} a layer" if any(b.outliers_left_out for b in boxes) else ""
    axes.set_title(_CAPTION + most, fontsize=7, loc="right")
    axes.set_xlim(*_limits(boxes))
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _limits(boxes: Sequence[BoxStats]) -> tuple[float, float]:
    """Ends of the axis: a little beyond everything drawn, and never one point."""
    ends = [x for box in boxes for x in (box.low, box.high, box.mean, *box.outliers)]
    lowest, highest = min(ends, default=0.0), max(ends, default=1.0)
    if lowest == highest:
        lowest, highest = (lowest - 0.05, highest + 0.05) if lowest else (0.0, 1.0)
    margin = 0.04 * (highest - lowest)
    return lowest - margin, highest + margin

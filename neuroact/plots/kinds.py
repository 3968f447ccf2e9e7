"""The kinds of pictures by name, for `ActivityReport.plot` and the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from neuroact.errors import MissingOperationsError
from neuroact.plots.box import box_plot
from neuroact.plots.classes import class_plot
from neuroact.plots.curve import curve_plot
from neuroact.plots.figure import Colors, check_axes
from neuroact.plots.intervals import interval_plot
from neuroact.plots.neurons import neuron_map
from neuroact.plots.operations import operations_plot
from neuroact.plots.raster import raster_plot
from neuroact.plots.signal import signal_plot, signal_time_plot
from neuroact.plots.time import time_plot
from neuroact.plots.violin import violin_plot
from neuroact.printable import printable
from neuroact.results.layer_activity import SPREAD, LayerActivity
from neuroact.results.operations import Operations

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers

OF_REPORTS: dict[str, Callable[..., Axes]] = {
    "box": box_plot,
    "violin": violin_plot,
    "curve": curve_plot,
    "time": time_plot,
    "intervals": interval_plot,
    "signal": signal_plot,
    "signal-time": signal_time_plot,
}
"""Pictures of all layers, or of a chosen one."""

OF_LAYERS: dict[str, Callable[..., Axes]] = {
    "neurons": neuron_map,
    "raster": raster_plot,
    "classes": class_plot,
}
"""Pictures of one layer."""

KINDS = (*OF_REPORTS, *OF_LAYERS, "operations")
"""Every kind of picture."""

ORDERS = ("model", "name", *SPREAD, "sparsity", "dead", "saturated", "neurons")
"""Every order of a picture's layers."""


def draw(
    report: Layers,
    kind: str = "box",
    *,
    layer: str | None = None,
    layers: str | Sequence[str] | None = None,
    order: str = "model",
    colors: Colors = None,
    ax: Axes | None = None,
) -> Axes:
    """A picture of a report; see `ActivityReport.plot`.

    Raises:
        ValueError: there is no such kind or order; it shows one layer, and several are chosen;
            `layer` and `layers` are both given; or the colours fit neither kind nor layers.
        UnknownLayerError: the report has no such layer.
        MissingOperationsError: the kind is "operations", which were not recorded.
    """
    if kind not in KINDS:
        raise ValueError(f"expected kind= to be one of {', '.join(KINDS)}, came {kind!r}")
    check_axes(ax)
    if layer is not None and layers is not None:
        raise ValueError("expected layer= or layers=, came both")
    if colors is not None and kind not in OF_REPORTS:
        raise ValueError(
            f'expected no colors= for kind="{kind}", whose colours have a meaning; they are for '
            + ", ".join(OF_REPORTS)
        )
    if kind == "operations":
        found = _operations(report)
        wanted = layers if layer is None else found[layer].name
        return operations_plot(_chosen_operations(found, wanted, order), ax=ax)
    shown = chosen_layers(report, layers if layer is None else report[layer].name, order)
    if kind in OF_REPORTS:
        return OF_REPORTS[kind](shown, colors=colors, ax=ax)
    if len(shown) != 1:
        names = ", ".join(map(printable, report)) or "none"
        raise ValueError(f'kind="{kind}" shows one layer: say which with layer=, one of {names}')
    return OF_LAYERS[kind](next(iter(shown.values())), ax=ax)


def chosen_layers(
    report: Layers, layers: str | Sequence[str] | None = None, order: str = "model"
) -> Layers:
    """The layers of a report that names or globs choose, in an order.

    Args:
        report: the report.
        layers: names, aliases or globs; None for all.
        order: "model", "name" with numbers in their order, or a figure of layers, such as "mean":
            the largest first, layers without figures last.

    Raises:
        UnknownLayerError: nothing has such a name.
        ValueError: there is no such order.

    >>> import neuroact
    >>> from neuroact.plots.kinds import chosen_layers
    >>> recording = neuroact.Recording()
    >>> for name, spikes in {"lif1": [0, 1], "lif2": [1, 1], "head": [0, 0]}.items():
    ...     recording.observe(name, [[spikes]])
    >>> list(chosen_layers(recording.report(), "lif*", order="mean"))
    ['lif2', 'lif1']
    """
    if order not in ORDERS:
        raise ValueError(f"expected order= to be one of {', '.join(ORDERS)}, came {order!r}")
    if layers is None and order == "model":
        return report
    found, never = list(report.values()), list(report.not_called)
    if layers is not None:
        wanted = [layers] if isinstance(layers, str) else list(layers)
        for pattern in wanted:
            called = any(_fits(x.name, pattern, x.aliases) for x in found)
            if not called and not any(_fits(name, pattern) for name in never):
                report[pattern]  # raises the error that shows the nearest names
        found = [x for x in found if any(_fits(x.name, p, x.aliases) for p in wanted)]
        never = [name for name in never if any(_fits(name, p) for p in wanted)]
    if order == "name":
        found.sort(key=lambda layer: _natural(layer.name))
    elif order != "model":
        found.sort(key=lambda layer: _from_the_largest(layer, order))
    return type(report)(found, origin=report.origin, not_called=never)


def _fits(name: str, pattern: str, aliases: Sequence[str] = ()) -> bool:
    return name == pattern or pattern in aliases or fnmatchcase(name, pattern)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A key by which lif2 comes before lif10."""
    parts = re.split(r"([0-9]+)", name)
    return [(bool(at % 2), int(part) if at % 2 else 0, part) for at, part in enumerate(parts)]


def _from_the_largest(layer: LayerActivity, figure: str) -> tuple[bool, float]:
    value = float(getattr(layer, figure)) if layer.problem is None else math.nan
    return math.isnan(value), -value


def _operations(report: Layers) -> Operations:
    if report.recorded_operations is None:
        raise MissingOperationsError
    return report.recorded_operations


def _chosen_operations(
    found: Operations, wanted: str | Sequence[str] | None, order: str
) -> Operations:
    if order not in ("model", "name"):
        raise ValueError(
            f'expected order= to be "model" or "name" for kind="operations", came {order!r}'
        )
    if wanted is None and order == "model":
        return found
    patterns = ["*"] if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
    for pattern in patterns:
        if not any(_fits(name, pattern) for name in (*found, *found.not_counted)):
            found[pattern]  # raises the error that shows the nearest names
    chosen = [x for x in found.values() if any(_fits(x.name, p) for p in patterns)]
    if order == "name":
        chosen.sort(key=lambda layer: _natural(layer.name))
    missing = found.not_counted.items()
    left = {name: why for name, why in missing if any(_fits(name, p) for p in patterns)}
    return Operations(chosen, not_counted=left)

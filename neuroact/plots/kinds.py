"""The kinds of pictures by name, for `ActivityReport.plot` and the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from neuroact.errors import MissingOperationsError
from neuroact.plots.box import box_plot
from neuroact.plots.curve import curve_plot
from neuroact.plots.intervals import interval_plot
from neuroact.plots.neurons import neuron_map
from neuroact.plots.operations import operations_plot
from neuroact.plots.raster import raster_plot
from neuroact.plots.signal import signal_plot, signal_time_plot
from neuroact.plots.time import time_plot
from neuroact.plots.violin import violin_plot
from neuroact.printable import printable
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

OF_LAYERS: dict[str, Callable[..., Axes]] = {"neurons": neuron_map, "raster": raster_plot}
"""Pictures of one layer."""

KINDS = (*OF_REPORTS, *OF_LAYERS, "operations")
"""Every kind of picture."""


def draw(
    report: Layers, kind: str = "box", *, layer: str | None = None, ax: Axes | None = None
) -> Axes:
    """A picture of a report; see `ActivityReport.plot`.

    Raises:
        ValueError: there is no such kind; or it shows one layer, the report has several, and
            `layer` is None.
        UnknownLayerError: the report has no such layer.
        MissingOperationsError: the kind is "operations", which were not recorded.
    """
    if kind not in KINDS:
        raise ValueError(f"expected kind= to be one of {', '.join(KINDS)}, came {kind!r}")
    if kind == "operations":
        return operations_plot(_operations(report, layer), ax=ax)
    if kind in OF_REPORTS:
        return OF_REPORTS[kind](report if layer is None else _alone(report, layer), ax=ax)
    if layer is None and len(report) != 1:
        names = ", ".join(map(printable, report)) or "none"
        raise ValueError(f'kind="{kind}" shows one layer: say which with layer=, one of {names}')
    return OF_LAYERS[kind](report[next(iter(report)) if layer is None else layer], ax=ax)


def _operations(report: Layers, layer: str | None) -> Operations:
    found = report.recorded_operations
    if found is None:
        raise MissingOperationsError
    return found if layer is None else Operations([found[layer]])


def _alone(report: Layers, layer: str) -> Layers:
    return type(report)([report[layer]], origin=report.origin)

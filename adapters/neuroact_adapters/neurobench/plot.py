"""NeuroBench's results as a picture; needs the extra `plots`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neuroact.errors import MissingExtraError
from neuroact.plots import box_plot
from neuroact_adapters.result_files.neurobench import report

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot(figures: Mapping[str, Any], ax: Axes | None) -> Axes:
    """A box per layer; see `AverageActivityMetric.plot_activity_distributions`."""
    measured = [layer for layer in figures.values() if "timesteps" in layer]
    if all("histogram" in layer for layer in measured):
        drawn = report(figures)
        return box_plot(drawn, ax=_new_axes(len(figures)) if ax is None else ax)
    return _summary_plot(figures, _new_axes(len(figures)) if ax is None else ax)


def _summary_plot(figures: Mapping[str, Any], axes: Axes) -> Axes:
    """Boxes without outliers, for results without each neuron's figures."""
    boxes = [
        {
            "label": name if layer.get("mean") is not None else f"{name}\n(no figures)",
            "whislo": _drawn(layer, "min"),
            "q1": _drawn(layer, "q1"),
            "med": _drawn(layer, "median"),
            "q3": _drawn(layer, "q3"),
            "whishi": _drawn(layer, "max"),
            "mean": _drawn(layer, "mean"),
        }
        for name, layer in figures.items()
    ]
    axes.bxp(boxes, showfliers=False, showmeans=True)
    axes.tick_params(axis="x", rotation=45)
    axes.set_ylabel("average activity per neuron and time step")
    axes.set_title("box: quartiles and median; whiskers: least and most active neuron", fontsize=7)
    return axes


def _drawn(layer: Mapping[str, Any], name: str) -> float:
    value = layer.get(name)
    return float("nan") if value is None else value


def _new_axes(layers: int) -> Axes:
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as cause:
        raise MissingExtraError("matplotlib", extra="plots", purpose="drawing results") from cause
    size = (7.0, min(1.4 + 0.35 * layers, 400.0))
    axes: Axes = plt.figure(figsize=size, layout="constrained").add_subplot()
    return axes

"""Matplotlib figures as SVG inside a page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

    from neuroact.results.layers import Layers
    from neuroact.results.operations import Operations

_OF_REPORTS = {  # kind: title, and the statistic that it needs
    "box": ("Average activity of each layer's neurons", None),
    "curve": ("Neurons by activity, the most active first", None),
    "time": ("Activity over time", "TimeCourse"),
    "intervals": ("Interspike intervals", "InterspikeIntervals"),
    "signal": ("Values of each layer", "Signal"),
    "signal-time": ("Mean value over time", "Signal"),
}
_ENLARGED = 2.2  # pixels per point
# A style would apply to the whole page. The metadata names other sites.
_LEFT_OUT = ("metadata", "style")


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot in a page."""

    title: str
    svg: Markup


def report_pictures(report: Layers) -> tuple[Picture, ...]:
    """The plots of all layers, except those that need a statistic not recorded.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from neuroact.plots import draw

    kept = {name for layer in report.values() for name in layer.results}
    return tuple(
        Picture(title, inlined(draw(report, kind), title, f"plot-{kind}"))
        for kind, (title, needs) in _OF_REPORTS.items()
        if needs is None or needs in kept
    )


def operations_picture(operations: Operations) -> Picture:
    """The bars of synaptic operations.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from neuroact.plots import operations_plot

    title = "Synaptic operations of each layer"
    return Picture(title, inlined(operations_plot(operations), title, "plot-operations"))


def layer_pictures(layers: Mapping[int, LayerActivity]) -> dict[int, tuple[Picture, ...]]:
    """The plots of single layers: the spikes of one sequence, and a map of the neurons.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return {at: tuple(_of_layer(at, layer)) for at, layer in layers.items()}


def _of_layer(at: int, layer: LayerActivity) -> Iterator[Picture]:
    from neuroact.plots import neuron_map, raster_plot

    if layer.problem is not None:
        return
    if "Raster" in layer.results and layer.results["Raster"].kept:
        title = "Spikes of the first sequence"
        yield Picture(title, inlined(raster_plot(layer), title, f"raster-{at}"))
    if layer.neurons > 1:
        title = "Activity of every neuron"
        yield Picture(title, inlined(neuron_map(layer), title, f"neurons-{at}"))


def inlined(axes: Axes, title: str, prefix: str) -> Markup:
    """The figure of the axes as an `<svg>` element. Text stays text, identifiers get a prefix.

    All plots of a page share its identifiers. Without the prefix, the clip paths of two plots would
    be mixed up. The element is serialised again after parsing, so it is well formed and escaped.
    """
    import matplotlib
    from markupsafe import Markup

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "neuroact"}):
        axes.figure.figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    root = ET.fromstring(file.getvalue())
    for element in root.iter():
        for child in [child for child in element if _bare(child.tag) in _LEFT_OUT]:
            element.remove(child)
        attributes = dict(element.attrib)
        element.tag = _bare(element.tag)
        element.attrib.clear()
        element.attrib.update(_own(attributes, prefix))
    root.attrib.update({"role": "img", "aria-label": title, "stroke-linejoin": "round"})
    # It was drawn for paper. A screen needs a larger picture.
    root.attrib["width"] = f"{_ENLARGED * float(root.attrib['width'].removesuffix('pt')):.0f}"
    del root.attrib["height"]  # follows from the view box
    return Markup(ET.tostring(root, encoding="unicode"))


def _bare(name: str) -> str:
    """A name without its namespace, which an `<svg>` in HTML does not need."""
    return name.rpartition("}")[2]


def _own(attributes: Mapping[str, str], prefix: str) -> dict[str, str]:
    found = {}
    for name, value in ((_bare(name), value) for name, value in attributes.items()):
        if name == "id":
            found[name] = f"{prefix}-{value}"
        elif name == "href" and value.startswith("#"):
            found[name] = f"#{prefix}-{value[1:]}"
        else:
            found[name] = value.replace("url(#", f"url(#{prefix}-")
    return found

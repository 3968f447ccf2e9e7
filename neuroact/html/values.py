"""Pictures of intervals between spikes, and of real values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.html.charts import (
    Picture,
    Row,
    about_chosen,
    chosen,
    heat_picture,
    line_picture,
    outline,
    row_picture,
)
from neuroact.html.svg import Scale, element, path, staircase
from neuroact.plots.intervals import LONG, interval_density
from neuroact.plots.lines import MOST_NAMED
from neuroact.plots.results import TimeAxis, step_bins
from neuroact.plots.rows import limits, short_problem
from neuroact.plots.signal import (
    linear_width,
    signal_band,
    signal_course,
    value_silhouette,
    value_ticks,
)
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from neuroact.results.layers import Layers

_HIGH = 26.0  # of a row with a silhouette
_QUARTILES = "Bar: quartiles; tick: median."


def value_pictures(report: Layers, marked: Mapping[str, str]) -> Iterator[Picture]:
    """Pictures of the statistics `InterspikeIntervals` and `Signal`, as far as recorded."""
    layers = list(report.values())
    places = chosen(len(layers), [n for n, x in enumerate(layers) if x.name in marked])
    shown, note = [layers[at] for at in places], about_chosen(len(layers))
    kept = {name for layer in layers for name in layer.results}
    if "InterspikeIntervals" in kept:
        yield _intervals(shown).noted(note)
    if "Signal" in kept:
        yield _values(shown).noted(note)
        drawn = [x for x in layers if "Signal" in x.results and x.problem is None]
        if any(layer.results["Signal"].steps for layer in drawn):
            yield _means(drawn)


def _missing(layer: LayerActivity, statistic: str, empty: Callable[[Any], str]) -> str:
    if layer.problem is not None:
        return short_problem(layer)
    result = layer.results.get(statistic)
    return "not recorded" if result is None else empty(result)


def _intervals(layers: list[LayerActivity]) -> Picture:
    def empty(result: Any) -> str:
        return "" if result.histogram.sum() else "no neuron fired twice"

    name = "InterspikeIntervals"
    rows = [Row(layer.name, _missing(layer, name, empty)) for layer in layers]
    drawn = {at: layers[at].results[name] for at, row in enumerate(rows) if not row.missing}
    longest = max((len(result.histogram) - 1 for result in drawn.values()), default=1)
    axis, bent = TimeAxis.of(layers, longest, "interspike interval"), longest > LONG
    low, high = 0.5 * axis.tick, (longest + 0.5) * axis.tick

    def scale(start: float, stop: float) -> Scale:
        kind = Scale.logarithmic if bent else Scale.linear
        return kind(low, high, start, stop)

    def draw(at: int, middle: float, across: Scale) -> Iterator[str]:
        result = drawn[at]
        heights, edges = interval_density(result.histogram, logarithmic=bent)
        quartiles = [result.quantile(q) * axis.tick for q in (0.25, 0.5, 0.75)]
        yield from silhouette(heights, across(edges * axis.tick), across(quartiles), middle)

    found = row_picture("Interspike intervals", rows, axis.label, scale, draw, height=_HIGH)
    return found.noted("Height: intervals per step of length.", _QUARTILES)


def silhouette(
    amounts: NDArray[Any], edges: NDArray[np.float64], quartiles: NDArray[Any], middle: float
) -> Iterator[str]:
    """A histogram and its mirror image, with a bar for its quartiles; edges in pixels."""
    heights = amounts / amounts.max() * (_HIGH / 2 - 3)
    heights = np.where(amounts > 0, np.maximum(heights, 0.5), 0.0)  # one of a million is seen
    yield element("path", d=outline(middle - heights, middle + heights, edges), class_="fill")
    q1, median, q3 = quartiles.tolist()
    yield element("path", d=f"M{q1:.1f} {middle:g}H{q3:.1f}", class_="quartiles")
    yield element("path", d=f"M{median:.1f} {middle - 5:g}v10", class_="median")


def _values(layers: list[LayerActivity]) -> Picture:
    rows = [Row(x.name, _missing(x, "Signal", lambda _: "")) for x in layers]
    drawn = {at: layers[at].results["Signal"] for at, row in enumerate(rows) if not row.missing}
    linear = linear_width(list(drawn.values()))
    shapes = {at: value_silhouette(result, linear) for at, result in drawn.items()}
    ends = [edge for _, edges in shapes.values() for edge in (edges[0], edges[-1])]
    ends += [x.threshold for x in drawn.values() if x.threshold is not None]

    def scale(start: float, stop: float) -> Scale:
        if linear is None:
            return Scale.linear(*limits(ends), start, stop)
        low, high = np.sinh(limits(np.arcsinh(np.array(ends) / linear))) * linear
        ticks = tuple(tick for tick in value_ticks(linear, max(-low, high)) if low <= tick <= high)
        return Scale(low, high, start, stop, ticks, lambda x: np.arcsinh(x / linear))

    def draw(at: int, middle: float, across: Scale) -> Iterator[str]:
        (counts, edges), result = shapes[at], drawn[at]
        quartiles = across([result.q1, result.median, result.q3])
        yield from silhouette(counts, across(edges), quartiles, middle)
        if result.threshold is not None:
            x = float(across(result.threshold))
            yield element("path", d=f"M{x:.1f} {middle - 12:g}v24", class_="threshold")

    found = row_picture("Values of each layer", rows, "value", scale, draw, height=_HIGH)
    known = any(result.threshold is not None for result in drawn.values())
    return found.noted(
        "Height: number of values.", _QUARTILES, "Dashed: threshold." if known else ""
    )


def _means(layers: list[LayerActivity]) -> Picture:
    results = [layer.results["Signal"] for layer in layers]
    longest = max(result.steps for result in results)
    edges, axis = step_bins(longest), TimeAxis.of(layers, longest)
    title, names = "Mean value over time", [layer.name for layer in layers]
    if len(layers) > MOST_NAMED:
        places = chosen(len(layers))
        means = np.array([signal_course(results[at], edges)[0] for at in places])
        ends = Scale.linear(0.0, float(edges[-1]) * axis.tick, 0.0, 1.0)
        shown = [names[at] for at in places]
        found = heat_picture(title, shown, means, ends, axis.binned(edges), "mean value")
        return found.noted(about_chosen(len(layers)))
    lines = []
    for result in results:
        own = np.append(edges[edges < result.steps], result.steps)
        lines.append((*signal_course(result, own), own * axis.tick))
    tops = [0.0, *(float(x) for m, s, _ in lines for x in (np.nanmin(m - s), np.nanmax(m + s)))]

    def draw(at: int, shade: str, across: Scale, up: Scale) -> Iterator[str]:
        mean, std, own = lines[at]
        band = outline(up(mean + std), up(mean - std), across(own))
        yield element("path", d=band, class_=f"band {shade}")
        yield element("path", d=path(staircase(up(mean), across(own))), class_=f"line {shade}")

    sizes = ((0.0, longest * axis.tick), limits(tops))
    found = line_picture(title, names, (axis.label, "mean value"), sizes, draw)
    about = signal_band(edges, axis).replace("\n", " ")
    return found.noted(f"{about[:1].upper()}{about[1:]}.")

"""The pictures of a page that show all layers, one beside the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

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
from neuroact.html.unit import Unit
from neuroact.plots.box import BoxStats, box_stats
from neuroact.plots.curve import sorted_activity
from neuroact.plots.lines import MOST_NAMED, about_named
from neuroact.plots.operations import percent_of_dense
from neuroact.plots.results import TimeAxis, step_bins
from neuroact.plots.rows import limits, short_problem
from neuroact.plots.time import rebinned, time_band
from neuroact.printable import printable
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind

if TYPE_CHECKING:
    from neuroact.results.compared_layers import ComparedLayers
    from neuroact.results.layers import Layers
    from neuroact.results.operations import LayerOperations, Operations

_BOX = "Box: quartiles and median; dot: mean; whiskers: 1.5 interquartile ranges; circles: beyond."
_OPERATIONS = "Grey: dense. At the right: MACs and ACs as a share of dense."
_APART = 200.0  # times: a bar so much shorter than another is hardly seen on a linear axis


def report_pictures(report: Layers, unit: Unit, marked: Mapping[str, str]) -> Iterator[Picture]:
    """The pictures of all layers, except those that need a statistic not recorded.

    Args:
        report: what to show.
        unit: of activity.
        marked: what is wrong with layers, by name.
    """
    from neuroact.html.values import value_pictures

    if not len(report):
        return
    yield _boxes(report, unit, marked)
    drawn = [layer for layer in report.values() if layer.problem is None]
    if drawn:
        yield _curves(drawn, unit, marked)
    if courses := [layer for layer in drawn if "TimeCourse" in layer.results]:
        yield _courses(courses, unit)
    yield from value_pictures(report, marked)


def _boxes(report: Layers, unit: Unit, marked: Mapping[str, str]) -> Picture:
    layers = list(report.values())
    places = chosen(len(layers), [n for n, x in enumerate(layers) if x.name in marked])
    shown = [layers[at] for at in places]
    boxes = [box_stats(layer).times(unit.factor(layer)) for layer in shown]
    rows = [Row(x.name, short_problem(x), marked.get(x.name, "")) for x in shown]
    ends = _box_ends(boxes)
    return row_picture(
        "Activity of each layer's neurons",
        rows,
        f"average activity of a neuron ({unit.text})",
        lambda start, stop: Scale.linear(*ends, start, stop),
        lambda at, middle, axis: draw_box(boxes[at], middle, axis),
    ).noted(_BOX, about_chosen(len(layers)))


def _box_ends(boxes: Iterable[BoxStats]) -> tuple[float, float]:
    values = [x for box in boxes for x in (box.low, box.high, box.mean, *box.outliers)]
    return limits(x for x in values if not np.isnan(x))


def draw_box(
    box: BoxStats, middle: float, axis: Scale, *, half: float = 5.5, shade: str = "fill"
) -> Iterator[str]:
    """The elements of a box, `2 * half` pixels high."""
    low, q1, median, q3, high, mean = axis(
        [box.low, box.q1, box.median, box.q3, box.high, box.mean]
    ).tolist()
    whiskers = f"M{low:.1f} {middle:g}H{q1:.1f}M{q3:.1f} {middle:g}H{high:.1f}"
    for x in (low, high):
        whiskers += f"M{x:.1f} {middle - half / 2:g}v{half:g}"
    yield element("path", d=whiskers, class_="whisker")
    size = {"x": q1, "y": middle - half, "width": max(q3 - q1, 1.0), "height": 2 * half}
    yield element("rect", **size, class_=shade)
    yield element("path", d=f"M{median:.1f} {middle - half:g}v{2 * half:g}", class_="median")
    if len(box.outliers):
        dots = "".join(f"M{x:.1f} {middle:g}h0" for x in axis(box.outliers).tolist())
        yield element("path", d=dots, class_="outliers")
    yield element("circle", cx=mean, cy=middle, r=2.2, class_="mean")


def _curves(layers: Sequence[LayerActivity], unit: Unit, marked: Mapping[str, str]) -> Picture:
    places = chosen(len(layers), [n for n, x in enumerate(layers) if x.name in marked])
    drawn, curves = [layers[at] for at in places], []
    for layer in drawn:
        activities, shares = sorted_activity(layer)
        curves.append((activities * unit.factor(layer), shares))
    tops = [0.0, *(float(x) for found, _ in curves for x in (found[0], found[-1]))]
    labels = ("share of the layer's neurons, most active first", f"activity ({unit.text})")

    def draw(at: int, shade: str, across: Scale, up: Scale) -> Iterator[str]:
        activities, shares = curves[at]
        places = _each_pixel(across(shares))
        line = staircase(up(activities[places]), across(shares[np.append(places, -1)]))
        yield element("path", d=path(line), class_=f"line {shade}")

    names = [layer.name for layer in drawn]
    found = line_picture("Neurons by activity", names, labels, ((0.0, 1.0), limits(tops)), draw)
    return found.noted(about_chosen(len(layers)), _about_named(len(drawn)))


def _about_named(number: int) -> str:
    said = about_named(number)
    return f"{said[:1].upper()}{said[1:]}." if number > MOST_NAMED else ""


def _each_pixel(edges: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray:
    """Which steps of a curve to draw: of those that end within one pixel, the last."""
    pixels = np.floor(edges[1:]).astype(np.int64)
    return np.flatnonzero(np.append(np.diff(pixels) > 0, True))


def _courses(layers: list[LayerActivity], unit: Unit) -> Picture:
    courses = [layer.results["TimeCourse"] for layer in layers]
    longest = max(course.bins * course.bin_width for course in courses)
    width = min(course.bin_width for course in courses)
    edges, axis = step_bins(longest, width), TimeAxis.of(layers, longest)
    end = max(longest, 1) * axis.tick
    title, names = "Activity over time", [layer.name for layer in layers]
    if len(layers) > MOST_NAMED:
        places = chosen(len(layers))
        values = [rebinned(courses[at], edges)[0] * unit.factor(layers[at]) for at in places]
        found = heat_picture(
            title,
            [names[at] for at in places],
            np.array(values),
            Scale.linear(0.0, float(edges[-1]) * axis.tick, 0.0, 1.0),
            axis.binned(edges),
            unit.text,
        )
        return found.noted(about_chosen(len(layers)))
    lines = []
    for layer, course in zip(layers, courses, strict=True):
        last = course.bins * course.bin_width
        own = np.append(edges[edges < last], last)
        activity, spread = (each * unit.factor(layer) for each in rebinned(course, own))
        band = spread if layer.kind is SignalKind.BINARY else spread * 0
        lines.append((activity, np.maximum(activity - band, 0), activity + band, own * axis.tick))
    tops = [0.0, *(float(np.nanmax(x, initial=0.0)) for _, _, high, _ in lines for x in [high])]
    tops += [float(np.nanmin(line, initial=0.0)) for line, *_ in lines]

    def draw(at: int, shade: str, across: Scale, up: Scale) -> Iterator[str]:
        activity, low, high, own = lines[at]
        if layers[at].kind is SignalKind.BINARY:
            yield element("path", d=outline(up(high), up(low), across(own)), class_=f"band {shade}")
        yield element("path", d=path(staircase(up(activity), across(own))), class_=f"line {shade}")

    labels = (axis.label, f"activity ({unit.text})")
    found = line_picture(title, names, labels, ((0.0, end), limits(tops)), draw)
    about = time_band(layers, edges, width, axis).replace("\n", "; ")
    return found.noted(f"{about[:1].upper()}{about[1:]}." if about else "")


def operations_picture(operations: Operations) -> Picture:
    """The bars of synaptic operations, in front of what the layers would do without any zero."""
    layers = list(operations.values())
    places = chosen(len(layers))
    shown, missing = [layers[at] for at in places], list(operations.not_counted)
    lengths = [n for x in shown for n in (x.dense, x.macs, x.acs) if n]
    bent = bool(lengths) and max(lengths) > _APART * min(lengths)
    rows = [Row(layer.name, mark=percent_of_dense(layer)) for layer in shown]
    rows += [Row(name, "not counted") for name in missing]
    most = max(lengths, default=1)

    def scale(start: float, stop: float) -> Scale:
        if bent:
            return Scale.logarithmic(min(lengths) / 2, most * 1.1, start, stop)
        return Scale.linear(0, most * 1.02, start, stop)

    found = row_picture(
        "Synaptic operations of each layer",
        rows,
        f"synaptic operations over everything recorded{', logarithmic' if bent else ''}",
        scale,
        lambda at, middle, axis: _bars(shown[at], middle, axis, bent=bent),
    )
    keys = (("c5 bar", "MACs"), ("c0 bar", "ACs"))
    return Picture(found.title, found.svg, keys, _OPERATIONS).noted(about_chosen(len(layers)))


def _bars(layer: LayerOperations, middle: float, axis: Scale, *, bent: bool) -> Iterator[str]:
    def bar(length: float, begin: float, top: float, high: float, shade: str) -> str:
        left, right = (float(axis(max(x, axis.low))) for x in (begin, begin + length))
        size = {"x": left, "y": top, "width": max(right - left, 0.5), "height": high}
        return element("rect", **size, class_=shade)

    if layer.dense:
        yield bar(layer.dense, 0, middle - 6.5, 13, "dense")
    done = [(n, shade) for n, shade in ((layer.macs, "c5"), (layer.acs, "c0")) if n]
    # Stacked lengths have no meaning on a logarithmic axis: there, halves of the row.
    halves, begin = bent and len(done) > 1, 0
    for place, (number, shade) in enumerate(done):
        if halves:
            yield bar(number, 0, middle - 4.5 + 4.5 * place, 4.5, f"solid {shade}")
        else:
            yield bar(number, begin, middle - 4.5, 9, f"solid {shade}")
            begin += number


def comparison_picture(comparison: ComparedLayers, unit: Unit) -> Picture:
    """A box for each layer in each report. Of many layers, those that differ most are drawn."""
    entries = list(comparison.values())
    far = [max((d.distance for d in x.differences.values()), default=0.0) for x in entries]
    places = chosen(len(entries), np.argsort(-np.nan_to_num(far), kind="stable").tolist())
    labels = comparison.labels
    rows = [Row(entries[at].name) for at in places]
    drawn = [
        {n: x for n, label in enumerate(labels) if (x := entries[at].layers.get(label)) is not None}
        for at in places
    ]
    boxes = [
        {n: box_stats(x).times(unit.factor(x)) for n, x in found.items() if x.problem is None}
        for found in drawn
    ]
    ends = _box_ends(box for found in boxes for box in found.values())
    each = 13.0

    def draw(at: int, middle: float, axis: Scale) -> Iterator[str]:
        for n in range(len(labels)):
            y = middle + each * (n - (len(labels) - 1) / 2)
            if n in boxes[at]:
                yield from draw_box(boxes[at][n], y, axis, half=4.5, shade=f"solid c{n % 7}")
            else:
                said = short_problem(drawn[at][n]) if n in drawn[at] else "no such layer"
                yield element("text", said, x=axis.start + 4, y=y + 4, class_="soft")

    found = row_picture(
        "Each layer's neurons in each report",
        rows,
        f"average activity of a neuron ({unit.text})",
        lambda start, stop: Scale.linear(*ends, start, stop),
        draw,
        height=each * len(labels) + 6,
    )
    keys = tuple((f"c{n % 7} bar", printable(label)) for n, label in enumerate(labels))
    more = len(entries) > len(rows)
    about = f"{len(rows)} of {len(entries):,} layers are drawn: those that differ most."
    return Picture(found.title, found.svg, keys, _BOX).noted(about if more else "")

"""The pictures of one layer: the spikes of a sequence, its neurons, and its classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroact.html.charts import Picture, image_picture
from neuroact.html.svg import (
    DEAD,
    NOTHING,
    SATURATED,
    element,
    ends_of,
    is_light,
    round_numbers,
    shades,
)
from neuroact.html.unit import Unit
from neuroact.plots.classes import about_rows, class_problem, neurons_by_class
from neuroact.plots.neurons import MOST_LINES, MOST_NUMBERED, drawn_shape, tiled
from neuroact.plots.raster import spikes_in_pixels
from neuroact.plots.results import TimeAxis
from neuroact.results.layer_activity import LayerActivity
from neuroact.statistics.results import ratio

_MOST_SIDE = 400  # pixels of a map; more neurons share them
_LIGHTEST = 100  # ink of a pixel with the fewest spikes
_FEW = 30
"""Up to so many rows or classes are all numbered."""


def layer_pictures(layer: LayerActivity, unit: Unit) -> Iterator[Picture]:
    """The pictures of a layer, except those that need a statistic not recorded."""
    if layer.problem is not None:
        return
    if "Raster" in layer.results and layer.results["Raster"].kept:
        yield _raster(layer)
    if layer.neurons > 1:
        yield _neurons(layer, unit)
    if "ClassActivity" in layer.results and class_problem(layer) is None:
        yield _classes(layer, unit)


def _raster(layer: LayerActivity) -> Picture:
    raster = layer.results["Raster"]
    counts, (wide, high) = spikes_in_pixels(raster, 0)
    rows, columns = counts.shape
    axis = TimeAxis.of([layer], int(raster.lengths[0]))
    ink = np.rint(_LIGHTEST + (255 - _LIGHTEST) * counts / max(int(counts.max(initial=1)), 1))
    pixels = np.where(counts > 0, ink, 0).astype(np.uint8)[::-1]
    times = columns * wide * axis.tick
    ticks = [(tick / times, f"{tick:g}") for tick in round_numbers(0.0, times)]
    numbers = _some(raster.watched)
    labels = [(1 - (n + 0.5) / (rows * high), f"{n * raster.every:,}") for n in numbers]
    left_out = [f"one neuron in {raster.every:,}"] if raster.every > 1 else []
    if int(raster.lengths[0]) == raster.most_steps:
        left_out.append(f"the first {raster.most_steps:,} steps")
    return image_picture(
        "Spikes of the first sequence",
        pixels,
        rows=labels,
        columns=ticks,
        labels=(axis.label, "neuron"),
        height=min(max(3.0 * rows, 120.0), 300.0),
        grey=True,
    ).noted(f"Only {' and '.join(left_out)}." if left_out else "")


def _some(number: int) -> list[int]:
    """Whole numbers below a number, for labels."""
    if number <= 1:
        return list(range(number))
    return [int(x) for x in round_numbers(0.0, number - 1.0) if x == int(x)]


def _neurons(layer: LayerActivity, unit: Unit) -> Picture:
    shape = drawn_shape(layer.shape)
    values = tiled(layer.activity.reshape(shape) * unit.factor(layer))
    low, high = ends_of(values)
    marks = {"dead": (DEAD, layer.events == 0)}
    marks["saturated"] = (SATURATED, layer.events == layer.observations)
    found = {name: mark for name, mark in marks.items() if layer.has_meaning(name)}
    by = max(1, -(-max(values.shape) // _MOST_SIDE))
    pixels = shades(_means(values, by), low, high)
    for shade, where in found.values():
        there = tiled(where.reshape(shape).astype(float), fill=0.0)
        pixels[(_means(there, by) == 1) & (pixels != NOTHING)] = shade
    said = [f"{name}: {getattr(layer, name):,} ({_COLOURS[name]})" for name in found]
    said = [text for name, text in zip(found, said, strict=True) if getattr(layer, name)]
    flat = len(shape) < 2 and layer.neurons <= MOST_NUMBERED
    lines = len(shape) == 2 and max(pixels.shape) <= MOST_LINES
    rows, columns = ([(at + 0.5) / n for at in range(n)] for n in pixels.shape)

    def numbers(left: float, top: float, width: float, height: float) -> Iterator[str]:
        for neuron in range(layer.neurons if flat else 0):
            row, column = divmod(neuron, pixels.shape[1])
            x, y = left + (column + 0.5) * width, top + (row + 0.5) * height + 4
            ink = "on-light" if is_light(int(pixels[row, column])) else "on-dark"
            yield element("text", str(neuron), x=x, y=y, text_anchor="middle", class_=ink)

    picture = image_picture(
        "Activity of every neuron",
        pixels,
        rows=[(share, str(n)) for n, share in enumerate(rows)] if lines else (),
        columns=[(share, str(n)) for n, share in enumerate(columns)] if lines else (),
        scale=(low, high, unit.text),
        over=numbers,
    )
    shared = f"A square is the mean of {by} by {by} neurons." if by > 1 else ""
    return picture.noted("; ".join(said).capitalize() + "." if said else "", shared)


_COLOURS = {"dead": "orange", "saturated": "pink"}


def _means(values: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """Means of squares with sides of `by`; those at the ends may be smaller. NaN is left out."""
    if by == 1:
        return values
    rows, columns = (np.arange(0, size, by) for size in values.shape)

    def total(of: NDArray[Any]) -> NDArray[np.float64]:
        return np.add.reduceat(np.add.reduceat(of, rows, axis=0), columns, axis=1)

    known = total((~np.isnan(values)).astype(float))
    return ratio(total(np.nan_to_num(values)), known)


def _classes(layer: LayerActivity, unit: Unit) -> Picture:
    result = layer.results["ClassActivity"]
    values, order, shared = neurons_by_class(result)
    values = values * unit.factor(layer)
    low, high = ends_of(values)
    rows = [((at + 0.5) / len(order), f"{n:,}") for at, n in enumerate(order.tolist())]
    classes = range(result.classes) if result.classes <= _FEW else _some(result.classes)
    return image_picture(
        "Activity of every neuron for each class",
        shades(values, low, high),
        rows=rows if len(order) <= _FEW else (),
        columns=[((n + 0.5) / result.classes, f"{n:,}") for n in classes],
        labels=("class", "neuron"),
        scale=(low, high, unit.text),
        height=min(max(14.0 * len(values), 60.0), 420.0),
    ).noted(f"{about_rows(len(order), shared)}.")

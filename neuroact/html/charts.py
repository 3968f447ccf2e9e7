"""Frames of the page's pictures: a row for each layer, lines over an axis, and images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neuroact.html.svg import (
    Scale,
    element,
    ends_of,
    image,
    path,
    picture,
    shades,
    staircase,
    text_width,
)
from neuroact.plots.lines import named_lines
from neuroact.printable import printable
from neuroact.table import folded

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH = 560.0
MOST_ROWS = 60
"""Up to so many rows are drawn in one picture. Of more layers, so many are chosen."""

_LINE, _ROW = 13.0, 18.0  # pixels
_WIDE = 30  # characters in a line of a name
_BELOW, _RIGHT, _TOP = 38.0, 14.0, 8.0  # room for ticks and labels
_HIGH = 230.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot in a page.

    Attributes:
        title: what it shows.
        svg: the drawing.
        keys: names of lines, each with the class that colours it.
        note: what it leaves out, or how to read it.
    """

    title: str
    svg: Markup
    keys: tuple[tuple[str, str], ...] = ()
    note: str = ""

    def noted(self, *notes: str) -> Picture:
        """The same with notes; empty ones are left out."""
        return replace(self, note=" ".join(note for note in (self.note, *notes) if note))


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a picture.

    Attributes:
        name: the layer's name.
        missing: why there is nothing to draw; empty if there is something.
        mark: a text at its right.
    """

    name: str
    missing: str = ""
    mark: str = ""


def chosen(number: int, first: Iterable[int] = ()) -> list[int]:
    """The rows to draw, in order: all, or `MOST_ROWS` of them.

    Args:
        number: rows there are.
        first: those to draw in any case, as far as there is room; the others are evenly spaced.

    >>> from neuroact.html.charts import chosen
    >>> len(chosen(4000)), chosen(4000, [17])[:3], chosen(2)
    (60, [0, 17, 70], [0, 1])
    """
    if number <= MOST_ROWS:
        return list(range(number))
    found = list(dict.fromkeys(first))[:MOST_ROWS]
    others = np.setdiff1d(np.arange(number), found)
    places = np.linspace(0, len(others) - 1, MOST_ROWS - len(found)).round().astype(int)
    return sorted([*found, *others[places].tolist()])


def about_chosen(number: int, what: str = "evenly spaced in order") -> str:
    """What is drawn of so many layers, in words; empty if all are."""
    if number <= MOST_ROWS:
        return ""
    return f"{MOST_ROWS} of {number:,} layers are drawn: those with a verdict, the others {what}."


def row_picture(
    title: str,
    rows: Sequence[Row],
    label: str,
    scale: Callable[[float, float], Scale],
    draw: Callable[[int, float, Scale], Iterable[str]],
    *,
    height: float = _ROW,
) -> Picture:
    """A picture with a row for each layer, from the top.

    Args:
        title: what it shows.
        rows: the rows.
        label: of the axis, with its unit.
        scale: the axis for a start and a stop in pixels.
        draw: the elements of a row, given its number, its middle and the axis. Its row is 1 high in
            units of `height`.
        height: of a row with a short name, in pixels.
    """
    names = [folded(printable(row.name), _WIDE) for row in rows]
    left = 14 + max((text_width(line) for name in names for line in name), default=0)
    right = _RIGHT + max((text_width(row.mark) for row in rows), default=0)
    axis = scale(left, max(WIDTH, left + 260.0) - right)
    parts, top = [], _TOP
    for at, (row, name) in enumerate(zip(rows, names, strict=True)):
        high = max(height, _LINE * len(name) + 4)
        middle = top + high / 2
        for line, text in enumerate(name):
            y = middle + 4 + _LINE * (line - (len(name) - 1) / 2)
            parts.append(element("text", text, x=left - 8, y=y, text_anchor="end"))
        if row.missing:
            parts.append(element("text", row.missing, x=left + 4, y=middle + 4, class_="soft"))
        else:
            parts += draw(at, middle, axis)
        if row.mark:
            parts.append(element("text", row.mark, x=axis.stop + 6, y=middle + 4, class_="verdict"))
        top += high
    grid = _across(axis, _TOP, top, label)
    return Picture(title, _markup([*grid, *parts], axis.stop + right, top + _BELOW, title))


def line_picture(
    title: str,
    names: Sequence[str],
    labels: tuple[str, str],
    ends: tuple[tuple[float, float], tuple[float, float]],
    draw: Callable[[int, str, Scale, Scale], Iterable[str]],
) -> Picture:
    """A picture with a line for each layer. Of many, some have a colour and a name.

    Args:
        title: what it shows.
        names: of the layers.
        labels: of the axes across and up, with their units.
        ends: of both axes.
        draw: the elements of a line, given its number, its class and both axes.
    """
    across = Scale.linear(*ends[0], 58.0, WIDTH - _RIGHT)
    up = Scale.linear(*ends[1], _TOP + _HIGH, _TOP + 14)
    named = {at: f"c{place}" for place, at in enumerate(named_lines(len(names)))}
    order = sorted(range(len(names)), key=lambda at: at in named)  # grey ones lie behind
    parts = [*_across(across, _TOP, _TOP + _HIGH, labels[0]), *_up(up, across, labels[1])]
    for at in order:
        parts += draw(at, named.get(at, "other"), across, up)
    keys = tuple((shade, printable(names[at])) for at, shade in named.items())
    return Picture(title, _markup(parts, WIDTH, _TOP + _HIGH + _BELOW, title), keys)


def image_picture(
    title: str,
    pixels: NDArray[np.uint8],
    *,
    rows: Sequence[tuple[float, str]] = (),
    columns: Sequence[tuple[float, str]] = (),
    labels: tuple[str, str] = ("", ""),
    scale: tuple[float, float, str] | None = None,
    height: float | None = None,
    over: Callable[[float, float, float, float], Iterable[str]] | None = None,
    grey: bool = False,
) -> Picture:
    """A picture of pixels.

    Args:
        title: what it shows.
        pixels: as `svg.image` takes them.
        rows: labels at the left; their places are shares of the height.
        columns: labels below; their places are shares of the width.
        labels: of the axes across and up.
        scale: ends of the colours and their unit, for a bar; None for no bar.
        height: of the image; None for square pixels.
        over: what to draw over the image, given its left, top, and the size of a pixel.
        grey: whether pixels are ink.
    """
    side = 16 * bool(labels[1])
    left = 14 + side + max((text_width(text) for _, text in rows), default=0)
    wide = max(WIDTH, left + 260.0) - left - _RIGHT
    if height is None:
        square = min(wide / pixels.shape[1], 360.0 / pixels.shape[0], 30.0)
        wide, height = square * pixels.shape[1], square * pixels.shape[0]
    place = {"x": left, "y": _TOP, "width": wide, "height": height, "class_": "pixels"}
    place["class_"] = "pixels ink" if grey else "pixels"
    parts = [element("image", href=image(pixels, grey=grey), preserveAspectRatio="none", **place)]
    for share, text in rows:
        y = _TOP + share * height + 4
        parts.append(element("text", text, x=left - 6, y=y, text_anchor="end"))
    below = _TOP + height
    for share, text in columns:
        parts.append(
            element("text", text, x=left + share * wide, y=below + 14, text_anchor="middle")
        )
    if labels[0]:
        middle = left + wide / 2
        parts.append(element("text", labels[0], x=middle, y=below + 30, text_anchor="middle"))
    if labels[1]:
        parts.append(_sideways(labels[1], 12, _TOP + height / 2))
    if over is not None:
        parts += over(left, _TOP, wide / pixels.shape[1], height / pixels.shape[0])
    below += 16 * bool(columns) + 18 * bool(labels[0])
    if scale is not None:
        parts += _bar(scale, left, below + 10)
        below += 34
    # Labels beside a small image may be wider than it.
    shown = max(left + wide + _RIGHT, left + 300.0)
    return Picture(title, _markup(parts, shown, below + 6, title))


def _bar(scale: tuple[float, float, str], left: float, top: float) -> list[str]:
    low, high, unit = scale
    pixels = shades(np.linspace(0, 1, 64), 0, 1).reshape(1, -1)
    first = f"{low:.3g}"
    start = left + text_width(first) + 4
    place = {"x": start, "y": top, "width": 90, "height": 10, "preserveAspectRatio": "none"}
    return [
        element("text", first, x=left, y=top + 10),
        element("image", href=image(pixels), **place),
        element("text", f"{high:.3g} {unit}", x=start + 96, y=top + 10),
    ]


def heat_picture(
    title: str,
    names: Sequence[str],
    values: NDArray[np.float64],
    ends: Scale,
    label: str,
    unit: str,
) -> Picture:
    """A row of colours for each layer.

    Args:
        title: what it shows.
        names: of the layers, from the top.
        values: float64 `[layers, columns]`.
        ends: the axis across; its ticks are labelled.
        label: of the axis across.
        unit: of the values.
    """
    low, high = ends_of(values)
    lines = [folded(printable(name), _WIDE) for name in names]
    each = max(_ROW, _LINE * max(map(len, lines)) + 4)
    rows = [
        ((at + 0.5) / len(names) + (n - (len(name) - 1) / 2) * _LINE / (each * len(names)), text)
        for at, name in enumerate(lines)
        for n, text in enumerate(name)
    ]
    places = ends(ends.ticks) / (ends.stop - ends.start)
    columns = [(float(x), f"{tick:g}") for x, tick in zip(places, ends.ticks, strict=True)]
    return image_picture(
        title,
        shades(values, low, high),
        rows=rows,
        columns=columns,
        labels=(label, ""),
        scale=(low, high, unit),
        height=each * len(names),
    )


def _across(axis: Scale, top: float, bottom: float, label: str) -> list[str]:
    places = axis(axis.ticks).tolist()
    lines = "".join(f"M{x:.1f} {top:.1f}V{bottom:.1f}" for x in places)
    parts = [element("path", d=lines, class_="grid")] if lines else []
    for x, tick in zip(places, axis.ticks, strict=True):
        parts.append(element("text", f"{tick:g}", x=x, y=bottom + 14, text_anchor="middle"))
    middle = (axis.start + axis.stop) / 2
    return [*parts, element("text", label, x=middle, y=bottom + 31, text_anchor="middle")]


def _up(axis: Scale, across: Scale, label: str) -> list[str]:
    places = axis(axis.ticks).tolist()
    lines = "".join(f"M{across.start:.1f} {y:.1f}H{across.stop:.1f}" for y in places)
    parts = [element("path", d=lines, class_="grid")] if lines else []
    for y, tick in zip(places, axis.ticks, strict=True):
        parts.append(element("text", f"{tick:g}", x=across.start - 6, y=y + 4, text_anchor="end"))
    return [*parts, _sideways(label, 12, (axis.start + axis.stop) / 2)]


def _sideways(text: str, x: float, y: float) -> str:
    turned = f"rotate(-90 {x:g} {y:g})"
    return element("text", text, x=x, y=y, text_anchor="middle", transform=turned)


def _markup(parts: Iterable[str], width: float, height: float, title: str) -> Markup:
    from markupsafe import Markup

    return Markup(picture(parts, width, height, title))


def outline(
    upper: NDArray[np.float64], lower: NDArray[np.float64], edges: NDArray[np.float64]
) -> str:
    """The data of a path around what lies between two staircases."""
    return path([*staircase(upper, edges), *staircase(lower, edges)[::-1]], closed=True)

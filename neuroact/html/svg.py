"""Pictures of a page as SVG: elements, scales with ticks, and images.

The page draws them itself, in its own colours, on light and on dark. They need no matplotlib, no
script and no identifiers, and one costs about a millisecond.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ENOUGH_TICKS = 6
_BROAD = frozenset("mwMW@%")
_LAST_NARROW = 0x10FF  # scripts beyond it have broad characters
_WIDE = 480  # pixels: a wider picture scrolls on a phone rather than shrink
# Dark blue, grey and yellow: lightness grows evenly, and colour-blind people see the order.
_ANCHORS = np.array([[16, 34, 84], [70, 84, 112], [124, 124, 118], [190, 172, 100], [252, 226, 84]])
_SHADES = 250
DEAD, SATURATED, NOTHING = 250, 251, 255
"""Places of a palette beside those of the colour scale: marked neurons, and transparent."""


def element(name: str, text: str = "", /, **attributes: Any) -> str:
    """An element. Text and attributes are escaped; an underscore in a name is a hyphen.

    >>> from neuroact.html.svg import element
    >>> element("text", "a<b", x=1.504, text_anchor="end")
    '<text x="1.5" text-anchor="end">a&lt;b</text>'
    """
    return f"<{_start(name, attributes)}>{escape(text)}</{name}>"


def _start(name: str, attributes: dict[str, Any]) -> str:
    shown = (f' {key.rstrip("_").replace("_", "-")}="{_value(v)}"' for key, v in attributes.items())
    return name + "".join(shown)


def _value(value: Any) -> str:
    return f"{round(value, 1):g}" if isinstance(value, int | float) else escape(str(value))


def picture(parts: Iterable[str], width: float, height: float, title: str) -> str:
    """An `<svg>` of these elements, with a title for those who hear the page read."""
    attributes = {
        "class": "wide" if width >= _WIDE else "small",
        "viewBox": f"0 0 {width:g} {height:g}",
        "width": width,
        "role": "img",
        "aria_label": title,
    }
    return f"<{_start('svg', attributes)}>{''.join(parts)}</svg>"


def text_width(text: str) -> float:
    """Pixels that a text of 11 pixels takes at most, in the widest of the usual fonts."""
    return sum(11.2 if char in _BROAD else 8.8 if char.isupper() else 7.0 for char in text) + sum(
        4.2 for char in text if ord(char) > _LAST_NARROW
    )


def path(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    """The data of a path through these points."""
    steps = " ".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{steps}{'z' if closed else ''}" if steps else ""


def staircase(values: ArrayLike, edges: ArrayLike) -> list[tuple[float, float]]:
    """The corners of a line that has `values[n]` from `edges[n]` to `edges[n + 1]`.

    >>> from neuroact.html.svg import staircase
    >>> staircase([5.0, 7.0], [0.0, 1.0, 2.0])
    [(0.0, 5.0), (1.0, 5.0), (1.0, 7.0), (2.0, 7.0)]
    """
    across = np.repeat(np.asarray(edges, dtype=float), 2)[1:-1]
    up = np.repeat(np.asarray(values, dtype=float), 2)
    return list(zip(across.tolist(), up.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Scale:
    """Places of numbers on an axis.

    Attributes:
        low: the number at its start.
        high: the number at its end.
        start: where it starts, in pixels.
        stop: where it ends.
        bend: what a number is turned into before it is placed; as it is if linear.
        ticks: numbers with a label.
    """

    low: float
    high: float
    start: float
    stop: float
    ticks: tuple[float, ...]
    bend: Callable[[Any], Any] = np.asarray

    def __call__(self, values: ArrayLike) -> Any:
        """Where the numbers are, in pixels, float64."""
        found = self.bend(np.asarray(values, dtype=float))
        share = _way(found, self.bend(self.low), self.bend(self.high))
        return self.start + share * (self.stop - self.start)

    @classmethod
    def linear(cls, low: float, high: float, start: float, stop: float) -> Scale:
        """A linear scale with ticks at round numbers."""
        return cls(low, high, start, stop, tuple(round_numbers(low, high)))

    @classmethod
    def logarithmic(cls, low: float, high: float, start: float, stop: float) -> Scale:
        """A logarithmic scale with ticks at powers of ten."""
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        each = max(1, (last - first + _ENOUGH_TICKS) // _ENOUGH_TICKS)
        ticks = tuple(10.0**power for power in range(first, last + 1, each))
        return cls(low, high, start, stop, ticks, np.log10)


def _way(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Numbers as shares of the way from `low` to `high`, whose difference may be no float."""
    low, high = float(low), float(high)
    if not math.isfinite(high - low):
        values, low, high = values / 4, low / 4, high / 4
    return (values - low) / ((high - low) or 1.0)


def round_numbers(low: float, high: float) -> list[float]:
    """About five round numbers within the ends.

    >>> from neuroact.html.svg import round_numbers
    >>> round_numbers(-0.01, 0.43)
    [0.0, 0.1, 0.2, 0.3, 0.4]
    """
    apart = high / _ENOUGH_TICKS - low / _ENOUGH_TICKS  # their difference may be no float
    step = 10.0 ** math.floor(math.log10(apart)) if apart else 0.0
    if not step or not math.isfinite(high - low):  # as near, or as far, as floats can be
        return [low, high]
    step *= next(by for by in (1, 2, 5, 10) if (high - low) / (by * step) < _ENOUGH_TICKS)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def shades(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """Numbers as places on the colour scale, uint8 of the same shape. A NaN is transparent."""
    share = _way(np.nan_to_num(values), low, high)
    places = np.clip(np.rint(share * (_SHADES - 1)), 0, _SHADES - 1).astype(np.uint8)
    return np.where(np.isnan(values), np.uint8(NOTHING), places)


def image(pixels: NDArray[np.uint8], *, grey: bool = False) -> str:
    """A PNG as the text of a `data:` address.

    Args:
        pixels: uint8 `[rows, columns]`, the first row at the top: places on the colour scale; or,
            for a grey picture, how much ink, from 0 to 255.
        grey: whether it is ink.
    """
    rows, columns = pixels.shape
    head = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    lines = np.zeros((rows, columns + 1), np.uint8)  # each line starts with its filter: none
    lines[:, 1:] = pixels
    colours, alpha = _INK if grey else _COLOURS
    chunks = {b"IHDR": head, b"PLTE": colours, b"tRNS": alpha}
    chunks |= {b"IDAT": zlib.compress(lines.tobytes(), 6), b"IEND": b""}
    file = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks.items())
    return "data:image/png;base64," + base64.b64encode(file).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _palette() -> tuple[bytes, bytes]:
    share = np.linspace(0, len(_ANCHORS) - 1, _SHADES)
    channels = (np.interp(share, np.arange(len(_ANCHORS)), channel) for channel in _ANCHORS.T)
    colours = np.zeros((256, 3), np.uint8)
    colours[:_SHADES] = np.rint(np.stack(list(channels), axis=1))
    colours[DEAD], colours[SATURATED] = (213, 94, 0), (204, 121, 167)
    return colours.tobytes(), bytes([255] * NOTHING + [0])


_COLOURS = _palette()
_INK = bytes(3 * 256), bytes(range(256))


def is_light(shade: int) -> bool:
    """Whether black is easier to read than white on a place of the palette."""
    red, green, blue = _COLOURS[0][3 * shade : 3 * shade + 3]
    return 0.3 * red + 0.6 * green + 0.1 * blue > 128


def ends_of(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """The smallest and largest of the numbers that are known; 0 and 1 if there are none."""
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return (low, high) if low < high else (min(low, 0.0), max(high, 0.0) or 1.0)

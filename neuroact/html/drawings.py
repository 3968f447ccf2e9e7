"""Small drawings in the rows of a page: their content, in the units of the SVG.

They need no matplotlib and use the page's colours. A million neurons cost as much as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neuroact.card import several
from neuroact.html.results import words
from neuroact.html.unit import Unit
from neuroact.results.layer_activity import Floats, LayerActivity
from neuroact.stream.chunk import SignalKind
from neuroact.table import number_text

_STRIP, _MARGIN = 120, 2  # width of a strip, and the room for strokes at its ends
_BINS = 30
STRIP = ("min", "q1", "median", "q3", "max")
"""The figures of a layer that its strip shows."""
_WIDTH, _HEIGHT = 300, 86  # of a histogram
_LEAST_BAR = 1.5  # one neuron among a million must still be seen


@dataclass(frozen=True, slots=True)
class Shares:
    """Dead, firing and saturated neurons as percentages of a layer's neurons."""

    parts: tuple[tuple[str, float], ...]
    text: str

    @property
    def firing(self) -> float:
        """Percentage of neurons that are neither dead nor saturated."""
        return dict(self.parts)["firing"]

    @classmethod
    def of(cls, layer: LayerActivity) -> Shares | None:
        """The shares; None if the layer has no figures or is analog."""
        if layer.problem is not None or layer.kind is SignalKind.ANALOG:
            return None
        firing = layer.neurons - layer.dead - layer.saturated
        counts = {"dead": layer.dead, "firing": firing, "saturated": layer.saturated}
        parts = tuple((name, 100 * count / layer.neurons) for name, count in counts.items())
        text = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        return cls(parts, f"of {several(layer.neurons, 'neuron')}: {text}")


@dataclass(frozen=True, slots=True)
class Strip:
    """Smallest, quartiles, median and largest activity of a layer, on a scale for many layers."""

    low: float
    q1: float
    median: float
    q3: float
    high: float
    text: str

    @property
    def width(self) -> float:
        """Width of the box, wide enough to be seen."""
        return max(self.q3 - self.q1, 1.0)

    @classmethod
    def of(cls, metrics: Mapping[str, float], scale: tuple[float, float]) -> Strip:
        """The strip of a layer's `STRIP` figures. `scale` has the ends of all strips."""
        lowest, highest = scale
        per_unit = (_STRIP - 2 * _MARGIN) / (highest - lowest or 1.0)
        places = [round(_MARGIN + (metrics[name] - lowest) * per_unit, 2) for name in STRIP]
        low, q1, median, q3, high = places
        text = ", ".join(f"{words(name)} {number_text(metrics[name])}" for name in STRIP)
        return cls(low, q1, median, q3, high, text)


def scales(layers: Iterable[LayerActivity], unit: Unit) -> Mapping[SignalKind, tuple[float, float]]:
    """Ends of the strips' scale by kind: the smallest activity, but at most 0, and the largest."""
    ends: dict[SignalKind, tuple[float, float]] = {}
    for layer in layers:
        if layer.problem is None:
            low, high = ends.get(layer.kind, (0.0, 0.0))
            factor = unit.factor(layer)
            ends[layer.kind] = (min(low, factor * layer.min), max(high, factor * layer.max))
    return ends


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of a layer's neurons by activity.

    Attributes:
        paths: the bars of dead, saturated and other neurons: the data of a path for each.
        most: neurons in the fullest bin.
        lowest: activity at the left end.
        highest: activity at the right end.
        unit: of activity.
        text: all of it in words.
    """

    paths: Mapping[str, str]
    most: str
    lowest: str
    highest: str
    unit: str
    text: str

    @classmethod
    def of(cls, layer: LayerActivity, unit: Unit) -> Histogram:
        """The histogram of a layer that has figures."""
        _, edges = layer.histogram(_BINS)
        bins = histogram_parts(layer)
        most, across = max(sum(parts.values()) for parts in bins), _WIDTH / _BINS
        paths = {"dead": "", "saturated": "", "firing": ""}
        for at, parts in enumerate(bins):
            below = _HEIGHT + 2.0
            for kind, part in parts.items():
                height = max(_HEIGHT * part / most, _LEAST_BAR)
                below -= height
                bar = f"M{at * across:g} {below:.1f}h{across - 1:g}v{height:.1f}h{1 - across:g}z"
                paths[kind] += bar
        factor = unit.factor(layer)
        lowest, highest = (unit.number(factor * float(edge)) for edge in (edges[0], edges[-1]))
        text = f"Activity of {several(layer.neurons, 'neuron')}, from "
        text += f"{unit.number(factor * layer.min)} to {unit.number(factor * layer.max)}"
        drawn = {kind: path for kind, path in paths.items() if path}
        return cls(drawn, f"{most:,}", lowest, highest, unit.text, text)


def histogram_parts(layer: LayerActivity) -> list[dict[str, int]]:
    """How many neurons are dead, saturated and neither, in each bin; zeros are left out."""
    counts, edges = layer.histogram(_BINS)
    return [_parts(layer, at, edges, count) for at, count in enumerate(counts.tolist())]


def _parts(layer: LayerActivity, at: int, edges: Floats, count: int) -> dict[str, int]:
    """The dead neurons of a bin, the saturated ones (binary layers only), and the others."""
    if layer.kind is SignalKind.ANALOG:
        return {"firing": count} if count else {}
    last = at == _BINS - 1
    dead = layer.dead if _holds(0.0, edges[at], edges[at + 1], last) else 0
    full = layer.kind is SignalKind.BINARY and _holds(1.0, edges[at], edges[at + 1], last)
    saturated = layer.saturated if full else 0
    parts = {"dead": dead, "saturated": saturated, "firing": count - dead - saturated}
    return {kind: part for kind, part in parts.items() if part}


def _holds(value: float, low: float, high: float, last: bool) -> bool:
    return low <= value < high or (last and value == high)

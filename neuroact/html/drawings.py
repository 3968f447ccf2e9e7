"""Small drawings in the rows of a page: their content, in the units of the SVG.

They need no matplotlib and use the page's colours. A million neurons cost as much as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neuroact.results.layer_activity import Floats, LayerActivity
from neuroact.stream.chunk import SignalKind
from neuroact.table import number_text

_STRIP, _MARGIN = 120, 2  # width of a strip, and the room for strokes at its ends
_BINS = 30
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
        return cls(parts, f"of {quantity(layer.neurons, 'neuron')}: {text}")


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
    def of(cls, layer: LayerActivity, scale: tuple[float, float]) -> Strip:
        """The strip of a layer that has figures. `scale` is the smallest and largest activity."""
        lowest, highest = scale
        per_unit = (_STRIP - 2 * _MARGIN) / (highest - lowest or 1.0)
        metrics = {name: getattr(layer, name) for name in ("min", "q1", "median", "q3", "max")}
        places = [round(_MARGIN + (x - lowest) * per_unit, 2) for x in metrics.values()]
        low, q1, median, q3, high = places
        text = ", ".join(f"{name} {number_text(value)}" for name, value in metrics.items())
        return cls(low, q1, median, q3, high, text)


def scales(layers: Iterable[LayerActivity]) -> Mapping[SignalKind, tuple[float, float]]:
    """Ends of the strips' scale by kind: the smallest activity, but at most 0, and the largest."""
    ends: dict[SignalKind, tuple[float, float]] = {}
    for layer in layers:
        if layer.problem is None:
            low, high = ends.get(layer.kind, (0.0, 0.0))
            ends[layer.kind] = (min(low, layer.min), max(high, layer.max))
    return ends


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, or its part for dead or saturated neurons."""

    kind: str
    x: float
    y: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of a layer's neurons by activity."""

    bars: tuple[Bar, ...]
    width: float
    lowest: str
    highest: str
    unit: str
    text: str

    @classmethod
    def of(cls, layer: LayerActivity) -> Histogram:
        """The histogram of a layer that has figures."""
        counts, edges = layer.histogram(_BINS)
        across, most = _WIDTH / _BINS, int(counts.max())
        bars: list[Bar] = []
        for at, count in enumerate(counts.tolist()):
            place, below = round(at * across, 2), 0.0
            ends = f"{number_text(float(edges[at]))} to {number_text(float(edges[at + 1]))}"
            for kind, part in _parts(layer, at, edges, count):
                height = max(_HEIGHT * part / most, _LEAST_BAR)
                below += height
                text = (
                    f"{quantity(part, 'neuron')}{'' if kind == 'firing' else ', ' + kind}: {ends}"
                )
                top = round(_HEIGHT + 2 - below, 2)
                bars.append(Bar(kind, place, top, round(height, 2), text))
        lowest, highest = number_text(float(edges[0])), number_text(float(edges[-1]))
        text = f"Activity of {quantity(layer.neurons, 'neuron')}, "
        text += f"from {number_text(layer.min)} to {number_text(layer.max)}"
        unit = "spikes" if layer.kind is SignalKind.BINARY else "values"
        return cls(tuple(bars), round(across - 1, 2), lowest, highest, f"{unit} per step", text)


def quantity(number: int, noun: str) -> str:
    """A number with its noun: "1 layer", "1,000 layers"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _parts(layer: LayerActivity, at: int, edges: Floats, count: int) -> list[tuple[str, int]]:
    """The dead neurons of a bin, the saturated ones (binary layers only), and the others."""
    if layer.kind is SignalKind.ANALOG:
        return [("firing", count)] if count else []
    last = at == _BINS - 1
    dead = layer.dead if _holds(0.0, edges[at], edges[at + 1], last) else 0
    full = layer.kind is SignalKind.BINARY and _holds(1.0, edges[at], edges[at + 1], last)
    saturated = layer.saturated if full else 0
    parts = {"dead": dead, "saturated": saturated, "firing": count - dead - saturated}
    return [(kind, part) for kind, part in parts.items() if part]


def _holds(value: float, low: float, high: float, last: bool) -> bool:
    return low <= value < high or (last and value == high)

"""Totals over the layers whose figures can be put together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind


def comparable(layers: Sequence[LayerActivity]) -> list[LayerActivity]:
    """The layers whose figures can be put together: those that spike and have figures.

    If there are none, the analog layers that have figures. Beside spiking layers, analog ones would
    hide what those do, because real values are hardly ever 0.
    """
    measured = [layer for layer in layers if layer.problem is None]
    return [layer for layer in measured if layer.kind is not SignalKind.ANALOG] or measured


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals over the `comparable` layers.

    Attributes:
        left_out: names of the other layers.
        neurons: number of neurons.
        dead: number of dead neurons.
        saturated: number of saturated neurons.
        sparsity: share of zeros among all values; NaN if there are no values.
    """

    left_out: tuple[str, ...]
    neurons: int
    dead: int
    saturated: int
    sparsity: float

    @classmethod
    def of(cls, layers: Sequence[LayerActivity]) -> Totals:
        """The totals. If no layer has figures, they are zeros, and the sparsity is NaN."""
        within = comparable(layers)
        values = sum(layer.neurons * layer.observations for layer in within)
        events = sum(int(layer.events.sum()) for layer in within)
        names = {layer.name for layer in within}
        return cls(
            left_out=tuple(layer.name for layer in layers if layer.name not in names),
            neurons=sum(layer.neurons for layer in within),
            dead=sum(layer.dead for layer in within),
            saturated=sum(layer.saturated for layer in within),
            sparsity=(values - events) / values if values else math.nan,
        )

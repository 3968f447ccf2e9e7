"""What can be added up over layers, and what cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind


def comparable(layers: Sequence[LayerActivity]) -> list[LayerActivity]:
    """The layers that figures of several can be taken of: those that spike and have figures.

    Layers of real values only where no others have figures: hardly a real value is ever 0, so
    they would hide what the spiking layers do.
    """
    measured = [layer for layer in layers if layer.problem is None]
    return [layer for layer in measured if layer.kind is not SignalKind.ANALOG] or measured


@dataclass(frozen=True, slots=True)
class Totals:
    """What is added up over the layers that are `comparable`.

    Attributes:
        left_out: names of the layers that are not in it.
        neurons: neurons of the others.
        dead: dead ones among them.
        saturated: saturated ones among them.
        sparsity: share of zeros among all their values; NaN where there are none.
    """

    left_out: tuple[str, ...]
    neurons: int
    dead: int
    saturated: int
    sparsity: float

    @classmethod
    def of(cls, layers: Sequence[LayerActivity]) -> Totals:
        """The totals; zeros, and a sparsity of NaN, where no layer has figures."""
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

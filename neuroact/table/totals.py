"""Totals over the layers whose figures can be put together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind
from neuroact.table.text import Part


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

    Only layers of which a metric says something add to it, see `LayerActivity.has_meaning`. It is
    None if there are layers, but none of them does.

    Attributes:
        left_out: names of the other layers.
        neurons: number of neurons.
        dead: number of dead neurons.
        saturated: number of saturated neurons.
        looked_at: among how many neurons these two are, by the metric.
        sparsity: share of zeros among all values; NaN if there are no values.
    """

    left_out: tuple[str, ...]
    neurons: int
    dead: int | None
    saturated: int | None
    sparsity: float | None
    looked_at: Mapping[str, int]

    def part(self, metric: str) -> Part | None:
        """How many neurons are dead, or saturated, and among how many."""
        count: int | None = getattr(self, metric)
        return None if count is None else (count, self.looked_at[metric])

    @classmethod
    def of(cls, layers: Sequence[LayerActivity]) -> Totals:
        """The totals. If no layer has figures, they are zeros, and the sparsity is NaN."""
        within = comparable(layers)
        names = {layer.name for layer in within}

        def of_meaning(metric: str) -> list[LayerActivity] | None:
            found = [layer for layer in within if layer.has_meaning(metric)]
            return found if found or not within else None

        measured, dead, saturated = map(of_meaning, ("sparsity", "dead", "saturated"))
        return cls(
            left_out=tuple(layer.name for layer in layers if layer.name not in names),
            neurons=sum(layer.neurons for layer in within),
            dead=None if dead is None else sum(layer.dead for layer in dead),
            saturated=None if saturated is None else sum(layer.saturated for layer in saturated),
            sparsity=None if measured is None else _zeros_share(measured),
            looked_at={
                metric: sum(layer.neurons for layer in found or ())
                for metric, found in (("dead", dead), ("saturated", saturated))
            },
        )


def _zeros_share(layers: Sequence[LayerActivity]) -> float:
    values = sum(layer.neurons * layer.observations for layer in layers)
    events = sum(int(layer.events.sum()) for layer in layers)
    return (values - events) / values if values else math.nan

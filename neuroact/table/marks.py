"""Which layers are marked, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from neuroact.activity import LayerActivity
from neuroact.table.totals import why_no_figures


class Verdict(NamedTuple):
    """What is wrong with a layer."""

    layer: str
    name: str
    figure: str
    value: float
    threshold: float
    advice: str


def verdicts(layers: Iterable[LayerActivity]) -> list[Verdict]:
    """What is wrong with the layers, in their order."""
    return [verdict for layer in layers for verdict in _of(layer)]


def _of(layer: LayerActivity) -> list[Verdict]:
    if why_no_figures(layer) is not None:
        return []
    dead, saturated = layer.dead / layer.neurons, layer.saturated / layer.neurons
    if dead == 1:
        return [Verdict(layer.name, "silent", "dead", dead, 1.0, "")]
    shares = {"dead": dead, "saturated": saturated}
    return [
        Verdict(layer.name, name, name, share, 0.1, "")
        for name, share in shares.items()
        if share > 0.1
    ]

"""What a row of the table is of: a layer, or a module with many layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuroact.results.layer_activity import LayerActivity
from neuroact.statistics.results import quantile_or_nan
from neuroact.table.totals import Totals, comparable

MOST_ROWS = 24
"""Layers beyond which a table is folded by module."""


@dataclass(frozen=True)
class TableRow:
    """One or more layers, and the figures of all their neurons together.

    Figures are those of a layer where it is one; of several, over the neurons of those that
    `comparable` takes: mean and std weigh each neuron alike, quantiles are of type 7.

    Attributes:
        name: the layer's, or the module's that holds them.
        layers: in the report's order.
    """

    name: str
    layers: tuple[LayerActivity, ...]

    @property
    def shape(self) -> str:
        """Shape of the neurons, or how many layers there are."""
        if len(self.layers) > 1:
            return f"{len(self.layers)} layers"
        return "x".join(map(str, self.layers[0].shape)) or "()"

    @property
    def kind(self) -> str:
        """What the values mean; `mixed` where layers differ."""
        kinds = {layer.kind.value for layer in self.layers}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @cached_property
    def totals(self) -> Totals:
        """Neurons, dead, saturated, sparsity."""
        return Totals.of(self.layers)

    @property
    def has_figures(self) -> bool:
        """Whether any of the layers has."""
        return any(layer.problem is None for layer in self.layers)

    @cached_property
    def activity_distribution(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The distinct activities, and the number of neurons of each."""
        if len(self.layers) == 1:
            return self.layers[0].activity_distribution
        found = [layer.activity_distribution for layer in comparable(self.layers)]
        values, where = np.unique(
            np.concatenate([np.empty(0), *(v for v, _ in found)]), return_inverse=True
        )
        counts = np.zeros(len(values), np.int64)
        np.add.at(counts, where, np.concatenate([np.empty(0, np.int64), *(n for _, n in found)]))
        return values, counts

    def figure(self, name: str) -> float:
        """Mean, std, min, q1, median, q3 or max of the activity over the neurons."""
        if len(self.layers) == 1:
            return float(getattr(self.layers[0], name))
        values, counts = self.activity_distribution
        if name in _LEVELS:
            return quantile_or_nan(values, counts, _LEVELS[name])
        if len(values) == 0:
            return np.nan
        mean = np.average(values, weights=counts)
        return float(
            mean if name == "mean" else np.average((values - mean) ** 2, weights=counts) ** 0.5
        )


_LEVELS = {"min": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "max": 1.0}


def rows_of(layers: Sequence[LayerActivity], *, fold: bool | None = None) -> list[TableRow]:
    """A row a layer; more than `MOST_ROWS` layers folded by module.

    Modules are the deepest that give no more rows than that, those at the top where none do. A
    module with one layer is that layer.

    Args:
        layers: in order.
        fold: True or False to fold or not, whatever their number.
    """
    if fold is False or (fold is None and len(layers) <= MOST_ROWS):
        return [TableRow(layer.name, (layer,)) for layer in layers]
    deepest = max((layer.name.count(".") for layer in layers), default=0)
    for depth in range(deepest, 0, -1):
        groups = _grouped(layers, depth)
        if len(groups) <= MOST_ROWS and (fold is None or len(groups) < len(layers)):
            break
    else:
        groups = _grouped(layers, 1)
    return [TableRow(g[0].name if len(g) == 1 else name, tuple(g)) for name, g in groups.items()]


def _grouped(layers: Sequence[LayerActivity], depth: int) -> dict[str, list[LayerActivity]]:
    groups: dict[str, list[LayerActivity]] = {}
    for layer in layers:
        parts = layer.name.split(".")
        # The last part names the layer; what stands before it are its modules.
        module = ".".join(parts[: min(depth, max(len(parts) - 1, 1))])
        groups.setdefault(module, []).append(layer)
    return groups

"""A row of the table: one layer, or a module with several layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuroact.results.layer_activity import LayerActivity
from neuroact.statistics.results import quantile_or_nan
from neuroact.table.text import shape_text
from neuroact.table.totals import Totals, comparable

MOST_ROWS = 24
"""A table of more layers is folded by module."""


@dataclass(frozen=True)
class TableRow:
    """One or more layers, and the metrics of all their neurons together.

    The metrics of one layer are the layer's own. Those of several layers are over the neurons of
    the `comparable` ones: mean and std weigh each neuron alike, quantiles are of type 7.

    Attributes:
        name: the name of the layer, or of the module that holds the layers.
        layers: the layers in the report's order.
    """

    name: str
    layers: tuple[LayerActivity, ...]

    @property
    def shape(self) -> str:
        """The layer's shape, or the number of layers."""
        if len(self.layers) > 1:
            return f"{len(self.layers)} layers"
        return shape_text(self.layers[0].shape)

    @property
    def kind(self) -> str:
        """The layers' kind of values; `mixed` if they differ."""
        kinds = {layer.kind.value for layer in self.layers}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @cached_property
    def totals(self) -> Totals:
        """Neurons, dead, saturated and sparsity of all the layers."""
        return Totals.of(self.layers)

    @property
    def has_figures(self) -> bool:
        """Whether any of the layers has figures."""
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

    def metric(self, name: str) -> float:
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


def table_rows(layers: Sequence[LayerActivity], *, fold: bool | None = None) -> list[TableRow]:
    """A row for each layer; more than `MOST_ROWS` layers are folded by module.

    The modules are at the greatest depth that gives at most `MOST_ROWS` rows. If there is none,
    they are at the top. A module with one layer is shown as that layer.

    Args:
        layers: the layers in order.
        fold: True or False to fold or not, whatever the number of layers.
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
        # The last part names the layer, the parts before it name its modules.
        module = ".".join(parts[: min(depth, max(len(parts) - 1, 1))])
        groups.setdefault(module, []).append(layer)
    return groups

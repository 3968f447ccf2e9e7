"""Synaptic operations of several reports beside each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import SupportsIndex

from neuroact.by_name import ByName
from neuroact.card import Carded
from neuroact.errors import SamplesUnknownError, UnknownLayerError
from neuroact.layers.names import nearest
from neuroact.results.operations import Divided, LayerOperations, Operations


@dataclass(frozen=True, repr=False)
class OperationsComparison(Carded):
    """One layer's operations, in every report that counts them.

    Attributes:
        name: the layer's name in the first report.
        layers: the layer in each report, by the report's label. The first report comes first.
    """

    name: str
    layers: Mapping[str, LayerOperations]


class ComparedOperations(ByName[OperationsComparison]):
    """Operations compared with those of the first report, by the layer's name in the first.

    Args:
        reports: the operations of each report that has them, by label, the first report's first.
        layers: the matched layers.
    """

    def __init__(
        self, reports: Mapping[str, Operations], layers: Iterable[OperationsComparison]
    ) -> None:
        self.reports: Mapping[str, Operations] = MappingProxyType(dict(reports))
        self._layers = {layer.name: layer for layer in layers}

    def __getitem__(self, name: str | SupportsIndex) -> OperationsComparison:
        """The layer that has this name in the first report, or the one at this position.

        Raises:
            KeyError: no such layer was matched. The message shows the nearest names.
            IndexError: there is no such position.
        """
        name = self._name_of(name)
        if name not in self._layers:
            raise UnmatchedOperationsError(name, tuple(self._layers))
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    @property
    def unmatched(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the counted layers without a partner, by the label of their report."""
        matched: dict[str, set[str]] = {label: set() for label in self.reports}
        for entry in self._layers.values():
            for label, layer in entry.layers.items():
                matched[label].add(layer.name)
        alone = {
            label: tuple(name for name in operations if name not in matched[label])
            for label, operations in self.reports.items()
        }
        return MappingProxyType({label: names for label, names in alone.items() if names})

    def ratio(self, label: str, name: str | None = None) -> float:
        """Effective operations of a report for a sample, divided by those of the first report.

        All time steps of a sample are in its operations. So a spiking network of many steps may be
        compared with one of real values that runs once.

        Args:
            label: the report.
            name: the layer's name in the first report; None for all layers counted in each report,
                also those without a partner.

        Returns:
            The ratio; NaN if the first report has no operations of the layer, or if the number of
            samples of either report is not known.

        Raises:
            KeyError: there is no such report or layer, or the report has not the layer.
        """
        first, *_ = self.reports
        ours, theirs = self._effective(first, name), self._effective(label, name)
        return theirs / ours if ours else math.nan

    @cached_property
    def per_sample(self) -> Mapping[str, Divided | str]:
        """The operations of each report for a sample, or why they are not known, by its label."""
        return {label: _per_sample(operations) for label, operations in self.reports.items()}

    def _effective(self, label: str, name: str | None) -> float:
        layer = None if name is None else self[name].layers[label].name
        found = self.per_sample[label]
        if isinstance(found, str):
            return math.nan
        return (found.total if layer is None else found[layer]).effective


class UnmatchedOperationsError(UnknownLayerError, KeyError):
    """Compared operations have no layer of the name that was asked for."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(
            f"no operations of a layer {name!r} of the first report were matched."
            f"{nearest(name, names)} There are: {', '.join(names) or 'none'}",
            layer=name,
        )

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted


def _per_sample(operations: Operations) -> Divided | str:
    try:
        return operations.per_sample
    except SamplesUnknownError as unknown:
        return str(unknown)

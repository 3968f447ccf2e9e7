"""Reports compared layer by layer: frozen, and computed from the reports alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import SupportsIndex

from neuroact.by_name import ByName
from neuroact.card import Carded
from neuroact.errors import UnknownLayerError
from neuroact.layers.names import nearest
from neuroact.results.compared_operations import ComparedOperations
from neuroact.results.distance import wasserstein
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.layers import Layers


@dataclass(frozen=True, slots=True, repr=False)
class Difference(Carded):
    """A layer's metrics in a report minus its metrics in the first report.

    If the layer has no figures in one of the two, or a metric says nothing of it there
    (`LayerActivity.has_meaning`), the difference is NaN, and that of a count is None.

    Attributes:
        mean: of the mean activity, in spikes (or values) per neuron and step.
        std: of the standard deviation over neurons.
        q1: of the first quartile.
        median: of the median.
        q3: of the third quartile.
        sparsity: of the share of zeros.
        dead: of the number of dead neurons.
        saturated: of the number of saturated neurons.
        dead_share: of the share of dead neurons. It also compares layers of unequal size.
        saturated_share: of the share of saturated neurons.
        distance: 1-Wasserstein distance between the two distributions of activity over neurons
            (`neuroact.results.distance.wasserstein`). 0 only if they are the same.
    """

    mean: float
    std: float
    q1: float
    median: float
    q3: float
    sparsity: float
    dead: int | None
    saturated: int | None
    dead_share: float
    saturated_share: float
    distance: float

    @classmethod
    def between(cls, first: LayerActivity, other: LayerActivity) -> Difference:
        """The other layer's metrics minus the first's."""
        metrics = ("mean", "std", "q1", "median", "q3", "sparsity", "dead_share", "saturated_share")

        def says(name: str) -> bool:
            return first.has_meaning(name) and other.has_meaning(name)

        changes = {
            name: getattr(other, name) - getattr(first, name) if says(name) else math.nan
            for name in metrics
        }
        measured = first.problem is None and other.problem is None
        return cls(
            **changes,
            dead=other.dead - first.dead if measured and says("dead") else None,
            saturated=(
                other.saturated - first.saturated if measured and says("saturated") else None
            ),
            distance=wasserstein(*first.activity_distribution, *other.activity_distribution),
        )


DIFFERENCES = tuple(field.name for field in fields(Difference))
"""The names of a layer's differences."""


@dataclass(frozen=True, repr=False)
class LayerComparison(Carded):
    """One layer, in every report that has it.

    Attributes:
        name: the layer's name in the first report.
        layers: the layer in each report, by the report's label. The first report comes first.
    """

    name: str
    layers: Mapping[str, LayerActivity]

    @property
    def first(self) -> LayerActivity:
        """The layer in the first report."""
        return next(iter(self.layers.values()))

    @cached_property
    def differences(self) -> Mapping[str, Difference]:
        """Differences from the first report, by the other report's label."""
        _, *others = self.layers.items()
        return MappingProxyType(
            {label: Difference.between(self.first, layer) for label, layer in others}
        )


class ComparedLayers(ByName[LayerComparison]):
    """Reports compared with the first of them, by the layer's name in the first.

    Two comparisons are equal if their reports, labels and matched layers are equal.

    Args:
        reports: the reports by label, the first one first.
        layers: the matched layers.
        operations: the reports' synaptic operations; None if the first report, or every other one,
            has none.
    """

    def __init__(
        self,
        reports: Mapping[str, Layers],
        layers: Iterable[LayerComparison],
        operations: ComparedOperations | None = None,
    ) -> None:
        self.reports: Mapping[str, Layers] = MappingProxyType(dict(reports))
        self.recorded_operations = operations
        self._layers = {layer.name: layer for layer in layers}

    @property
    def labels(self) -> tuple[str, ...]:
        """The reports' labels, the first report's first."""
        return tuple(self.reports)

    @cached_property
    def unmatched(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the layers without a partner, by the label of their report.

        A layer of the first report is in it if no other report has the layer. A report whose
        layers all have partners is left out.
        """
        matched: dict[str, set[str]] = {label: set() for label in self.reports}
        for entry in self._layers.values():
            for label, layer in entry.layers.items():
                matched[label].add(layer.name)
        return MappingProxyType(
            {
                label: alone
                for label, report in self.reports.items()
                if (alone := tuple(name for name in report if name not in matched[label]))
            }
        )

    def __getitem__(self, name: str | SupportsIndex) -> LayerComparison:
        """The layer that has this name in the first report, or the one at this position.

        Raises:
            KeyError: no such layer was matched. The message shows the nearest names.
            IndexError: there is no such position.
        """
        name = self._name_of(name)
        try:
            return self._layers[name]
        except KeyError:
            raise UnmatchedLayerError(name, tuple(self._layers)) from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ComparedLayers):
            return NotImplemented
        reports = list(self.reports.items()), list(other.reports.items())  # order matters
        return (
            reports[0] == reports[1]
            and self._layers == other._layers
            and self.recorded_operations == other.recorded_operations
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, which is too large to hash

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


class UnmatchedLayerError(UnknownLayerError, KeyError):
    """A comparison has no layer of the name that was asked for."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        found = ", ".join(names)
        super().__init__(
            f"no layer {name!r} of the first report was matched.{nearest(name, names)} "
            f"There are: {found}",
            layer=name,
        )

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted

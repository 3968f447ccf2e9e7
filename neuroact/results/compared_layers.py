"""Reports beside each other, layer by layer: frozen, from the reports' own figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType

from neuroact.errors import UnknownLayerError
from neuroact.layers.names import nearest
from neuroact.results.distance import wasserstein
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.layers import Layers


@dataclass(frozen=True, slots=True)
class Difference:
    """A layer's figures in a report, less its figures in the first report.

    NaN, and None for counts of neurons, where the layer has no figures in one of the two.

    Attributes:
        mean: of the mean activity, in spikes (or values) per neuron and step.
        std: of the standard deviation over neurons.
        q1: of the first quartile.
        median: of the median.
        q3: of the third quartile.
        sparsity: of the share of zeros.
        dead: of the number of dead neurons.
        saturated: of the number of saturated neurons.
        dead_share: of the share of neurons that are dead; for layers of unequal size.
        saturated_share: of the share of neurons that are saturated.
        distance: 1-Wasserstein distance between the distributions of the neurons' activity, see
            `neuroact.results.distance.wasserstein`; 0 only where they are the same.
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
        """The other's figures less the first's."""
        figures = ("mean", "std", "q1", "median", "q3", "sparsity", "dead_share", "saturated_share")
        less = {name: getattr(other, name) - getattr(first, name) for name in figures}
        measured = first.problem is None is other.problem
        return cls(
            **less,
            dead=other.dead - first.dead if measured else None,
            saturated=other.saturated - first.saturated if measured else None,
            distance=wasserstein(*first.activity_counts, *other.activity_counts),
        )


FIGURES = tuple(field.name for field in fields(Difference))


@dataclass(frozen=True)
class LayerComparison:
    """One layer in the reports that have it.

    Attributes:
        name: in the first report.
        layers: the layer's figures by the report's label; the first report's come first.
    """

    name: str
    layers: Mapping[str, LayerActivity]

    @property
    def first(self) -> LayerActivity:
        """The layer in the first report."""
        return next(iter(self.layers.values()))

    @cached_property
    def differences(self) -> Mapping[str, Difference]:
        """The differences from the first report, by the other report's label."""
        _, *others = self.layers.items()
        return MappingProxyType(
            {label: Difference.between(self.first, layer) for label, layer in others}
        )


class ComparedLayers(Mapping[str, LayerComparison]):
    """Reports compared with the first of them, by the layer's name in it.

    Two are equal when their reports, labels and matched layers are.

    Args:
        reports: by label, the first one first.
        layers: what was matched.
    """

    def __init__(self, reports: Mapping[str, Layers], layers: Iterable[LayerComparison]) -> None:
        self.reports: Mapping[str, Layers] = MappingProxyType(dict(reports))
        self._layers = {layer.name: layer for layer in layers}

    @property
    def labels(self) -> tuple[str, ...]:
        """The reports' labels, the first report's first."""
        return tuple(self.reports)

    @cached_property
    def unmatched(self) -> Mapping[str, tuple[str, ...]]:
        """Layers that were matched with none, by the label of their report; none left out.

        Of the first report those that no other has.
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

    def __getitem__(self, name: str) -> LayerComparison:
        """The layer of that name in the first report.

        Raises:
            KeyError: none was matched; the message shows the nearest names.
        """
        try:
            return self._layers[name]
        except KeyError:
            raise UnmatchedLayerError(name, tuple(self._layers)) from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ComparedLayers):
            return NotImplemented
        reports = list(self.reports.items()), list(other.reports.items())  # the first one tells
        return reports[0] == reports[1] and self._layers == other._layers

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content is large

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


class UnmatchedLayerError(UnknownLayerError, KeyError):
    """A comparison was asked for a layer that it has not."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        found = ", ".join(names)
        super().__init__(
            f"no layer {name!r} of the first report was matched.{nearest(name, names)} "
            f"There are: {found}",
            layer=name,
        )

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted

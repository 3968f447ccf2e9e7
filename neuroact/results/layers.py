"""The layers of a report, by name. Tables, plots, pages and files are all made from this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, SupportsIndex

from neuroact.by_name import ByName
from neuroact.errors import LayerNameError, UnknownLayerError
from neuroact.layers.names import nearest
from neuroact.results.beside_operations import NeuronUpdates
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.operations import Operations


class Layers(ByName[LayerActivity]):
    """What every recorded layer did, by the layer's name or position, in the model's order.

    Two are equal if their layers' counts and operations are equal. The order of the layers and the
    origin do not matter.

    Args:
        layers: the layers.
        origin: where they come from: versions, model, time (see `neuroact.report.provenance`).
        not_called: names of recorded layers that were never called, and so have no figures.
        operations: synaptic operations; None if they were not recorded.

    Raises:
        LayerNameError: two layers have the same name.
    """

    def __init__(
        self,
        layers: Iterable[LayerActivity],
        *,
        origin: Mapping[str, Any] | None = None,
        not_called: Iterable[str] = (),
        operations: Operations | None = None,
    ) -> None:
        self._layers: dict[str, LayerActivity] = {}
        for layer in layers:
            if layer.name in self._layers:
                raise LayerNameError(
                    f'two layers of a report are named "{layer.name}"', layer=layer.name
                )
            self._layers[layer.name] = layer
        self.origin: Mapping[str, Any] = MappingProxyType(dict(origin or {}))
        self.not_called = tuple(not_called)
        self.recorded_operations = None if operations is None else self._with_samples(operations)

    def __getitem__(self, name: str | SupportsIndex) -> LayerActivity:
        """The layer with this name or alias, or the one at this position.

        Raises:
            KeyError: there is no such name. The message shows the nearest ones.
            IndexError: there is no such position.
        """
        name = self._name_of(name)
        if name in self._layers:
            return self._layers[name]
        for layer in self._layers.values():
            if name in layer.aliases:
                return layer
        raise UnknownReportLayerError(name, tuple(self._layers), self.not_called)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layers):
            return NotImplemented
        return (
            self._layers == other._layers
            and set(self.not_called) == set(other.not_called)
            and self.recorded_operations == other.recorded_operations
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, which is too large to hash

    def _with_samples(self, operations: Operations) -> Operations:
        return Operations(
            operations.values(),
            not_counted=operations.not_counted,
            samples={name: layer.sequences for name, layer in self._layers.items()},
            steps={name: layer.observations for name, layer in self._layers.items()},
            updates=map(NeuronUpdates.of, self._layers.values() if self._emitted() else ()),
            by_sample=operations.by_sample,
        )

    def _emitted(self) -> bool:
        """Whether the layers' values are what they emit. The origin may be a stranger's."""
        options = self.origin.get("options")
        return not isinstance(options, Mapping) or options.get("of", "output") == "output"


class UnknownReportLayerError(UnknownLayerError, KeyError):
    """A report has no layer of the name that was asked for."""

    def __init__(self, name: str, names: tuple[str, ...], not_called: tuple[str, ...]) -> None:
        if name in not_called:
            message = f'layer "{name}" was recorded but never called, so it has no figures'
        else:
            message = f"the report has no layer {name!r}.{nearest(name, names)} There are: " + (
                ", ".join(names) or "none"
            )
        super().__init__(message, layer=name)

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted

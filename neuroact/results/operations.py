"""Synaptic operations of a model's layers: whole numbers, and what they are divided by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Generic, Literal, SupportsIndex

from neuroact.by_name import ByName
from neuroact.card import Carded
from neuroact.errors import (
    LayerNameError,
    MissingOperationsError,
    SamplesUnknownError,
    UnknownLayerError,
)
from neuroact.layers.names import nearest
from neuroact.results.beside_operations import NO_ACCESS, MemoryAccesses, NeuronUpdates, Number
from neuroact.results.folded import FoldedOperations
from neuroact.results.spread import NOT_TOLD_APART, OperationSpread, checked_spread, known_spread


@dataclass(frozen=True, kw_only=True, repr=False)
class OperationCounts(Carded, Generic[Number]):
    """Synaptic operations: pairs of an element of an input and a weight that it meets.

    An *event* is an element that is not zero. Its *fan-out* is the number of weights that are not
    zero and lead from it to an output. Elements of padding that a layer adds itself count as the
    elements they copy; padding of zeros has none. The addition of a bias is no synaptic operation,
    and stands beside them.

    Attributes:
        events: elements that arrived and were not zero.
        ones: events of magnitude one.
        dense: operations if no element and no weight were zero: what a layer without any sparsity
            takes, `observations · Σ_i dense fan-out[i]`.
        unpruned: operations of events if no weight were zero, `Σ_i events[i] · dense fan-out[i]`.
        acs: operations of events of magnitude one, which add or subtract a weight,
            `Σ_i ones[i] · fan-out[i]`.
        macs: operations of all other events, which multiply by a weight and add,
            `Σ_i (events[i] - ones[i]) · fan-out[i]`.
        weighted: operations if a value of n were n spikes, `Σ_i Σ|value of i| · fan-out[i]`; None
            if not all values are whole numbers up to 2^24.
        bias_additions: additions of a bias to an output, whether it is zero or not: `observations ·
            outputs`, and 0 in a layer without bias.

    Source: `dense`, `acs` and `macs` are Dense, Effective_ACs and Effective_MACs of NeuroBench's
    metric SynapticOperations (arXiv:2304.04640). There all operations of a call are MACs if one of
    its values is neither 0, 1 nor -1; here each event is looked at by itself. Biases are left out
    there and in sinabs, and are additions in Lemaire et al. (arXiv:2210.13107).
    """

    events: Number
    ones: Number
    dense: Number
    unpruned: Number
    acs: Number
    macs: Number
    weighted: Number | None
    bias_additions: Number

    @property
    def effective(self) -> Number:
        """Operations of events with weights that are not zero, `acs + macs`."""
        return self.acs + self.macs

    @property
    def share(self) -> float:
        """Share of the dense operations that is effective; NaN without any."""
        return self.effective / self.dense if self.dense else math.nan

    @property
    def memory(self) -> MemoryAccesses[Number]:
        """The part of these operations: a weight read, a potential read and written, each time.

        An input is read for each event. The neurons' part is in `Operations.neurons`.
        """
        return MemoryAccesses(
            weight_reads=self.effective,
            potential_reads=self.effective,
            potential_writes=self.effective,
            input_reads=self.events,
            output_writes=0,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class LayerOperations(OperationCounts[int]):
    """Synaptic operations of one layer, exactly, over everything recorded.

    Attributes:
        name: qualified name of the module in the model.
        aliases: other names of the same module.
        framework: the package that its class comes from.
        layer_type: the module's class name.
        shape: of one input of the layer, without time, batch and other repetitions.
        output_shape: of the output that one input gives; None where that is not one tensor.
        observations: inputs that arrived: one for each time step, sample and other repetition.
        connections: sum of the fan-out over the elements of one input.
        parameters: numbers that the layer has: weights, those that are zero too, and biases.
        by_sample: what `spread` gives; or why there is none. Equality leaves it out, since a run
            may show less of the samples than another of the same operations.
        folded: operations with the average pool in front folded into the layer; None where there is
            none, or where it is not known that the layer got all that one pool returned, and
            nothing else.
    """

    name: str
    framework: str
    layer_type: str
    shape: tuple[int, ...]
    output_shape: tuple[int, ...] | None
    observations: int
    connections: int
    parameters: int
    aliases: tuple[str, ...] = ()
    by_sample: OperationSpread | str = field(default=NOT_TOLD_APART, compare=False)
    folded: FoldedOperations | None = None

    @property
    def inputs(self) -> int:
        """Number of elements of one input."""
        return math.prod(self.shape)

    @property
    def fan_out(self) -> float:
        """Mean fan-out of an input's elements, `connections / inputs`; NaN without elements."""
        return self.connections / self.inputs if self.inputs else math.nan

    @property
    def density(self) -> float:
        """Share of elements that were not zero, `events / (inputs · observations)`, or NaN."""
        seen = self.inputs * self.observations
        return self.events / seen if seen else math.nan

    @property
    def input_kind(self) -> InputKind:
        """What arrived, by what was found.

        "binary" where every event was 1 or -1, "graded" where all values were whole numbers, "real"
        where others came, and "silent" where nothing but zeros did.
        """
        if not self.events:
            return "silent"
        if self.ones == self.events:
            return "binary"
        return "real" if self.weighted is None else "graded"

    @property
    def spread(self) -> OperationSpread:
        """The distribution of `effective` over samples: of their sequences, each as a whole.

        Raises:
            SamplesUnknownError: which operations are of which sample is not known; says why.
        """
        return known_spread(self.by_sample, self.name)


InputKind = Literal["silent", "binary", "graded", "real"]


class Divided(ByName[OperationCounts[float]]):
    """The operations of layers by name, and what stands beside them, divided by one number."""

    def __init__(self, operations: Operations, divisor: int) -> None:
        self._operations, self._divisor = operations, divisor

    def __getitem__(self, name: str | SupportsIndex) -> OperationCounts[float]:
        """The layer of that name, alias or position; KeyError or IndexError if there is none."""
        return _divided(self._operations[name], self._divisor)

    def __iter__(self) -> Iterator[str]:
        return iter(self._operations)

    def __len__(self) -> int:
        return len(self._operations)

    @property
    def total(self) -> OperationCounts[float]:
        """Of all layers that were counted, divided."""
        return _divided(self._operations.total, self._divisor)

    @property
    def updates(self) -> float:
        """`Operations.updates`, divided."""
        return self._operations.updates / self._divisor

    @property
    def memory(self) -> MemoryAccesses[float]:
        """`Operations.memory`, divided."""
        return self._operations.memory / self._divisor


class Operations(ByName[LayerOperations]):
    """Synaptic operations of a model's layers by name, in the model's order.

    Args:
        layers: the layers that were counted.
        not_counted: why operations are not counted, by the name of each other module that has
            weights. A single number of a spiking layer, its threshold or decay, is none.
        samples: samples' sequences begun in each recorded spiking layer, by name.
        steps: observations of each recorded spiking layer, by name.
        updates: of the neurons of each recorded layer; none where something else than what the
            layers emit was recorded.
        by_sample: what `spread` gives; or why there is none.

    Raises:
        LayerNameError: two layers of one name.
    """

    def __init__(
        self,
        layers: Iterable[LayerOperations],
        *,
        not_counted: Mapping[str, str] | None = None,
        samples: Mapping[str, int] | None = None,
        steps: Mapping[str, int] | None = None,
        updates: Iterable[NeuronUpdates] = (),
        by_sample: OperationSpread | str = NOT_TOLD_APART,
    ) -> None:
        self._layers: dict[str, LayerOperations] = {}
        self.samples, self.steps = dict(samples or {}), dict(steps or {})
        self.by_sample = checked_spread(by_sample, self.samples)
        for given in layers:
            layer = replace(given, by_sample=checked_spread(given.by_sample, self.samples))
            if self._layers.setdefault(layer.name, layer) is not layer:
                raise LayerNameError(f'two layers are named "{layer.name}"', layer=layer.name)
        self.not_counted = MappingProxyType(dict(not_counted or {}))
        self._neurons = {layer.name: layer for layer in updates}

    def __getitem__(self, name: str | SupportsIndex) -> LayerOperations:
        """The layer of that name or alias, or the one at that position.

        Raises:
            KeyError: there is none, or it was not counted; the message says why.
            IndexError: there is no such position.
        """
        name = self._name_of(name)
        if name in self._layers:
            return self._layers[name]
        for layer in self._layers.values():
            if name in layer.aliases:
                return layer
        raise UnknownConnectionError(name, self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Operations):
            return NotImplemented
        return (
            self._layers == other._layers
            and self.not_counted == other.not_counted
            and self._neurons == other._neurons
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, as `Layers` are

    @property
    def total(self) -> OperationCounts[int]:
        """Sums over all layers that were counted; what `not_counted` names is not in them."""
        return _together(list(self._layers.values()))

    @property
    def spread(self) -> OperationSpread:
        """The distribution of `total.effective` over samples: of their sequences, each as a whole.

        Raises:
            SamplesUnknownError: which operations are of which sample is not known; says why.
        """
        return known_spread(self.by_sample, None)

    @property
    def parameters(self) -> int:
        """Weights and biases of all layers that were counted."""
        return sum(layer.parameters for layer in self._layers.values())

    @property
    def neurons(self) -> Mapping[str, NeuronUpdates]:
        """Updates of the neurons of each recorded layer, by name: analog layers have them too.

        Raises:
            MissingOperationsError: no layer's output was recorded, so they are not known.
        """
        if not self._neurons:
            raise MissingOperationsError(
                "neuron updates are those of the layers whose output is recorded, and there are "
                'none: record the spiking layers by neuroact.record(model, of="output", '
                "operations=True)"
            )
        return MappingProxyType(self._neurons)

    @property
    def updates(self) -> int:
        """Updates of the neurons of all recorded layers.

        Raises:
            MissingOperationsError: no layer's output was recorded, so they are not known.
        """
        return sum(layer.updates for layer in self.neurons.values())

    @property
    def memory(self) -> MemoryAccesses[int]:
        """Accesses to memory of all counted layers and of the neurons of all recorded layers.

        Raises:
            MissingOperationsError: no layer's output was recorded, so the neurons' part is unknown.
        """
        parts = (layer.memory for layer in self.neurons.values())
        return sum(parts, start=self.total.memory + NO_ACCESS)

    @property
    def sample_count(self) -> int:
        """Number of samples: of sequences that each recorded spiking layer began.

        Raises:
            SamplesUnknownError: they began different numbers of them, or none.
        """
        return _agreed(self.samples, "sequences", "sample")

    @property
    def step_count(self) -> int:
        """Number of time steps, each sample's counted: observations of each recorded spiking layer.

        Raises:
            SamplesUnknownError: they have different numbers of them, or none.
        """
        return _agreed(self.steps, "observations", "time step")

    @property
    def per_sample(self) -> Divided:
        """The operations divided by `sample_count`.

        Raises:
            SamplesUnknownError: the number of samples is not known.
        """
        return Divided(self, self.sample_count)

    @property
    def per_step(self) -> Divided:
        """The operations divided by `step_count`.

        Raises:
            SamplesUnknownError: the number of time steps is not known.
        """
        return Divided(self, self.step_count)

    @property
    def ann_macs(self) -> int:
        """MACs that an ANN of the same shape takes for one sample, dense and without time steps.

        It runs each layer once a sample, however many steps the spiking model takes, and skips
        neither zeros of the input nor weights that are zero. A layer that saw as many inputs as
        there are steps, or a multiple (tokens), takes `dense / step_count`. A layer that saw fewer
        is in front of the time steps, and takes `dense / sample_count`. The sum is a whole number,
        never NaN.

        Raises:
            SamplesUnknownError: the number of samples, of steps or of a layer's runs is unknown.
        """
        samples, steps = self.sample_count, self.step_count
        return sum(_once(layer, samples, steps) for layer in self._layers.values())


class UnknownConnectionError(UnknownLayerError, KeyError):
    """Operations were asked for of a layer that has none."""

    def __init__(self, name: str, operations: Operations) -> None:
        if name in operations.not_counted:
            message = f'"{name}" is not counted: {operations.not_counted[name]}'
        else:
            names = tuple(operations)
            message = (
                f"no operations of a layer {name!r} were counted.{nearest(name, names)} There are: "
                + (", ".join(names) or "none")
            )
        super().__init__(message, layer=name)

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted


_FIGURES = [f.name for f in fields(OperationCounts)]


def _together(layers: list[LayerOperations]) -> OperationCounts[int]:
    sums = {name: sum(getattr(layer, name) or 0 for layer in layers) for name in _FIGURES}
    if any(layer.weighted is None for layer in layers):
        sums["weighted"] = None
    return OperationCounts(**sums)


def _divided(counts: OperationCounts[int], divisor: int) -> OperationCounts[float]:
    def quotient(figure: int | None) -> float | None:
        return None if figure is None else figure / divisor

    divide: Callable[[int | None], float | None] = quotient
    return OperationCounts(**{name: divide(getattr(counts, name)) for name in _FIGURES})  # type: ignore[arg-type]  # only `weighted` may be None


def _once(layer: LayerOperations, samples: int, steps: int) -> int:
    """Dense operations of a layer that runs once for one sample."""
    runs = steps if layer.observations >= steps else samples
    if layer.observations % runs:
        raise SamplesUnknownError(
            f'"{layer.name}" saw {layer.observations} inputs in {steps} time steps of {samples} '
            "samples: expected a multiple of either, so that a run of it is known. Run it at every "
            "step, or divide the whole numbers yourself.",
            layer=layer.name,
        )
    return layer.dense // runs


def _agreed(numbers: Mapping[str, int], what: str, unit: str) -> int:
    """The number that all layers have."""
    found = set(numbers.values())
    if len(found) == 1 and (number := found.pop()) > 0:
        return number
    had = ", ".join(f'"{name}" {number}' for name, number in list(numbers.items())[:8])
    raise SamplesUnknownError(
        f"operations per {unit} are divided by the {what} of the recorded spiking layers, and "
        f"expected is one number of them above 0; came {had or 'none'}. Record only layers that "
        "see every sample and step (layers=), mark where sequences of layers without a state begin "
        "(recording.new_sequence()), or divide the whole numbers yourself."
    )

"""What stands beside synaptic operations: updates of neurons, and accesses to memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Generic, Self, TypeVar

from neuroact.card import Carded
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True, repr=False)
class MemoryAccesses(Carded, Generic[Number]):
    """Accesses to memory where events drive the work, and nothing that was read is kept.

    Each is one value read or written. Reads of biases and of a neuron's own parameters are not
    counted: they are taken to lie with the neuron's state. Reads of biases would be as many as the
    additions of biases.

    Attributes:
        weight_reads: of the weights of effective operations, one for each.
        potential_reads: of what the operations and the updates change: one for each effective
            operation, and one for each update of a neuron.
        potential_writes: as many.
        input_reads: of events that arrive, one for each.
        output_writes: of values that neurons emit and that are not zero, one for each.

    Source: the reads and writes of Lemaire et al. (arXiv:2210.13107), by the true fan-out and the
    weights that are not zero; there by the kernel's size.
    """

    weight_reads: Number
    potential_reads: Number
    potential_writes: Number
    input_reads: Number
    output_writes: Number

    @property
    def total(self) -> Number:
        """All accesses together, reads and writes."""
        reads = self.weight_reads + self.potential_reads + self.input_reads
        return reads + self.potential_writes + self.output_writes

    def __add__(self, other: MemoryAccesses[Number]) -> MemoryAccesses[Number]:
        """The accesses of both."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in ACCESSES}
        return MemoryAccesses(**sums)

    def __truediv__(self, divisor: int) -> MemoryAccesses[float]:
        """Each number divided."""
        divided: Callable[..., MemoryAccesses[float]] = MemoryAccesses
        return divided(**{name: getattr(self, name) / divisor for name in ACCESSES})


ACCESSES = tuple(f.name for f in fields(MemoryAccesses))
"""Names of the kinds of access."""
NO_ACCESS = MemoryAccesses(**dict.fromkeys(ACCESSES, 0))


@dataclass(frozen=True, kw_only=True, repr=False)
class NeuronUpdates(Carded):
    """Updates of the neurons of one recorded layer, over everything recorded.

    A neuron is updated at every observed step of every sample, also where nothing arrives.

    Attributes:
        name: qualified name of the module in the model.
        kind: what the layer's values mean.
        neurons: number of neurons.
        observations: (time step, sample) pairs.
        events: values emitted that are not zero.
    """

    name: str
    kind: SignalKind
    neurons: int
    observations: int
    events: int

    @classmethod
    def of(cls, layer: LayerActivity) -> Self:
        """Those of a layer whose output was recorded."""
        return cls(
            name=layer.name,
            kind=layer.kind,
            neurons=layer.neurons,
            observations=layer.observations,
            events=int(layer.events.sum()),
        )

    @property
    def updates(self) -> int:
        """Number of updates, `neurons · observations`, whatever the layer's kind."""
        return self.neurons * self.observations

    @property
    def spikes(self) -> int | None:
        """The events of a binary or graded layer; None in an analog one, which has none."""
        return None if self.kind is SignalKind.ANALOG else self.events

    @property
    def memory(self) -> MemoryAccesses[int]:
        """The neurons' part: a potential read and written an update, an output written an event."""
        return MemoryAccesses(
            weight_reads=0,
            potential_reads=self.updates,
            potential_writes=self.updates,
            input_reads=0,
            output_writes=self.events,
        )

"""An estimate of energy from counted operations and published costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import SupportsIndex

from neuroact.by_name import ByName
from neuroact.energy import OperationCosts
from neuroact.results.beside_operations import ACCESSES, MemoryAccesses
from neuroact.results.operations import LayerOperations, Operations

# What each kind of access costs: `weight_read` is the cost of one of the `weight_reads`.
_COST_OF = {accesses: accesses.removesuffix("s") for accesses in ACCESSES}


class Energy(ByName[float]):
    """Estimated energy of each layer, in pJ, over everything recorded.

    It compares models under one set of costs; it does not predict what a device takes. The layers
    are those whose operations were counted and, where the costs have one for their neurons, those
    that were recorded. A layer's energy is the sum of two parts. What has no cost in the set is in
    neither: `costs.missing` names it.

    Args:
        operations: what was counted.
        costs: what an operation costs.

    Attributes:
        arithmetic: the first part by layer, `acs · ac + macs · mac + bias additions ·
            bias_addition + neuron updates · neuron_update`.
        memory: the second part by layer, accesses of each kind times their cost; without the layers
            whose accesses have none.

    Raises:
        TypeError: the costs are no `OperationCosts`.
        MissingOperationsError: they have a cost for neurons, and no layer's output was recorded.
    """

    def __init__(self, operations: Operations, costs: OperationCosts) -> None:
        if not isinstance(costs, OperationCosts):
            raise TypeError(
                "expected costs from neuroact.energy, such as HOROWITZ_45NM_FP32, or an "
                f"OperationCosts of your own, came {costs!r}"
            )
        self.operations = operations
        self.costs = costs
        self.arithmetic = {name: self._synaptic(layer) for name, layer in operations.items()}
        self.memory: dict[str, float] = {}
        if self._prices("weight_read", "potential_read", "potential_write", "input_read"):
            for name, layer in operations.items():
                self.memory[name] = self._accessing(layer.memory)
        if costs.neuron_update is not None:
            for name, neurons in operations.neurons.items():
                updating = neurons.updates * costs.neuron_update
                self.arithmetic[name] = self.arithmetic.get(name, 0.0) + updating
        if self._prices("potential_read", "potential_write", "output_write"):
            for name, neurons in operations.neurons.items():
                accessing = self._accessing(neurons.memory)
                self.memory[name] = self.memory.get(name, 0.0) + accessing
        self._names = tuple(dict.fromkeys([*self.arithmetic, *self.memory]))

    def __getitem__(self, name: str | SupportsIndex) -> float:
        """The energy of the layer of that name, or at that position.

        Raises:
            KeyError: it was not counted; the message says why.
            IndexError: there is no such position.
        """
        name = self._name_of(name)
        if name not in self._names:
            name = self.operations[name].name
        return self.arithmetic.get(name, 0.0) + self.memory.get(name, 0.0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def total(self) -> float:
        """Energy of all layers, in pJ."""
        return self.total_arithmetic + self.total_memory

    @property
    def total_arithmetic(self) -> float:
        """The part of the arithmetic, in pJ."""
        return math.fsum(self.arithmetic.values())

    @property
    def total_memory(self) -> float:
        """The part of the memory, in pJ; 0 where no access has a cost."""
        return math.fsum(self.memory.values())

    @property
    def total_per_sample(self) -> float:
        """Energy of all layers, in pJ for each sample.

        Raises:
            SamplesUnknownError: the recorded spiking layers disagree on the number of samples.
        """
        return self.total / self.operations.sample_count

    @property
    def ratio_to_dense(self) -> float:
        """Energy of the synaptic operations, over those of an ANN of the same shape.

        `(acs · ac + macs · mac) / sample_count / (mac · ann_macs)`, where `Operations.ann_macs` are
        the MACs of an ANN that runs each layer once a sample, however many time steps the spiking
        model takes, and that skips no zero. So time steps count once, in the numerator. A first
        layer that takes real values does MACs: in the numerator as often as the model runs it, at
        every step or once in front of them; in the denominator once. Biases, neuron updates and
        memory are on neither side: what they cost in an ANN depends on its activations, and on how
        often it reads a weight again. NaN if the denominator is 0.

        An ANN that skips zeros or is quantised takes less, and the ratio to it is larger. Where an
        AC and a MAC have one cost, that of a synaptic event, the ratio is `effective /
        sample_count / ann_macs`.

        Raises:
            SamplesUnknownError: the number of samples, of steps or of a layer's runs is unknown.
        """
        done, costs = self.operations.total, self.costs
        dense = costs.mac * self.operations.ann_macs * self.operations.sample_count
        return (done.acs * costs.ac + done.macs * costs.mac) / dense if dense else math.nan

    def _synaptic(self, layer: LayerOperations) -> float:
        biases = layer.bias_additions * (self.costs.bias_addition or 0.0)
        return layer.acs * self.costs.ac + layer.macs * self.costs.mac + biases

    def _prices(self, *costs: str) -> bool:
        return any(getattr(self.costs, cost) is not None for cost in costs)

    def _accessing(self, accesses: MemoryAccesses[int]) -> float:
        priced = (getattr(accesses, n) * (getattr(self.costs, c) or 0) for n, c in _COST_OF.items())
        return math.fsum(priced)

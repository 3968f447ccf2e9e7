"""What an operation costs, as published: sets of constants, each with its source.

A set turns counted operations into an estimate of energy: `report.operations.energy(costs)`. It is
data and no code; a set of your own is an `OperationCosts` too. There is no default set, because the
choice decides the result: an AC costs a fifth of a MAC in 32-bit floats and a thirtieth in 32-bit
integers, and a memory access costs more than either.

Of neuromorphic chips there is Loihi 1 alone. The figures per synaptic operation that are published
for others lie a factor of ten or more apart, as they do not include the same:

- TrueNorth: 2.5 pJ (Akopyan et al. 2015, as quoted in doi:10.3389/fnins.2023.1187252, Table 3), and
  26 pJ, the power of the whole chip at one rate of spikes (Merolla et al. 2014,
  doi:10.1126/science.1254642).
- SpiNNaker: 45 pJ (Stromatias et al. 2013, quoted in the same table), and 13,300 pJ (Höppner et al.
  2019, arXiv:1903.08941, as used in KerasSpiking).
- SpiNNaker 2: 10 pJ (Höppner et al. 2021, quoted in the same table), and 450 pJ (as the last one).
- Loihi 2: none; that table says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuroact.card import Carded

__all__ = [
    "HOROWITZ_45NM_FP16",
    "HOROWITZ_45NM_FP32",
    "HOROWITZ_45NM_INT8",
    "HOROWITZ_45NM_INT32",
    "HOROWITZ_45NM_INT32_SRAM",
    "LOIHI_1",
    "OperationCosts",
]

BESIDE = {
    "bias_addition": "bias additions",
    "neuron_update": "neuron updates",
    "weight_read": "weight reads",
    "potential_read": "potential reads",
    "potential_write": "potential writes",
    "input_read": "input reads",
    "output_write": "output writes",
}
"""Costs that a set may leave out, and what each is the cost of."""


@dataclass(frozen=True, kw_only=True, repr=False)
class OperationCosts(Carded):
    """What synaptic operations cost, and what stands beside them.

    All costs are energies in pJ. None means that the set has no such cost: an estimate leaves it
    out, and says so.

    Attributes:
        name: what to call the set.
        ac: of an accumulation.
        mac: of a multiplication and an accumulation. A chip on which both are one synaptic event
            has the same cost twice.
        source: where the values are published.
        node: the process and voltage that they are of, and the year.
        left_out: what an estimate by them does not include beside what has no cost.
        bias_addition: of adding a bias to an output.
        neuron_update: of moving a neuron on by a step.
        weight_read: of reading a weight.
        potential_read: of reading a neuron's state.
        potential_write: of writing it.
        input_read: of reading an event that arrives.
        output_write: of writing an event that a neuron emits.

    Raises:
        ValueError: a cost is no finite number of 0 or more, or there is no name or no source.

    >>> from neuroact.energy import OperationCosts
    >>> OperationCosts(name="mine", ac=0.5, mac=2.0, source="my own synthesis").mac
    2.0
    """

    name: str
    ac: float
    mac: float
    source: str
    node: str = "not said"
    left_out: str = "everything that has no cost here"
    bias_addition: float | None = None
    neuron_update: float | None = None
    weight_read: float | None = None
    potential_read: float | None = None
    potential_write: float | None = None
    input_read: float | None = None
    output_write: float | None = None

    def __post_init__(self) -> None:
        for what in ("ac", "mac", *BESIDE):
            cost = getattr(self, what)
            if not (_is_cost(cost) or (cost is None and what in BESIDE)):
                raise ValueError(f"expected {what}= to be a number of pJ from 0 on, came {cost!r}")
        if not _says_something(self.name):
            raise ValueError(f"expected name= to be what to call the costs, came {self.name!r}")
        if not _says_something(self.source):
            raise ValueError(f'the costs "{self.name}" have no source: say where they are from')

    @property
    def missing(self) -> tuple[str, ...]:
        """What has no cost in the set, in words."""
        return tuple(words for cost, words in BESIDE.items() if getattr(self, cost) is None)


def _is_cost(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _says_something(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


_HOROWITZ = (
    "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, "
    "doi:10.1109/ISSCC.2014.6757323, as quoted in "
)
_PMC = _HOROWITZ + "PMC8934428, Table 3"
_SPIKINGJELLY = _HOROWITZ + "SpikingJelly 2.0.0, op_counter/simple_energy.py"
_NODE = "45 nm, 0.9 V, 2014"
_SYSTEM = "routing, addressing, control, leakage and idle power"


def _horowitz(precision: str, add: float, multiply: float, quoted: str) -> OperationCosts:
    return OperationCosts(
        name=f"Horowitz 2014, 45 nm, {precision}",
        ac=add,
        mac=round(add + multiply, 10),
        source=f"{quoted}: an addition, and a multiplication and an addition",
        node=_NODE,
        left_out=f"memory, which can cost far more than the arithmetic; {_SYSTEM}",
    )


HOROWITZ_45NM_INT8 = _horowitz("int8", add=0.03, multiply=0.2, quoted=_SPIKINGJELLY)
"""Arithmetic alone, 8-bit integers: an AC takes 0.03 pJ, a MAC 0.23 pJ."""
HOROWITZ_45NM_INT32 = _horowitz("int32", add=0.1, multiply=3.1, quoted=_PMC)
"""Arithmetic alone, 32-bit integers: an AC takes 0.1 pJ, a MAC 3.2 pJ."""
HOROWITZ_45NM_FP16 = _horowitz("fp16", add=0.4, multiply=1.1, quoted=_SPIKINGJELLY)
"""Arithmetic alone, 16-bit floats: an AC takes 0.4 pJ, a MAC 1.5 pJ."""
HOROWITZ_45NM_FP32 = _horowitz("fp32", add=0.9, multiply=3.7, quoted=_PMC)
"""Arithmetic alone, 32-bit floats: an AC takes 0.9 pJ, a MAC 4.6 pJ."""

HOROWITZ_45NM_INT32_SRAM = OperationCosts(
    name="Horowitz 2014, 45 nm, int32, memory of 8 kB",
    ac=0.1,
    mac=3.2,
    bias_addition=0.1,
    weight_read=5.0,
    potential_read=5.0,
    potential_write=5.0,
    input_read=5.0,
    output_write=5.0,
    source=f"{_PMC}: the arithmetic, and 5 pJ for 32 bit of a cache of 8 kB, half of a 64-bit "
    "access",
    node=_NODE,
    left_out="what a larger memory takes beyond one of 8 kB, and a memory outside the chip far "
    f"beyond that; {_SYSTEM}. A write is taken to cost what a read does",
)
"""Arithmetic and memory, 32-bit integers: as above, and 5 pJ for each access."""

LOIHI_1 = OperationCosts(
    name="Loihi 1, 14 nm",
    ac=23.6,
    mac=23.6,
    neuron_update=81.0,
    source="M. Davies et al., Loihi: A Neuromorphic Manycore Processor with On-Chip Learning, IEEE "
    "Micro 38(1), 2018, doi:10.1109/MM.2018.112130359, as quoted in "
    "doi:10.3389/fnins.2023.1187252, Table 3 (a synaptic operation), and in KerasSpiking, "
    "model_energy.py (a neuron's update)",
    node="14 nm, SPICE simulation, 2018",
    left_out="routing of spikes, learning, host and idle power. The source does not tell memory "
    "from arithmetic. A MAC is priced as one synaptic operation too, though spikes there are "
    "binary",
)
"""A synaptic operation takes 23.6 pJ, an AC or a MAC alike, and a neuron's update 81 pJ."""

"""What an operation costs, as published: sets of constants, each with its source.

A set turns counted operations into an estimate of energy: `report.operations.energy(costs)`. It is
data and no code; a set of your own is an `OperationCosts` too. There is no default set, because the
choice decides the result: an AC costs a fifth of a MAC in 32-bit floats and a thirtieth in 32-bit
integers. No set of a neuromorphic chip is here: for some chips the published figures per synaptic
operation lie a factor of ten or more apart, as they do not include the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["HOROWITZ_45NM_FP32", "HOROWITZ_45NM_INT32", "OperationCosts"]


@dataclass(frozen=True, kw_only=True)
class OperationCosts:
    """What synaptic operations cost.

    Attributes:
        name: what to call the set.
        ac: energy of an accumulation, in pJ.
        mac: energy of a multiplication and an accumulation, in pJ.
        source: where the values are published.
        node: the process and voltage that they are of.
        left_out: what an estimate by them does not include.

    Raises:
        ValueError: a cost is no finite number of 0 or more, or there is no source.

    >>> from neuroact.energy import OperationCosts
    >>> OperationCosts(name="mine", ac=0.5, mac=2.0, source="my own synthesis").mac
    2.0
    """

    name: str
    ac: float
    mac: float
    source: str
    node: str = "not said"
    left_out: str = "everything but synaptic operations"

    def __post_init__(self) -> None:
        for what, cost in (("ac", self.ac), ("mac", self.mac)):
            if not (math.isfinite(cost) and cost >= 0):
                raise ValueError(f"expected {what}= to be a number of pJ from 0 on, came {cost!r}")
        if not (isinstance(self.source, str) and self.source.strip()):
            raise ValueError(f'the costs "{self.name}" have no source: say where they are from')


def _horowitz(precision: str, add: float, multiply: float) -> OperationCosts:
    return OperationCosts(
        name=f"Horowitz 2014, 45 nm, {precision}",
        ac=add,
        mac=round(add + multiply, 10),
        source="M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, "
        "doi:10.1109/ISSCC.2014.6757323, as quoted in PMC8934428, Table 3: an addition, and a "
        "multiplication and an addition",
        node="45 nm, 0.9 V",
        left_out="memory accesses, which can cost far more than the arithmetic; routing, control, "
        "neuron updates, biases, leakage and idle power",
    )


HOROWITZ_45NM_INT32 = _horowitz("int32", add=0.1, multiply=3.1)
"""Arithmetic alone, 32-bit integers: an AC takes 0.1 pJ, a MAC 3.2 pJ."""
HOROWITZ_45NM_FP32 = _horowitz("fp32", add=0.9, multiply=3.7)
"""Arithmetic alone, 32-bit floats: an AC takes 0.9 pJ, a MAC 4.6 pJ."""

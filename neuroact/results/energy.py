"""An estimate of energy from counted operations and published costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from neuroact.energy import OperationCosts
from neuroact.results.operations import OperationCounts, Operations


class Energy(Mapping[str, float]):
    """Estimated energy of the synaptic operations of each layer, in pJ, over everything recorded.

    A layer's energy is `acs · costs.ac + macs · costs.mac`. It compares models under one set of
    costs; it does not predict what a device takes.

    Args:
        operations: what was counted.
        costs: what an operation costs.

    Raises:
        TypeError: the costs are no `OperationCosts`.
    """

    def __init__(self, operations: Operations, costs: OperationCosts) -> None:
        if not isinstance(costs, OperationCosts):
            raise TypeError(
                "expected costs from neuroact.energy, such as HOROWITZ_45NM_FP32, or an "
                f"OperationCosts of your own, came {costs!r}"
            )
        self.operations = operations
        self.costs = costs

    def __getitem__(self, name: str) -> float:
        """The energy of the layer of that name; KeyError where it was not counted."""
        return self._of(self.operations[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    @property
    def total(self) -> float:
        """Energy of all layers that were counted, in pJ."""
        return self._of(self.operations.total)

    @property
    def total_per_sample(self) -> float:
        """Energy of all layers that were counted, in pJ for each sample.

        Raises:
            SamplesUnknownError: the recorded spiking layers disagree on the number of samples.
        """
        return self._of(self.operations.per_sample.total)

    def _of(self, counts: OperationCounts[int] | OperationCounts[float]) -> float:
        return counts.acs * self.costs.ac + counts.macs * self.costs.mac

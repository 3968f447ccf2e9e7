"""Synaptic operations as a report offers them: to look up, to print and to export."""

from __future__ import annotations

from typing import Any, Self

from neuroact.energy import OperationCosts
from neuroact.printable import printable
from neuroact.results.energy import Energy
from neuroact.results.operations import Operations


class EnergyReport(Energy):
    """Estimated energy of each layer, in pJ; printing it gives a table with the sources."""

    def __str__(self) -> str:
        from neuroact.table.energy import energy_text

        return energy_text(self)

    def __repr__(self) -> str:
        return f"<neuroact energy of {len(self)} layers by {printable(self.costs.name)}>"


class OperationsReport(Operations):
    """Synaptic operations of a model's layers by name, in the model's order.

    Printing it gives a table.
    """

    @classmethod
    def of(cls, operations: Operations) -> Self:
        """A report of operations that were counted or read."""
        return cls(
            operations.values(),
            not_counted=operations.not_counted,
            samples=operations.samples,
            steps=operations.steps,
            by_sample=operations.by_sample,
        )

    def __repr__(self) -> str:
        names = ", ".join(map(printable, self))
        return f"<neuroact operations of {len(self)} layers: {names}>"

    def __str__(self) -> str:
        from neuroact.table.operations import operations_text

        return operations_text(self)

    def energy(self, costs: OperationCosts) -> EnergyReport:
        """An estimate of the energy that the operations take.

        Args:
            costs: what an operation costs: a set of `neuroact.energy`, or one of your own.

        Raises:
            TypeError: the costs are no `OperationCosts`.
        """
        return EnergyReport(self, costs)

    def to_frame(self) -> Any:
        """One row a layer: a pandas data frame, or polars where pandas is missing.

        `neuroact.files.columns.operation_columns` says which columns there are.

        Raises:
            MissingExtraError: neither is installed; the extra `frames` brings pandas.
        """
        from neuroact.files.columns import data_frame, operation_columns

        return data_frame(operation_columns(self), purpose="operations.to_frame()")

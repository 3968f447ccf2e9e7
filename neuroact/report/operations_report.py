"""Synaptic operations as a report offers them: to look up, to print and to export."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from neuroact.energy import OperationCosts
from neuroact.results.energy import Energy
from neuroact.results.operations import Operations

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.table.operations import OperationsTable


class EnergyReport(Energy):
    """Estimated energy of each layer, in pJ; printing it gives a table with the sources."""

    def __str__(self) -> str:
        from neuroact.table.energy import energy_text

        return energy_text(self)

    def _repr_html_(self) -> str:
        from neuroact.table.energy import EnergyTable
        from neuroact.table.notebook import html_table

        table = EnergyTable(self)
        return html_table(table.columns, table.notes, f"estimated energy by {self.costs.name}")


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
            updates=operations._neurons.values(),
            by_sample=operations.by_sample,
        )

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def table(self, *, legend: bool = False) -> OperationsTable:
        """The table that printing the operations gives; with `legend`, its words are explained.

        It shows itself: printed, at a prompt, or in a notebook.
        """
        from neuroact.table.operations import OperationsTable

        return OperationsTable(self, legend=legend)

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

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The columns of `to_frame` as CSV text. With a `path`, also write it there.

        The file is written whole or not at all. It is written like that of
        `ActivityReport.to_csv`.
        """
        from neuroact.atomic_file import write_text
        from neuroact.files.columns import operation_columns
        from neuroact.files.export import csv_text

        text = csv_text(operation_columns(self))
        if path is not None:
            write_text(path, text)
        return text

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the columns of `to_frame` as a Parquet file, whole or not at all.

        Raises:
            MissingExtraError: pyarrow is not installed. The extra `parquet` installs it.
        """
        from neuroact.files.columns import operation_columns
        from neuroact.files.export import write_parquet

        write_parquet(operation_columns(self), path, purpose="operations.to_parquet()")

    def plot(self, path: str | os.PathLike[str] | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw a bar per layer; see `neuroact.plots.operations_plot`. It needs the extra `plots`.

        Args:
            path: image file to write, in the format of its ending; None to write none.
            ax: axes to draw into; None makes a figure of its own.

        Returns:
            The axes drawn into. Nothing is shown on a screen.

        Raises:
            ValueError: the file's ending is no format of pictures.
            MissingExtraError: matplotlib is not installed.
        """
        from neuroact.plots import operations_plot, save_figure

        axes = operations_plot(self, ax=ax)
        if path is not None:
            save_figure(axes, path)
        return axes

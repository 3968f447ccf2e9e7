"""Synaptic operations as a table of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from neuroact.printable import printable
from neuroact.results.operations import LayerOperations, Operations
from neuroact.table.columns import TableColumn
from neuroact.table.layout import drawn, plain_text, terminal_width
from neuroact.table.text import number_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

_NOTES = {
    "fan-out": "mean number of non-zero weights that an element of the input meets",
    "density": "share of the input's elements that were not zero: events",
    "dense": "operations if no element and no weight were zero",
    "ACs, MACs": "operations of events with non-zero weights: ACs of events of magnitude one, "
    "which add a weight; MACs of others, which multiply by it",
    "% dense": "ACs and MACs as a share of dense",
    "total": "over everything recorded, all samples and steps; without biases, neuron updates, "
    "memory accesses and products of two activations",
}


def operations_text(operations: Operations, width: int | None = None) -> str:
    """A table of the operations of each layer, and what its figures mean, as plain text.

    Args:
        operations: what to show.
        width: longest line. Where None, the terminal's width if standard output is one, else as
            wide as the table is.
    """
    return plain_text(OperationsTable(operations), terminal_width() if width is None else width)


class OperationsTable:
    """The table as `rich.console.Console.print` takes it, laid out for the console's width."""

    def __init__(self, operations: Operations) -> None:
        self.columns = _columns(operations)
        self.notes = _NOTES | not_counted_notes(operations)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield from drawn(self.columns, self.notes, options.max_width)


def not_counted_notes(operations: Operations) -> dict[str, str]:
    """A note for each module that is not counted."""
    found = operations.not_counted.items()
    return {f"! {printable(name)}": f"not counted: {why}" for name, why in found}


def _columns(operations: Operations) -> list[TableColumn]:
    layers, total = list(operations.values()), operations.total

    def column(
        head: str, text: Callable[[LayerOperations], str], total: str = "", *, left: bool = False
    ) -> TableColumn:
        return TableColumn(head, tuple(map(text, layers)), total, left=left)

    def share_of_total(layer: LayerOperations) -> str:
        return _percent(layer.effective / total.effective if total.effective else 0.0)

    return [
        column("layer", lambda layer: printable(layer.name), "total", left=True),
        column("type", lambda layer: printable(layer.layer_type), left=True),
        column("input", lambda layer: "x".join(map(str, layer.shape)), left=True),
        column("fan-out", lambda layer: number_text(layer.fan_out)),
        column("density", lambda layer: number_text(layer.density)),
        column("dense", lambda layer: f"{layer.dense:,}", f"{total.dense:,}"),
        column("MACs", lambda layer: f"{layer.macs:,}", f"{total.macs:,}"),
        column("ACs", lambda layer: f"{layer.acs:,}", f"{total.acs:,}"),
        column("% dense", lambda layer: _percent(layer.share), _percent(total.share)),
        column("% total", share_of_total),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"

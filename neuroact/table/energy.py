"""An estimate of energy as a table of text, with what has to be said beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from neuroact.printable import printable
from neuroact.results.energy import Energy
from neuroact.table.columns import TableColumn
from neuroact.table.layout import drawn, plain_text, terminal_width
from neuroact.table.operations import not_counted_notes

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType


def energy_text(energy: Energy, width: int | None = None) -> str:
    """A table of each layer's energy, its constants, their source and what is left out.

    Args:
        energy: what to show.
        width: longest line. Where None, the terminal's width if standard output is one, else as
            wide as the table is.
    """
    return plain_text(EnergyTable(energy), terminal_width() if width is None else width)


class EnergyTable:
    """The table as `rich.console.Console.print` takes it, laid out for the console's width."""

    def __init__(self, energy: Energy) -> None:
        costs = energy.costs
        self.columns = _columns(energy)
        self.notes = {
            "costs": f"{costs.name}: {costs.ac:g} pJ an AC, {costs.mac:g} pJ a MAC",
            "node": costs.node,
            "source": costs.source,
            "left out": costs.left_out,
            "pJ": "an estimate over everything recorded, all samples and steps; it compares models "
            "under one set of costs, and does not predict what a device takes",
        }
        self.notes = {term: printable(text) for term, text in self.notes.items()}
        self.notes |= not_counted_notes(energy.operations)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield from drawn(self.columns, self.notes, options.max_width)


def _columns(energy: Energy) -> list[TableColumn]:
    layers, total = list(energy.operations.values()), energy.operations.total
    shares = [energy[layer.name] / energy.total if energy.total else 0.0 for layer in layers]
    return [
        TableColumn("layer", tuple(printable(layer.name) for layer in layers), "total", left=True),
        TableColumn("MACs", tuple(f"{layer.macs:,}" for layer in layers), f"{total.macs:,}"),
        TableColumn("ACs", tuple(f"{layer.acs:,}" for layer in layers), f"{total.acs:,}"),
        TableColumn("pJ", tuple(f"{energy[name]:.6g}" for name in energy), f"{energy.total:.6g}"),
        TableColumn("% total", tuple(f"{100 * share:.2f}" for share in shares)),
    ]

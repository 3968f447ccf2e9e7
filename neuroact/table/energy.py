"""An estimate of energy as a table of text, with what has to be said beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from neuroact.energy import BESIDE, OperationCosts
from neuroact.errors import SamplesUnknownError
from neuroact.printable import printable
from neuroact.results.energy import Energy
from neuroact.table.columns import TableColumn
from neuroact.table.layout import ShownTable
from neuroact.table.operations import not_counted_notes, samples_note

_Number = TypeVar("_Number", int, float)


def energy_text(energy: Energy, width: int | None = None) -> str:
    """A table of each layer's energy, its constants, their source and what is left out.

    Args:
        energy: what to show.
        width: longest line. Where None, the terminal's width if standard output is one, else as
            wide as the table is.
    """
    return EnergyTable(energy).text(width)


class EnergyTable(ShownTable):
    """The table of the energy of a report's operations."""

    def __init__(self, energy: Energy) -> None:
        notes = {term: printable(text) for term, text in _notes(energy).items()}
        super().__init__(_columns(energy), notes | not_counted_notes(energy.operations))


def _notes(energy: Energy) -> dict[str, str]:
    costs, operations = energy.costs, energy.operations
    try:
        over = f"{samples_note(operations)}; {_picojoules(energy.total_per_sample)} pJ a sample"
        ratio = (
            f"{energy.ratio_to_dense:.4g} of an ANN of the same shape, which runs once a sample "
            f"and is dense: {operations.ann_macs:,} MACs. On both sides ACs and MACs alone. An ANN "
            "that skips zeros or is quantised takes less"
        )
    except SamplesUnknownError as unknown:
        over, ratio = samples_note(operations), f"not known: {unknown}"
    memory = "arithmetic and memory" if energy.memory else "memory has no cost of its own here"
    return {
        "samples": over,
        "ratio": ratio,
        "costs": f"{costs.name}: {_prices(costs)}",
        "no cost for": ", ".join(costs.missing) or "nothing that is counted",
        "node": costs.node,
        "source": costs.source,
        "left out": costs.left_out,
        "pJ": f"{memory}; an estimate over everything recorded, all samples and steps. It compares "
        "models under one set of costs, and does not predict what a device takes",
    }


def _prices(costs: OperationCosts) -> str:
    beside = {words: getattr(costs, cost) for cost, words in BESIDE.items()}
    each = ", ".join(f"{words} {cost:g}" for words, cost in beside.items() if cost is not None)
    return f"{costs.ac:g} pJ an AC, {costs.mac:g} pJ a MAC" + (f"; pJ each: {each}" if each else "")


def _columns(energy: Energy) -> list[TableColumn]:
    operations, total = energy.operations, energy.operations.total

    def column(
        head: str, values: Mapping[str, _Number], total: _Number, text: Callable[[_Number], str]
    ) -> TableColumn:
        cells = (text(values[name]) if name in values else "-" for name in energy)
        return TableColumn(head, tuple(cells), text(total))

    def counted(head: str, figure: str) -> TableColumn:
        counts = {name: getattr(layer, figure) for name, layer in operations.items()}
        return column(head, counts, getattr(total, figure), "{:,}".format)

    columns = [
        TableColumn("layer", tuple(map(printable, energy)), "total", left=True),
        counted("MACs", "macs"),
        counted("ACs", "acs"),
    ]
    if energy.costs.bias_addition is not None:
        columns.append(counted("biases", "bias_additions"))
    if energy.costs.neuron_update is not None:
        updates = {name: layer.updates for name, layer in operations.neurons.items()}
        columns.append(column("updates", updates, operations.updates, "{:,}".format))
    if energy.memory:
        arithmetic, memory = energy.arithmetic, energy.memory
        columns += [
            column("arithmetic pJ", arithmetic, energy.total_arithmetic, _picojoules),
            column("memory pJ", memory, energy.total_memory, _picojoules),
        ]
    shares = {name: part / energy.total if energy.total else 0.0 for name, part in energy.items()}
    return [
        *columns,
        column("pJ", energy, energy.total, _picojoules),
        TableColumn("% total", tuple(f"{100 * share:.2f}" for share in shares.values())),
    ]


def _picojoules(energy: float) -> str:
    return f"{energy:,.0f}" if 10_000 <= energy < 1e15 else f"{energy:.6g}"

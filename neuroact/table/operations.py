"""Synaptic operations as a table of text."""

from __future__ import annotations

import math
from collections.abc import Callable

from neuroact.errors import MissingOperationsError, SamplesUnknownError
from neuroact.printable import printable
from neuroact.results.beside_operations import ACCESSES
from neuroact.results.operations import LayerOperations, Operations
from neuroact.table.columns import TableColumn
from neuroact.table.layout import ShownTable
from neuroact.table.legend import joined
from neuroact.table.notebook import html_table
from neuroact.table.text import ratio_text, shape_text

_MOST_NAMES = 6
_NOTES = {
    "input": "binary: every event was 1 or -1; graded: all values whole numbers; real: others too; "
    "silent: zeros alone",
    "in, out": "shapes of one input and of its output, without time and batch",
    "fan-out": "mean number of non-zero weights that an element of the input meets",
    "density": "share of the input's elements that were not zero: events",
    "dense": "operations if no element and no weight were zero",
    "ACs, MACs": "operations of events with non-zero weights: ACs of events of magnitude one, "
    "which add a weight; MACs of others, which multiply by it",
    "% dense": "ACs and MACs as a share of dense",
}
_TOTAL = (
    "over everything recorded, all samples and steps; without biases, neuron updates, memory "
    "accesses and products of two activations that nobody observed"
)
IN_PYTHON = "report.operations.table(legend=True)"
IN_COMMANDS = "neuroact show FILE --operations --legend"
"""How the legend is asked for."""


class OperationsTable(ShownTable):
    """A table that shows itself: as text, at a prompt, in a notebook, and printed by rich.

    Args:
        operations: what to show.
        legend: whether the notes also explain the table's words.
        hint: how the legend is asked for; empty if nothing is said of it.
    """

    def __init__(
        self, operations: Operations, *, legend: bool = True, hint: str = IN_PYTHON
    ) -> None:
        self._operations = operations
        notes = _beside(operations) | (_NOTES if legend else {}) | {"total": _TOTAL}
        notes |= not_counted_notes(operations)
        if not legend and hint:
            notes["legend"] = f"{hint} explains the words"
        super().__init__(_columns(operations), notes)

    def _repr_html_(self) -> str:
        table = OperationsTable(self._operations)  # with the legend, which is folded away
        return html_table(table.columns, table.notes, "synaptic operations")


def samples_note(operations: Operations) -> str:
    """How many samples and steps the figures are over, as a line."""
    try:
        samples, steps = operations.sample_count, operations.step_count
    except SamplesUnknownError:
        return "not known: the recorded layers saw different numbers of samples or of steps"
    average = "" if steps % samples == 0 else " on average"
    return f"{samples:,} of {steps / samples:,.6g} steps{average}"


def not_counted_notes(operations: Operations) -> dict[str, str]:
    """A note for each module that is not counted."""
    found = operations.not_counted.items()
    return {f"! {printable(name)}": f"not counted: {why}" for name, why in found}


def _beside(operations: Operations) -> dict[str, str]:
    """What stands beside the operations, as lines."""
    found = {"samples": samples_note(operations)}
    try:
        neurons, accesses = operations.neurons, operations.memory
    except MissingOperationsError:
        unknown = "not known: what the spiking layers emit was not recorded"
        found |= {"neuron updates": unknown, "memory accesses": unknown}
    else:
        spikes = [layer.spikes for layer in neurons.values() if layer.spikes is not None]
        layers = joined(neurons) if len(neurons) <= _MOST_NAMES else f"{len(neurons)} layers"
        found["neuron updates"] = (
            f"{operations.updates:,}, of {sum(n.neurons for n in neurons.values()):,} neurons in "
            f"{layers}" + (f", which emitted {sum(spikes):,} spikes" if spikes else "")
        )
        kinds = (f"{getattr(accesses, name):,} {name.replace('_', ' ')}" for name in ACCESSES)
        found["memory accesses"] = (
            f"{accesses.total:,}: {', '.join(kinds)}; driven by events, nothing kept for use again"
        )
    return found | {"bias additions": f"{operations.total.bias_additions:,}"}


def _columns(operations: Operations) -> list[TableColumn]:
    layers, total = list(operations.values()), operations.total

    def column(
        head: str, text: Callable[[LayerOperations], str], total: str = "", **more: bool
    ) -> TableColumn:
        return TableColumn(head, tuple(map(text, layers)), total, **more)

    def counted(head: str, name: str) -> TableColumn:
        sum_of_all = f"{getattr(total, name):,}"
        return column(head, lambda layer: f"{getattr(layer, name):,}", sum_of_all, apart=True)

    def share_of_total(layer: LayerOperations) -> str:
        return _percent(layer.effective / total.effective if total.effective else 0.0)

    return [
        column("layer", lambda layer: printable(layer.name), "total", left=True),
        column("type", lambda layer: printable(layer.layer_type), left=True),
        column("input", lambda layer: layer.input_kind, left=True),
        column("in", lambda layer: shape_text(layer.shape) if layer.inputs else "-", left=True),
        column("out", _output_text, left=True),
        column("params", lambda layer: f"{layer.parameters:,}", f"{operations.parameters:,}"),
        column("fan-out", lambda layer: ratio_text(layer.fan_out)),
        column("density", lambda layer: ratio_text(layer.density)),
        counted("dense", "dense"),
        counted("MACs", "macs"),
        counted("ACs", "acs"),
        column("% dense", lambda layer: _percent(layer.share), _percent(total.share), apart=True),
        column("% total", share_of_total, apart=True),
    ]


def _output_text(layer: LayerOperations) -> str:
    return "-" if layer.output_shape is None else shape_text(layer.output_shape)


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.2f}"

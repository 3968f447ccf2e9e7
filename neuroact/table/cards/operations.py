"""Cards of synaptic operations, and of what they cost."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from neuroact.card import Card, brief, card_of, several, some
from neuroact.energy import BESIDE, OperationCosts
from neuroact.results.compared_operations import ComparedOperations, OperationsComparison
from neuroact.results.energy import Energy
from neuroact.results.operations import Divided, LayerOperations, OperationCounts, Operations
from neuroact.results.spread import OperationSpread
from neuroact.table.text import ratio_text, shape_text

_COUNTS = tuple(field.name for field in fields(OperationCounts))


@card_of.register
def _(layer: LayerOperations) -> Card:
    into = f"{layer.input_kind} input of {shape_text(layer.shape)}"
    return Card(
        f'LayerOperations "{layer.name}": {layer.framework} {layer.layer_type}, {into}',
        {**_counts(layer), "more": ".fan_out, .density, .memory, .spread"},
    )


@card_of.register(OperationCounts)
def _(counts: OperationCounts[Any]) -> Card:
    return Card("OperationCounts", _counts(counts))


@card_of.register
def _(operations: Operations) -> Card:
    layers = several(len(operations), "layer")
    return Card(
        f"{type(operations).__name__}: synaptic operations of {layers}",
        {
            "layers": some(operations),
            **_counts(operations.total),
            "not counted": some(operations.not_counted),
            "more": 'print(operations), operations["layer"], operations[0], .per_sample, '
            ".energy(costs)",
        },
    )


@card_of.register
def _(divided: Divided) -> Card:
    return Card(
        f"Divided: synaptic operations of {several(len(divided), 'layer')}, divided by one number",
        {"layers": some(divided), **_counts(divided.total), "more": '["layer"], [0], .total'},
    )


@card_of.register
def _(spread: OperationSpread) -> Card:
    return Card(
        f"OperationSpread: effective operations of {several(spread.samples, 'sample')}",
        {
            "least to most": f"{spread.least:,} to {spread.most:,}",
            "mean": f"{spread.mean:,.6g}",
            "median": f"{spread.median:,.6g}" + ("" if spread.exact else ", to 0.4 %"),
            "more": ".quantile(0.9), .values, .counts",
        },
    )


@card_of.register
def _(compared: ComparedOperations) -> Card:
    first, *others = compared.reports
    return Card(
        f"ComparedOperations: {several(len(compared), 'layer')} compared with {first}",
        {
            "ratio": some(f"{ratio_text(compared.ratio(label))} in {label}" for label in others),
            "layers": some(compared),
            "more": 'compared["layer"], compared[0], .ratio(label, "layer"), .reports',
        },
    )


@card_of.register
def _(entry: OperationsComparison) -> Card:
    found = {f'"{n}"': f"{layer.effective:,} effective" for n, layer in entry.layers.items()}
    return Card(
        f'OperationsComparison "{entry.name}"',
        {**dict(list(found.items())[:8]), "more": f".layers[{next(iter(found))}]"},
    )


@card_of.register
def _(energy: Energy) -> Card:
    parts = (f"{name} {energy[name]:,.4g}" for name in energy)
    return Card(
        f"{type(energy).__name__}: estimate for {several(len(energy), 'layer')}, in pJ",
        {
            "total": f"{energy.total:,.6g} pJ over everything recorded",
            "layers": some(parts),
            "costs": energy.costs.name,
            "no cost for": ", ".join(energy.costs.missing),
            "more": "print(energy), .total_per_sample, .ratio_to_dense, .arithmetic, .memory",
        },
    )


@card_of.register
def _(costs: OperationCosts) -> Card:
    beside = {words: getattr(costs, cost) for cost, words in BESIDE.items()}
    given = (f"{words} {cost:g}" for words, cost in beside.items() if cost is not None)
    return Card(
        f'OperationCosts "{costs.name}"',
        {
            "pJ": f"AC {costs.ac:g}, MAC {costs.mac:g}",
            "beside": ", ".join(given),
            "no cost for": ", ".join(costs.missing),
            "node": costs.node,
            "source": costs.source,
            "left out": costs.left_out,
        },
    )


def _counts(counts: OperationCounts[Any]) -> dict[str, str]:
    found = {name: brief(getattr(counts, name)) for name in _COUNTS}
    done = f"{brief(counts.effective)}: {found['acs']} ACs, {found['macs']} MACs"
    return {
        "effective": done,
        "dense": f"{found['dense']}; effective are {100 * counts.share:.3g} % of it",
        "events": f"{found['events']}, of magnitude one {found['ones']}",
        "biases": f"{found['bias_additions']} additions",
    }

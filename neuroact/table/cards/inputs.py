"""Cards of what goes into a recording: chunks, readings, layers before they are called."""

from __future__ import annotations

from typing import Any

from neuroact.card import Card, brief, card_of, several
from neuroact.layers.adapter import LayerCall
from neuroact.layers.call_pattern import CallPattern
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.reading import Reading
from neuroact.stream.chunk import SpikeChunk
from neuroact.stream.product import SynapticProduct


@card_of.register
def _(info: LayerInfo) -> Card:
    title = f'LayerInfo "{info.name}": {info.framework} {info.layer_type}, {info.kind.value}'
    return Card(title, {"read": info.read_as, "aliases": ", ".join(info.aliases)})


@card_of.register
def _(reading: Reading) -> Card:
    places = "" if reading.places == 1 else f", in {reading.places} places"
    return Card(f"Reading: {reading}{places}", {})


@card_of.register
def _(call: LayerCall) -> Card:
    arguments = [*map(_type, call.args), *(f"{n}={_type(x)}" for n, x in call.kwargs.items())]
    return Card(
        "LayerCall",
        {
            "arguments": ", ".join(arguments) or "none",
            "output": _type(call.output),
            "state": _type(call.state),
        },
    )


@card_of.register
def _(pattern: CallPattern) -> Card:
    returned = "a sequence" if pattern.sequence else "one step"
    return Card(f"CallPattern: {pattern.kind.value}, a call returns {returned}", {})


@card_of.register
def _(chunk: SpikeChunk) -> Card:
    neurons = "x".join(map(str, chunk.neurons)) or "1"
    begins = "begins a sequence" if chunk.starts_sequence else "continues the last chunk"
    size = f"{several(chunk.steps, 'step')} of {several(chunk.batch, 'sample')}"
    return Card(
        f"SpikeChunk: {size}, neurons {neurons}, {chunk.kind.value}",
        {
            "sequence": begins,
            "values": f"{brief(chunk.values)} on {chunk.values.device}: [time, batch, *neurons]",
            "valid": "" if chunk.valid is None else brief(chunk.valid),
            "labels": "" if chunk.labels is None else brief(chunk.labels),
        },
    )


@card_of.register
def _(product: SynapticProduct) -> Card:
    sides = {"left": brief(product.left), "right": brief(product.right)}
    return Card("SynapticProduct", {**sides, "more": ".counts()"})


def _type(value: Any) -> str:
    """An array's dtype and shape; of anything else the class, since it may hold much."""
    return brief(value) if value is None or hasattr(value, "dtype") else type(value).__name__

"""Cards of a recording and of its layers."""

from __future__ import annotations

from neuroact.card import Card, card_of, several, some
from neuroact.recording.recorded_layers import RecordedLayers
from neuroact.recording.recording import Recording


@card_of.register
def _(recording: Recording) -> Card:
    state = "closed" if recording._closed else "open"
    called = sum(layer.called for layer in recording._layers.values())
    names = (type(build()).__name__ for build in recording._factories)
    return Card(
        f"Recording: {several(len(recording.layers), 'layer')}, {state}",
        {
            "layers": some(recording.layers),
            "called": f"{called:,} of them so far",
            "statistics": ", ".join(names),
            "time step": "" if recording.dt is None else f"{recording.dt:g} s",
            "more": ".report(), .layers, .observe(name, values), .save(path), .merge(other)",
        },
    )


@card_of.register
def _(layers: RecordedLayers) -> Card:
    found = {f'"{info.name}"': f"{info.layer_type}, {info.kind.value}" for info in layers.values()}
    lines = dict(list(found.items())[:10])
    more = "" if len(found) <= 10 else several(len(found) - 10, "layer") + " more"
    title = f"RecordedLayers: {several(len(found), 'layer')}"
    return Card(title, {**lines, "and": more, "more": "print(recording.layers), [0]"})

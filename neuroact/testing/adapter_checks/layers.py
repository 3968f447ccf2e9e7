"""The checks of an adapter: its parts, and which modules it finds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from torch import nn

import neuroact
from neuroact.errors import NoSpikingLayersError
from neuroact.layers.adapter import Adapter
from neuroact.layers.names import named_modules
from neuroact.stream.chunk import SignalKind
from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.asserting import described
from neuroact.testing.example import ExpectedLayer
from neuroact.testing.playing import AdapterCase, Player, ReadCall, usual_runs
from neuroact.testing.raw import module_of


@adapter_check()
def interface(case: AdapterCase) -> None:
    """The adapter is an instance and has `framework`, `kind` and `read`."""
    adapter: Any = case.adapter
    assert not isinstance(adapter, type), "expected an adapter, came a class: pass an instance"
    assert isinstance(adapter, Adapter), f"{described(adapter)} lacks framework, kind or read"
    name = adapter.framework
    assert isinstance(name, str), f"expected framework to be a str, came {described(name)}"
    assert re.fullmatch(r"[^\W\d]\w*", name), (
        f"expected framework to be a top-level import name, such as 'snntorch', came {name!r}: "
        "the registry looks it up among the packages of a module's classes"
    )


@adapter_check()
def telling_example(case: AdapterCase) -> None:
    """The example can tell right from wrong: all sizes differ, and neurons fire and rest."""
    example = case.example
    player = Player(case).watch()
    calls = player.play(usual_runs(example))
    for name, layer in example.layers.items():
        truths = [call.truth for call in calls if call.layer == name]
        assert truths, f'layer "{name}" was never called; look at `run` and `layers`'
        _assert_sizes_differ(name, layer, calls)
        values = np.concatenate([truth.ravel() for truth in truths])
        silent = np.count_nonzero(values == 0)
        assert layer.kind is SignalKind.ANALOG or 0 < silent < values.size, (
            f'layer "{name}": {silent} of {values.size} values are zero. Where all neurons rest '
            "or all fire, errors stay hidden: draw other `inputs` or weights."
        )


def _assert_sizes_differ(name: str, layer: ExpectedLayer, calls: list[ReadCall]) -> None:
    call = next(call for call in calls if call.layer == name)
    steps = call.run.steps if "T" in layer.axes else 1
    samples = call.run.batch if "B" in layer.axes else 1
    assert call.truth.shape[:2] == (steps, samples), (
        f'layer "{name}": by `axes` {layer.axes!r} and `spikes`, a call emitted '
        f"{call.truth.shape[0]} steps of {call.truth.shape[1]} samples; expected {steps} steps of "
        f"{samples} samples"
    )
    sizes = [call.run.steps, call.run.batch, *call.truth.shape[2:]]
    assert len(set(sizes)) == len(sizes), (
        f'layer "{name}": steps, batch and neurons {sizes} are not all different, so that swapped '
        "axes would not show; choose other `steps`, `batch` or neurons"
    )


@adapter_check()
def layers_found(case: AdapterCase) -> None:
    """Recording the model finds the layers that emit spikes, each once, and nothing else."""
    model = case.example.build()
    try:
        with neuroact.record(model, adapters=[case.adapter]) as recording:
            found = list(recording.layers)
    except NoSpikingLayersError:
        found = []
    missing = [name for name in case.spiking if name not in found]
    extra = [name for name in found if name not in case.spiking]
    kinds = {name: _named(case.adapter.kind(module_of(model, name))) for name in missing + extra}
    assert not missing, (
        f"expected the layers {case.spiking}, and {missing} were not found: `kind` says "
        f"{kinds}, and only BINARY and GRADED layers are recorded without being named"
    )
    assert not extra, (
        f"expected the layers {case.spiking}, came {extra} too; `kind` says {kinds} of them. A "
        "wrapper that repeats its child's spikes is not a layer. Nor is a part of a layer, whose "
        "spikes the layer itself emits. `kind` has to give None for them."
    )


def _named(kind: SignalKind | None) -> str:
    return "None" if kind is None else kind.name


@adapter_check()
def other_modules(case: AdapterCase) -> None:
    """`kind` gives None for every module that is not a layer of the framework."""
    model = case.example.build()
    others = [m for m in named_modules(model) if m.name not in case.example.layers]
    foreign: list[tuple[str, nn.Module]] = [(m.name, m.module) for m in others]
    foreign += [("of torch", nn.Linear(2, 3)), ("of torch", nn.Sequential()), ("own", _Foreign())]
    for name, module in foreign:
        kind = case.adapter.kind(module)
        assert kind is None, (
            f'`kind` gives {kind} for the {type(module).__name__} "{name}", which `layers` of the '
            "example does not name. If it is a layer, name it there, with kind ANALOG if it emits "
            "real values. Otherwise let `kind` give None."
        )


class _Foreign(nn.Module):
    """A class that no framework has."""

    spike_fn = threshold = v_threshold = None


CHECKS = (interface, telling_example, layers_found, other_modules)

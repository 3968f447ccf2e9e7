"""Rows of docs/reference/frameworks.md: every class of a framework, run and measured.

What a row says is measured: a spy stands between a layer and its adapter, and finds by their
memory where in a call's output the spikes are, and where on the module the state is.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import neuroact
from neuroact.errors import NoSpikingLayersError
from neuroact.layers.adapter import Adapter, LayerCall, load_adapter
from neuroact.layers.adapter import installed_adapters as installed
from neuroact.layers.state_trace import StateTrace

Row = dict[str, str]
TIME, BATCH = 6, 4


class Sample(NamedTuple):
    """One way to use one class, and the test that compares its figures with NumPy's."""

    cls: str
    build: Callable[[], Any]
    run: Callable[[Any], object]
    test: str


class SpyTrace(StateTrace):
    """Remembers the state a call left."""

    left: object = None

    def continues(self, given: object, left: object) -> bool:
        self.left = left
        return super().continues(given, left)


class Spy:
    """Stands in for an adapter, and remembers what the adapter reads of a layer's calls."""

    def __init__(self, adapter: Any) -> None:
        self.adapter, self.framework = adapter, adapter.framework
        self.seen: list[tuple[str, str, str, str, str]] = []

    def kind(self, module: nn.Module) -> Any:
        return self.adapter.kind(module)

    def state(self, module: nn.Module) -> object:
        return self.adapter.state(module) if hasattr(self.adapter, "state") else None

    def read(self, module: nn.Module, call: LayerCall) -> Any:
        trace = SpyTrace()
        chunk = self.adapter.read(
            module, LayerCall(call.args, call.kwargs, call.output, call.state, trace)
        )
        where, emitted = located(chunk.values, call.output, module)
        axes = axes_of(emitted, chunk.values)
        self.seen.append(
            (
                "one step" if axes == "BN" else "a sequence",
                axes,
                chunk.kind.value,
                where,
                state_place(trace.left, module, call.output),
            )
        )
        return chunk


def same_memory(a: Any, b: Any) -> bool:
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)) or a.is_sparse or b.is_sparse:
        return False
    return a.numel() > 0 and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def located(values: Tensor, output: Any, module: nn.Module) -> tuple[str, Tensor]:
    """Where in a call's output, or on the module, the values are, and the tensor there."""
    if output is None:
        held = {name: b for name, b in module._buffers.items() if same_memory(b, values)}
        name, emitted = held.popitem()
        return f"module.{name}", emitted
    if isinstance(output, Tensor):
        return "output", output
    for index, part in enumerate(output):
        if same_memory(part, values):
            return f"output[{index}]", part
    return "output, a list of steps", torch.stack(list(output))


def axes_of(emitted: Tensor, values: Tensor) -> str:
    """The order of a tensor's axes, found by comparing it with the chunk's order."""
    time, batch, *neurons = values.shape
    orders = {
        "TBN": (time, batch, *neurons),
        "BTN": (batch, time, *neurons),
        "(BT)N": (batch * time, *neurons),
        "BN": (batch, *neurons),
    }
    found = [
        name
        for name, shape in orders.items()
        if tuple(emitted.shape) == shape and (name == "TBN" or name == "BTN" or time > 1)
    ]
    return found[0] if found else "BN"


def state_place(left: object, module: nn.Module, output: Any) -> str:
    """Where the state is that a call left: on the module, in the output, or nowhere."""
    held = {**vars(module), **module._buffers, **vars(module).get("_memories", {})}
    places: dict[str, None] = {}
    for tensor in tensors_in(left):
        names = [name for name, value in held.items() if any(map_memory(value, tensor))]
        if names:
            places[f"module.{names[0].lstrip('_')}"] = None
        elif not isinstance(output, Tensor) and any(map_memory(tuple(output[1:]), tensor)):
            places["passed, output[1]"] = None
        elif same_memory(output, tensor):
            places["passed, output"] = None
    return ", ".join(places) or "none"


def map_memory(value: Any, tensor: Tensor) -> Iterator[bool]:
    return (same_memory(part, tensor) for part in tensors_in(value))


def tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)


def measured(sample: Sample, adapter: Adapter) -> list[Row]:
    """The rows of one sample: one row, or several if its calls differ."""
    torch.manual_seed(0)
    module, spy = sample.build(), Spy(adapter)
    net = nn.Sequential(module)
    try:
        with neuroact.record(net, adapters=[adapter]):
            default = "yes"
    except NoSpikingLayersError:
        default = "when named"
    with neuroact.record(net, layers="0", adapters=[spy]):
        sample.run(module)
    names = ("a call is", "axes", "kind", "values", "state")
    return [
        {
            "class": sample.cls,
            **dict(zip(names, seen, strict=True)),
            "recorded": default,
            "test": sample.test,
        }
        for seen in dict.fromkeys(spy.seen)
    ]


def rows(framework: str) -> list[Row]:
    """Every row of an installed framework; the ways to use a class are joined."""
    adapter = load_adapter(installed()[framework])
    assert adapter is not None
    found: dict[str, list[Row]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in importlib.import_module(f"samples_{samples_of(framework)}").samples():
            found.setdefault(sample.cls, []).extend(measured(sample, adapter))
    return [joined(ways) for _, ways in sorted(found.items())]


def samples_of(framework: str) -> str:
    """What the file of a framework's samples is named after."""
    return "clock_driven" if version(framework) == "0.0.0.0.12" else framework


def joined(ways: list[Row]) -> Row:
    """One row for all ways to use a class; what differs is written side by side."""
    return {key: " / ".join(dict.fromkeys(way[key] for way in ways)) for key in ways[0]}

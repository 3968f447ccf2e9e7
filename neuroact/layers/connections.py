"""The layers of a model whose synaptic operations can be counted, and what is named instead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neuroact.layers.adapter import AdapterRegistry, LayerCall
from neuroact.layers.axes import ArgumentReader
from neuroact.layers.choose import passed_by_modules
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import NamedModule, class_of, named_modules
from neuroact.layers.synapses.known import known_synapses
from neuroact.layers.synapses.protocol import Synapses, SynapsesAdapter, SynapsesByPart
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.stream.sparse import SparseChunk


@dataclass(frozen=True, slots=True)
class Connected:
    """Some weights of a module whose operations can be counted.

    Attributes:
        info: name, class and framework of the module; the name ends with the part's, if it has one.
        module: the module.
        synapses: how the weights work.
        passed_by: whether a module around it may pass it by unless it has a hook.
    """

    info: LayerInfo
    module: nn.Module
    synapses: Synapses
    passed_by: bool


@dataclass(frozen=True, slots=True)
class ConnectionsOf:
    """What a model's synaptic operations can be counted from.

    Attributes:
        counted: weights whose operations follow from what arrives, in the model's order.
        not_counted: for every other weight, why its operations are not counted, by the name of the
            module, or of its part.
    """

    counted: tuple[Connected, ...]
    not_counted: dict[str, str]


def connections_of(model: nn.Module, registry: AdapterRegistry | None = None) -> ConnectionsOf:
    """Everything in the model that has synapses, and every other weight in it.

    Args:
        model: any module.
        registry: adapters that are asked before what neuroact knows; None for the installed ones.

    >>> from torch import nn
    >>> found = connections_of(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)))
    >>> [each.info.name for each in found.counted], found.not_counted
    (['0'], {'1': 'operations of LayerNorm with its weight, bias are not counted'})
    """
    registry = registry or AdapterRegistry()
    modules = named_modules(model)
    passed_by = passed_by_modules(modules)
    counted, not_counted = list[Connected](), dict[str, str]()
    for m in modules:
        if "parametrizations" in m.name.split("."):
            continue  # named by the module whose weight they make
        parts = _synapses_of(m.module, registry)
        for part, found in parts.items():
            info = _info(m, part)
            if isinstance(found, str):
                not_counted[info.name] = found
            else:
                counted.append(Connected(info, m.module, found, id(m.module) in passed_by))
        not_counted |= _left_over(m, parts, registry)
    return ConnectionsOf(tuple(counted), not_counted)


class ConnectionInput(ArgumentReader):
    """Reads what arrives at some weights of one module, each repetition as one observation.

    The model runs on where a call cannot be counted; `problem` then says why, and nothing more is
    counted of the layer.

    Args:
        synapses: how the weights work; None where no call can come.

    Attributes:
        problem: why the layer's operations cannot be counted; None while they can.
        shape: of one input; None before the first call.
    """

    def __init__(self, synapses: Synapses | None = None) -> None:
        super().__init__()
        self.synapses = synapses
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.problem: str | None = None
        self.shape: tuple[int, ...] | None = None

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Copies of what arrives of a call's arguments, before it runs."""
        if self.synapses is None or self.problem is not None:
            return None
        try:
            return _copied(self.synapses.given(args, kwargs))
        except Exception as cause:  # the model runs on, whatever its layers are
            self.problem = str(cause)
            return None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """What arrived as `[1, repetitions, *shape]`; no repetitions after a problem."""
        if self.problem is None:
            try:
                return self._chunk(call.state, call.output)
            except Exception as cause:  # as above
                self.problem = str(cause)
        nothing = torch.zeros(1, 0, *(self.shape or ()), device=_device(call.output))
        return SpikeChunk(nothing, SignalKind.GRADED, starts_sequence=True)

    def _chunk(self, given: Any, output: object) -> SpikeChunk:
        assert self.synapses is not None
        values, dims = self.synapses.arrivals(given, output), self.synapses.dims
        leading, shape = values.shape[:-dims], tuple(values.shape[-dims:])
        if self.shape not in (None, shape):
            raise ValueError("its input came in more than one size")
        if values.layout is torch.sparse_coo:
            chunk: SpikeChunk = SparseChunk.of_entries(values)
        else:
            values = values.reshape(1, math.prod(leading), *shape)
            chunk = SpikeChunk(values, SignalKind.GRADED, starts_sequence=True)
        self.shape = shape
        return chunk


def _copied(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(_copied(each) for each in value)
    return value.detach().clone() if isinstance(value, Tensor) else value


def _device(output: object) -> torch.device | None:
    if isinstance(output, tuple | list) and output:
        return _device(output[0])
    return output.device if isinstance(output, Tensor) else None


def _synapses_of(module: nn.Module, registry: AdapterRegistry) -> SynapsesByPart:
    for adapter in registry.candidates(module):
        if isinstance(adapter, SynapsesAdapter) and (found := adapter.synapses(module)) is not None:
            return found
    return known_synapses(module) or {}


def _info(named: NamedModule, part: str) -> LayerInfo:
    cls = class_of(named.module)
    framework = cls.__module__.partition(".")[0]
    names = [f"{name}.{part}" if part else name for name in (named.name, *named.aliases)]
    return LayerInfo(names[0], tuple(names[1:]), framework, cls.__name__, SignalKind.GRADED)


def _left_over(
    named: NamedModule, parts: SynapsesByPart, registry: AdapterRegistry
) -> dict[str, str]:
    """Why operations are not counted, for each of the module's weights that no part speaks for."""
    weights = _weights(named.module)
    numbers = {name for name, p in named.module._parameters.items() if p is not None and not p.ndim}
    if numbers and _spikes(named.module, registry):
        weights = [name for name in weights if name not in numbers]
    if not parts and weights:
        kind = class_of(named.module).__name__
        return {named.name: f"operations of {kind} with its {', '.join(weights)} are not counted"}
    if "" in parts and isinstance(parts[""], str):
        return {}
    spoken = {w for each in parts.values() if not isinstance(each, str) for w in each.weights}
    return {
        f"{named.name}.{weight}": (
            f"operations with it, a weight beside that of {named.name}, are not counted"
        )
        for weight in weights
        if weight not in spoken | parts.keys()
    }


def _spikes(module: nn.Module, registry: AdapterRegistry) -> bool:
    """Whether it is a spiking layer: one number of its own is a threshold or a decay, no weight."""
    kinds = {adapter.kind(module) for adapter in registry.candidates(module)}
    return not kinds.isdisjoint({SignalKind.BINARY, SignalKind.GRADED})


def _weights(module: nn.Module) -> list[str]:
    """Names of what a module may multiply by, its children's apart."""
    children = {id(p) for child in module.children() for p in child.parameters()}
    named = [
        name
        for name, parameter in module._parameters.items()
        if parameter is not None and id(parameter) not in children
    ]
    if parametrize.is_parametrized(module):
        named += list(module.parametrizations)  # type: ignore[arg-type]  # a ModuleDict
    named += [
        name
        for name, buffer in module._buffers.items()
        if buffer is not None and "weight" in name and buffer.ndim > 1
    ]
    # Quantised layers have a method of this name. It is looked for in the class, since a property
    # would run code of the module.
    if callable(getattr(type(module), "weight", None)):
        named.append("weight")
    return list(dict.fromkeys(named))

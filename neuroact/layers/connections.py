"""The layers of a model whose synaptic operations can be counted, and what is named instead."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neuroact.layers.adapter import AdapterRegistry, LayerCall
from neuroact.layers.axes import ArgumentReader
from neuroact.layers.choose import passed_by_modules
from neuroact.layers.fan_out import CONNECTIONS
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import NamedModule, class_of, named_modules
from neuroact.layers.synapses.known import known_synapses
from neuroact.layers.synapses.one_weight import OneWeight
from neuroact.layers.synapses.protocol import Synapses, SynapsesAdapter, SynapsesByPart
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.stream.sparse import SparseChunk

# These do not change their input in place.
_WITHOUT_CHANGES = {cls.forward for cls in CONNECTIONS}


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
            info = m.info(part)
            if isinstance(found, str):
                not_counted[info.name] = found
            else:
                counted.append(Connected(info, m.module, found, id(m.module) in passed_by))
        not_counted |= _left_over(m, parts, registry)
    return ConnectionsOf(tuple(counted), not_counted)


class Tally(Protocol):
    """Takes the calls of a connection, with the dimensions that its counts do not need."""

    def forget(self) -> None:
        """Begin anew."""

    @property
    def padded(self) -> bool:
        """Whether the user said which steps of the batch under way are padding."""

    @property
    def wanted(self) -> bool:
        """Whether `take` still has a use for calls."""

    def valid(self, leading: tuple[int, ...], device: torch.device, /) -> Tensor | None:
        """Which repetitions of the next call are not padding, `[1, repetitions]`; None for all."""

    def take(self, chunk: SpikeChunk, leading: tuple[int, ...], /) -> None:
        """Take a call, `[1, repetitions, *shape]`, whose repetitions had these dimensions."""


class ConnectionInput(ArgumentReader):
    """Reads what arrives at some weights of one module, each repetition as one observation.

    The model runs on where a call cannot be counted; `problem` then says why, and nothing more is
    counted of the layer.

    Args:
        synapses: how the weights work; None where no call can come.
        elsewhere: takes an input of another size than the first.

    Attributes:
        problem: why the layer's operations cannot be counted; None while they can.
        shape: of the first input; None before the first call.
        tally: is told each call that can be counted.
    """

    def __init__(self, synapses: Synapses | None, elsewhere: Callable[[SpikeChunk], None]) -> None:
        super().__init__()
        self.synapses = synapses
        self._elsewhere = elsewhere
        self.tally: Tally | None = None
        self._copies = True
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.problem: str | None = None
        self.shape: tuple[int, ...] | None = None
        self._seen: tuple[torch.Size, torch.Size] | None = None
        if self.tally is not None:
            self.tally.forget()

    def prepare(self, module: nn.Module) -> None:
        """Find out whether the module may change its input in place, so that it has to be copied.

        PyTorch's own layers do not; those with another `forward` may.
        """
        known = type(module).forward in _WITHOUT_CHANGES and "forward" not in vars(module)
        self._copies = not (known and type(self.synapses) is OneWeight)

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What arrives of a call's arguments, before it runs; copied if the call may change it."""
        if args and not self._copies:
            return args[0]
        if self.synapses is None or self.problem is not None:
            return None
        try:
            return _copied(self.synapses.given(args, kwargs))
        except Exception as cause:  # the model runs on, whatever its layers are
            self.problem = str(cause)
            return None

    def has_seen(self, value: object, output: object) -> bool:
        """Whether the last call that was read in full had an input and output of these shapes.

        Never where that does not say how the input is to be read: in a padded batch, or where more
        than one weight is applied to the first argument.
        """
        tensors = isinstance(value, Tensor) and isinstance(output, Tensor)
        seen = tensors and (value.shape, output.shape) == self._seen  # type: ignore[attr-defined]
        return seen and not (self.tally is not None and self.tally.padded)

    def tell(self, value: Tensor) -> None:
        """Tell the tally of an input that `has_seen` knew, and that was counted."""
        if self.tally is not None and self.tally.wanted and self.shape is not None:
            leading = tuple(value.shape[: value.ndim - len(self.shape)])
            values = value.reshape(1, math.prod(leading), *self.shape)
            chunk = SpikeChunk(values, SignalKind.GRADED, starts_sequence=True)
            self.tally.take(chunk, leading)

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """What arrived as `[1, repetitions, *shape]`.

        There are no repetitions after a problem, nor where an input of another size came.
        """
        if self.problem is None:
            try:
                with torch.no_grad():
                    chunk = self._chunk(call.state, call.output)
                if tuple(chunk.neurons) == self.shape:
                    if type(self.synapses) is OneWeight:
                        self._seen = call.state.shape, call.output.shape  # type: ignore[attr-defined]
                    return chunk
                self._elsewhere(chunk)
            except Exception as cause:  # as above
                self.problem, self._seen = str(cause), None
        nothing = torch.zeros(1, 0, *(self.shape or ()), device=_device(call.state))
        return SpikeChunk(nothing, SignalKind.GRADED, starts_sequence=True)

    def _chunk(self, given: Any, output: object) -> SpikeChunk:
        assert self.synapses is not None
        values, dims = self.synapses.arrivals(given, output), self.synapses.dims
        leading, shape = tuple(values.shape[:-dims]), tuple(values.shape[-dims:])
        valid = None if self.tally is None else self.tally.valid(leading, values.device)
        if values.layout is torch.sparse_coo:
            chunk: SpikeChunk = SparseChunk.of_entries(values)
        else:
            values = values.reshape(1, math.prod(leading), *shape)
            chunk = SpikeChunk(values, SignalKind.GRADED, starts_sequence=True, valid=valid)
        self.shape = self.shape or shape
        if self.tally is not None:
            self.tally.take(chunk, leading)
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
    children = {id(p) for child in module.children() for _, p in child.named_parameters()}
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

"""The layers of a model whose synaptic operations can be counted, and what is named instead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neuroact.layers.adapter import LayerCall
from neuroact.layers.axes import ArgumentReader
from neuroact.layers.choose import passed_by_modules
from neuroact.layers.fan_out import CONNECTIONS, element_dims, output_shape
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import NamedModule, class_of, named_modules
from neuroact.stream.chunk import SignalKind, SpikeChunk, dense

# What a layer of `CONNECTIONS` makes its weight and its bias of, by masks and normalisations too.
_OWN = {"weight", "bias", "weight_orig", "bias_orig", "weight_g", "weight_v"}
# These do not change their input in place.
_WITHOUT_CHANGES = {cls.forward for cls in CONNECTIONS}


@dataclass(frozen=True, slots=True)
class ConnectionsOf:
    """What a model's synaptic operations can be counted from.

    Attributes:
        modules: layers whose operations follow from what arrives at them, in the model's order.
        passed_by: ids of those that a module around them may pass by unless they have a hook.
        not_counted: for each other module that has weights, why its operations are not counted.
    """

    modules: tuple[NamedModule, ...]
    passed_by: frozenset[int]
    not_counted: dict[str, str]


def connections_of(model: nn.Module) -> ConnectionsOf:
    """The layers of `CONNECTIONS` in the model, and every other weight in it.

    >>> from torch import nn
    >>> found = connections_of(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)))
    >>> [m.name for m in found.modules], found.not_counted
    (['0'], {'1': 'operations of LayerNorm with its weight, bias are not counted'})
    """
    modules = named_modules(model)
    return ConnectionsOf(
        tuple(m for m in modules if _is_connection(m.module)),
        frozenset(passed_by_modules(modules)),
        dict(_others(modules)),
    )


class ConnectionInput(ArgumentReader):
    """Reads what arrives at one layer of `CONNECTIONS`, each repetition as one observation.

    The model runs on where a call cannot be counted; `problem` then says why, and nothing more is
    counted of the layer.

    Attributes:
        problem: why the layer's operations cannot be counted; None while they can.
        shape: of one input; None before the first call.
    """

    def __init__(self) -> None:
        super().__init__()
        self._copies = True
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.problem: str | None = None
        self.shape: tuple[int, ...] | None = None
        self._seen: tuple[torch.Size, torch.Size] | None = None

    def prepare(self, module: nn.Module) -> None:
        """Find out whether the module may change its input in place, so that it has to be copied.

        PyTorch's own layers do not; those with another `forward` may.
        """
        known = type(module).forward in _WITHOUT_CHANGES and "forward" not in vars(module)
        self._copies = not known

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The argument before the call, copied if the call may change it."""
        if args and not self._copies:
            return args[0]
        return super().given(module, args, kwargs)

    def has_seen(self, value: object, output: object) -> bool:
        """Whether the last call that was read in full had an input and output of these shapes."""
        tensors = isinstance(value, Tensor) and isinstance(output, Tensor)
        return tensors and (value.shape, output.shape) == self._seen  # type: ignore[attr-defined]

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The argument of the call as `[1, repetitions, *shape]`; none of them after a problem."""
        value = call.state
        if self.problem is None:
            try:
                values = self._repetitions(module, value, call.output)
                return SpikeChunk(values, SignalKind.GRADED, starts_sequence=True)
            except Exception as cause:  # the model runs on, whatever its layers are
                self.problem, self._seen = str(cause), None
        device = value.device if isinstance(value, Tensor) else None
        nothing = torch.zeros(1, 0, *(self.shape or ()), device=device)
        return SpikeChunk(nothing, SignalKind.GRADED, starts_sequence=True)

    def _repetitions(self, module: nn.Module, value: object, output: object) -> Tensor:
        if not isinstance(value, Tensor) or value.is_nested or value.is_complex():
            raise ValueError("its input was not one tensor of real numbers")
        dims = element_dims(module)
        leading, shape = tuple(value.shape[:-dims]), tuple(value.shape[-dims:])
        if self.shape not in (None, shape):
            raise ValueError("its input came in more than one size")
        expected = (*leading, *output_shape(module, shape))
        if not isinstance(output, Tensor) or tuple(output.shape) != expected:
            raise ValueError("its output was not of the shape that follows from its settings")
        self.shape, self._seen = shape, (value.shape, output.shape)
        return dense(value.detach()).reshape(1, math.prod(leading), *shape)


def connection_info(named: NamedModule) -> LayerInfo:
    """What is known of such a layer before it is called."""
    cls = class_of(named.module)
    framework = cls.__module__.partition(".")[0]
    return LayerInfo(named.name, named.aliases, framework, cls.__name__, SignalKind.GRADED)


def _is_connection(module: nn.Module) -> bool:
    # Layers that use another weight than the one they show: those of quantisation-aware training,
    # and those of SpikingJelly that standardise their weight.
    return (
        isinstance(module, CONNECTIONS)
        and not isinstance(module, torch.jit.ScriptModule)
        and not any(hasattr(module, name) for name in ("weight_fake_quant", "get_weight"))
    )


def _others(modules: Sequence[NamedModule]) -> Iterator[tuple[str, str]]:
    for m in modules:
        if "parametrizations" in m.name.split("."):
            continue  # named by the module whose weight they make
        weights = _weights(m.module)
        if not _is_connection(m.module):
            if weights:
                kind = class_of(m.module).__name__
                named = ", ".join(weights)
                yield m.name, f"operations of {kind} with its {named} are not counted"
            continue
        for weight in weights:
            if weight not in _OWN:
                why = f"operations with it, a weight beside that of {m.name}, are not counted"
                yield f"{m.name}.{weight}", why


def _weights(module: nn.Module) -> list[str]:
    """Names of what a module may multiply by, its children's apart."""
    named = [name for name, parameter in module._parameters.items() if parameter is not None]
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

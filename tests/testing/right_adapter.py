"""A framework with many kinds of layers, and a right adapter. Mutants derive from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from neuroact import LayerCall, SignalKind, SpikeChunk
from neuroact.layers.call_pattern import CallPattern
from neuroact.testing import (
    AdapterExample,
    ExpectedLayer,
    Limit,
    call_each_step,
    pass_state_each_step,
)


def fired(potential: Tensor) -> Tensor:
    """1 above the threshold, 0 below, with a gradient."""
    return (potential > 1).to(potential.dtype) + (potential - potential.detach())


class Spike(nn.Module):
    """A part of a neuron, which returns its output; so it is not a layer."""

    def forward(self, potential: Tensor) -> Tensor:
        return fired(potential)


class Stepwise(nn.Module):
    """One step a call, `[batch, neurons]`; returns spikes and membrane potential."""

    def __init__(self) -> None:
        super().__init__()
        self.spike = Spike()

    def forward(self, current: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mem = current if mem is None else 0.9 * mem + current
        spikes = self.spike(mem)
        return spikes, mem - spikes


class Holding(nn.Module):
    """One step a call; keeps its membrane potential, and zeros it if the shape changes."""

    def __init__(self) -> None:
        super().__init__()
        self.mem: Tensor | None = None

    def forward(self, current: Tensor) -> Tensor:
        if self.mem is None or self.mem.shape != current.shape:
            self.mem = torch.zeros_like(current)
        mem = 0.9 * self.mem + current
        spikes = fired(mem)
        self.mem = mem - spikes
        return spikes


class Ternary(nn.Module):
    """A whole sequence a call, batch first, `[batch, time, neurons]`, of -1, 0 and 1; no state."""

    def forward(self, x: Tensor) -> Tensor:
        return x.round().clamp(-1, 1).detach() + (x - x.detach())


class Potential(nn.Module):
    """A whole sequence a call, batch first, of real values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(1)


class Doubled(nn.Module):
    """A wrapper that returns its child's spikes again."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args: Any) -> Any:
        return self.inner(*args)


class Passing(nn.Module):
    """Two layers of `Stepwise`, one of them wrapped, whose states are passed."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(4, 5), Doubled(Stepwise())
        self.fc2, self.lif2 = nn.Linear(5, 6), Stepwise()

    def forward(self, x: Tensor, states: Any) -> Any:
        first, second = states or (None, None)
        spikes, first = self.lif1(self.fc1(x), first)
        spikes, second = self.lif2(self.fc2(spikes), second)
        return spikes, (first, second)


class RightAdapter:
    """Reads all of them."""

    framework = "right"

    def kind(self, module: nn.Module) -> SignalKind | None:
        kinds = {
            Stepwise: SignalKind.BINARY,
            Holding: SignalKind.BINARY,
            Ternary: SignalKind.GRADED,
            Potential: SignalKind.ANALOG,
        }
        return kinds.get(type(module))

    def state(self, module: nn.Module) -> object:
        return module.mem if isinstance(module, Holding) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        kind = self.kind(module)
        assert kind is not None
        if isinstance(module, Ternary | Potential):
            return SpikeChunk.of_sequence(call.output, kind, starts_sequence=True, batch_first=True)
        starts = self.starts(module, call)
        return SpikeChunk.of_step(self.spikes(module, call), kind, starts_sequence=starts)

    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes: Tensor = call.output[0] if isinstance(module, Stepwise) else call.output
        return spikes

    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        if isinstance(module, Stepwise):
            return call.starts_sequence(given=call.argument(1, "mem"), left=call.output[1])
        return call.starts_sequence(given=call.state, left=module.mem)

    def input_axes(self, module: nn.Module) -> str:
        return "BTN" if isinstance(module, Ternary | Potential) else "BN"


class PatternedAdapter(RightAdapter):
    """Has a pattern: says once how all calls of a layer are read."""

    def pattern(self, module: nn.Module) -> CallPattern:
        kind = self.kind(module)
        assert kind is not None
        if isinstance(module, Ternary | Potential):
            return CallPattern(kind, True, self.turned, lambda args, kwargs: (), lambda output: ())
        if isinstance(module, Holding):
            return CallPattern(
                kind,
                False,
                lambda output: output,
                lambda args, kwargs: (module.mem,),
                lambda output: (module.mem,),
            )
        return CallPattern(kind, False, first, self.given, lambda output: (output[1],))

    def turned(self, output: Tensor) -> Tensor:
        return output.transpose(0, 1)

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        return args[1:2] or tuple(kwargs.values())


def forget(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, Holding):
            module.mem = None


def detach(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, Holding) and module.mem is not None:
            module.mem = module.mem.detach()


def first(output: Any) -> Tensor:
    spikes: Tensor = output[0]
    return spikes


EXAMPLES = (
    AdapterExample(
        name="states passed",
        model=Passing,
        inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 3,
        layers={
            "lif1.inner": ExpectedLayer("BN", spikes=first),
            "lif2": ExpectedLayer("BN", spikes=first),
        },
        run=pass_state_each_step,
    ),
    AdapterExample(
        name="states held",
        model=lambda: nn.Sequential(nn.Linear(4, 5), Holding(), nn.Linear(5, 6), Holding()),
        inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 3,
        layers={"1": ExpectedLayer("BN"), "3": ExpectedLayer("BN")},
        run=call_each_step,
        reset=forget,
        detach=detach,
    ),
    AdapterExample(
        name="sequences",
        model=lambda: nn.Sequential(nn.Linear(4, 5), Ternary(), nn.Linear(5, 6), Potential()),
        inputs=lambda steps, batch: torch.randn(batch, steps, 4) * 3,
        layers={
            "1": ExpectedLayer("BTN", SignalKind.GRADED),
            "3": ExpectedLayer("BTN", SignalKind.ANALOG),
        },
        limits={Limit.STATE},
    ),
)

# Compiling takes most of the time, so only TestRightAdapter checks it.
QUICK = tuple(replace(example, limits={*example.limits, Limit.COMPILE}) for example in EXAMPLES)


def _of_a_framework_that_is_not_there() -> nn.Module:
    layer: nn.Module = import_module("nowhere").Layer()
    return layer


# Only to build its model is the framework imported.
LATE = (replace(EXAMPLES[0], model=_of_a_framework_that_is_not_there),)

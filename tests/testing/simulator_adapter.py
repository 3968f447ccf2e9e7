"""Simulators whose layers keep their spikes and are called past `__call__`, and their adapters."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from neuroact import LayerCall, SignalKind, SpikeChunk
from neuroact.testing import AdapterExample, ExpectedLayer, Limit


class Nodes(nn.Module):
    """A population as BindsNET has it: `forward(x=)` returns nothing; a reset writes zeros."""

    def __init__(self, neurons: int) -> None:
        super().__init__()
        self.neurons = neurons
        self.v, self.s = torch.zeros(1, neurons), torch.zeros(1, neurons, dtype=torch.bool)

    def forward(self, x: Tensor) -> None:
        if self.v.shape != x.shape or self.v.dtype != x.dtype:
            self.v = torch.zeros_like(x)
        self.v += x
        self.s = self.v > 1
        self.v[self.s] = 0


class Network(nn.Module):
    """Runs its populations by itself, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.input, self.output = Nodes(4), Nodes(5)
        self.weight = nn.Parameter(torch.rand(4, 5))

    def run(self, x: Tensor) -> list[Tensor]:
        found = []
        for step in x:
            self.input.forward(x=step)
            self.output.forward(x=self.input.s.to(step.dtype) @ self.weight.detach() + 0.01)
            found.append(self.output.s)
        return found

    def reset(self) -> None:
        for nodes in (self.input, self.output):
            nodes.v.zero_()
            nodes.s.zero_()


class Group(nn.Module):
    """Cells as stork has them: a call raises; `evolve` runs `forward`, which takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.given: Tensor | None = None
        self.mem: Tensor | None = None

    def __call__(self, *_: Any) -> None:
        raise RuntimeError("cells run in evolve(x), not by a call")

    def evolve(self, x: Tensor) -> None:
        self.given = x
        self.forward()

    def forward(self) -> None:
        assert self.given is not None
        mem = self.given if self.mem is None else 0.9 * self.mem + self.given
        self.out = (mem > 1).to(mem.dtype)
        self.mem = mem * (1 - self.out)


class Cells(nn.Module):
    """A model of one group."""

    def __init__(self) -> None:
        super().__init__()
        self.group = Group()

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for step in x:
            self.group.evolve(step)
            found.append(self.group.out)
        return found

    def reset(self) -> None:
        self.group.mem = None


class SimulatorAdapter:
    """Reads both from the module."""

    framework = "simulator"

    def __init__(self) -> None:
        self._versions: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()

    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.BINARY if isinstance(module, Nodes | Group) else None

    def state(self, module: Any) -> object:
        if isinstance(module, Group):
            return module.mem
        if module.v.is_inference():  # it has no version
            return module.v if bool(module.v.any()) else None
        return module.v if module.v._version == self._versions.get(module) else None

    def read(self, module: Any, call: LayerCall) -> SpikeChunk:
        if call.output is not None:
            raise TypeError(f"expected nothing to be returned, came {call.output!r}")
        if isinstance(module, Group):
            starts = call.starts_sequence(given=call.state, left=module.mem)
            return SpikeChunk.of_step(module.out, SignalKind.BINARY, starts_sequence=starts)
        if not module.v.is_inference():
            self._versions[module] = module.v._version
        starts = call.starts_sequence(given=call.state, left=module.v)
        return SpikeChunk.of_step(module.s, SignalKind.BINARY, starts_sequence=starts)


class InverseAdapter(SimulatorAdapter):
    """Wrong: silent neurons fire, and firing ones are silent."""

    def read(self, module: Any, call: LayerCall) -> SpikeChunk:
        chunk = super().read(module, call)
        return SpikeChunk(1 - chunk.values.float(), chunk.kind, chunk.starts_sequence)


def run_by_itself(model: Any, x: Tensor, state: Any) -> tuple[Any, Any]:
    return model.run(x), True


EXAMPLES = (
    AdapterExample(
        name="BindsNET's style",
        model=Network,
        inputs=lambda steps, batch: torch.rand(steps, batch, 4) + 0.01,
        layers={
            "input": ExpectedLayer("BN", kept=lambda module: module.s),
            "output": ExpectedLayer("BN", kept=lambda module: module.s),
        },
        run=run_by_itself,
        reset=lambda model: model.reset(),  # type: ignore[operator]
        limits={Limit.GRADIENTS, Limit.COMPILE},
    ),
    AdapterExample(
        name="stork's style",
        model=Cells,
        inputs=lambda steps, batch: torch.rand(steps, batch, 4),
        layers={"group": ExpectedLayer("BN", kept=lambda module: module.out)},
        run=lambda model, x, state: (model(x), True),
        reset=lambda model: model.reset(),  # type: ignore[operator]
        limits={Limit.GRADIENTS},
    ),
)

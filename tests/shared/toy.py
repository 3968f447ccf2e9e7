"""A framework of the tests' own, so that the core is tested without a real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from neuroact import LayerCall, SignalKind, SpikeChunk
from neuroact.layers.call_pattern import CallPattern


class Neuron(nn.Module):
    """Integrate and fire, one step a call; the state is passed or, with `hidden`, kept."""

    def __init__(self, hidden: bool = False) -> None:
        super().__init__()
        self.hidden = hidden
        self.mem: Tensor | None = None

    def forward(self, current: Tensor, mem: Tensor | None = None) -> Any:
        before = self.mem if self.hidden else mem
        if before is None or before.shape != current.shape:
            before = torch.zeros_like(current)
        after = before * 0.9 + current
        spikes = (after > 1).to(current.dtype) + (after - after.detach()) * 0
        after = after - spikes.detach()
        if self.hidden:
            self.mem = after
            return spikes
        return spikes, after


class Integrator(nn.Module):
    """A leaky integrator: emits its membrane potential."""

    def forward(self, current: Tensor) -> Tensor:
        return current.cumsum(0)


class ToyAdapter:
    """Reads `Neuron` and `Integrator`."""

    framework = "toy"

    def kind(self, module: nn.Module) -> SignalKind | None:
        if isinstance(module, Integrator):
            return SignalKind.ANALOG
        return SignalKind.BINARY if isinstance(module, Neuron) else None

    def state(self, module: nn.Module) -> object:
        return module.mem if isinstance(module, Neuron) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        if isinstance(module, Integrator):
            return SpikeChunk.of_sequence(call.output, SignalKind.ANALOG, starts_sequence=True)
        assert isinstance(module, Neuron)
        if module.hidden:
            spikes, given, left = call.output, call.state, module.mem
        else:
            (spikes, left), given = call.output, call.argument(1, "mem")
        starts = call.starts_sequence(given=given, left=left)
        return SpikeChunk.of_step(spikes, SignalKind.BINARY, starts_sequence=starts)

    def pattern(self, module: nn.Module) -> CallPattern | None:
        """As frameworks' adapters have: without it neither the short way nor the core is used."""
        if not isinstance(module, Neuron):
            return None

        def held(*_: Any) -> tuple[Tensor, ...]:
            return () if module.mem is None else (module.mem,)

        def passed(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Tensor, ...]:
            mem = args[1] if len(args) > 1 else kwargs.get("mem")
            return () if mem is None else (mem,)

        if module.hidden:
            return CallPattern(SignalKind.BINARY, False, lambda output: output, held, held)
        return CallPattern(
            SignalKind.BINARY, False, lambda output: output[0], passed, lambda output: output[1:]
        )


class Net(nn.Module):
    """Two layers, one with passed and one with kept state, run over `[time, batch, inputs]`."""

    def __init__(self, inputs: int = 5, hidden: int = 7, outputs: int = 3) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.lif1 = Neuron(hidden=True)
        self.fc2 = nn.Linear(hidden, outputs)
        self.lif2 = Neuron()

    def forward(self, x: Tensor) -> Tensor:
        self.lif1.mem, mem, spikes = None, None, []
        for current in x:
            out, mem = self.lif2(self.fc2(self.lif1(self.fc1(current) * 3)) * 3, mem)
            spikes.append(out)
        return torch.stack(spikes)


class RawOutputs:
    """An oracle: keeps every spike tensor a module emitted, by a hook of its own."""

    def __init__(self, module: nn.Module) -> None:
        self.kept: list[Tensor] = []
        self._handle = module.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, args: Any, output: Any) -> None:
        spikes = output[0] if isinstance(output, tuple) else output
        self.kept.append(spikes.detach().clone())

    def flat(self) -> Any:
        """All values, `[calls * batch, *neurons]`, as NumPy."""
        self._handle.remove()
        return torch.cat(self.kept).double().numpy()

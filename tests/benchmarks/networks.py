"""The networks on which recording is timed, and how to run a batch through each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Case:
    """A network and a batch for it.

    Attributes:
        net: the network.
        neurons: class of its spiking layers.
        x: the batch, `[time, batch, *inputs]`.
        run: puts a batch through the network, or through what was made of it, from no state.
    """

    net: nn.Module
    neurons: type[nn.Module]
    x: Tensor
    run: Callable[[Callable[..., Any], Tensor], None]

    @property
    def layers(self) -> list[nn.Module]:
        """The spiking layers, in the model's order."""
        return [module for module in self.net.modules() if isinstance(module, self.neurons)]


class Explicit(nn.Module):
    """Linear layers and snnTorch's Leaky layers, whose state is passed from step to step."""

    def __init__(self, *sizes: int) -> None:
        import snntorch

        super().__init__()
        self.fc = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))
        self.lif = nn.ModuleList(snntorch.Leaky(beta=0.9, threshold=0.3) for _ in sizes[1:])

    def forward(self, x: Tensor, memory: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: the last layer's spikes, and the membrane potentials."""
        left = []
        for fc, lif, membrane in zip(self.fc, self.lif, memory, strict=True):
            x, membrane = lif(fc(x), membrane)
            left.append(membrane)
        return x, left


def snntorch_case(*sizes: int, steps: int, batch: int) -> Case:
    """A network of linear and leaky layers, run step by step."""
    import snntorch

    net = Explicit(*sizes)

    def run(call: Callable[..., Any], x: Tensor) -> None:
        memory = [torch.zeros(x.shape[1], size, device=x.device) for size in sizes[1:]]
        for step in x:
            _, memory = call(step, memory)

    return Case(net, snntorch.Leaky, torch.rand(steps, batch, sizes[0]), run)


def spikingjelly_case(net: nn.Sequential, x: Tensor, mode: str) -> Case:
    """A network of SpikingJelly, in single-step or multi-step mode."""
    from spikingjelly.activation_based import functional, neuron

    functional.set_step_mode(net, mode)

    def run(call: Callable[..., Any], x: Tensor) -> None:
        functional.reset_net(net)
        for step in (x,) if mode == "m" else x:
            call(step)

    return Case(net, neuron.LIFNode, x, run)


def conv(mode: str) -> Case:
    """Two convolutions, 2x32x32 to 128 channels, 16 steps of 16 samples."""
    from spikingjelly.activation_based import layer, neuron

    layers = [
        layer.Conv2d(2, 64, 3, padding=1),
        neuron.LIFNode(),
        layer.Conv2d(64, 128, 3, padding=1),
        neuron.LIFNode(),
    ]
    return spikingjelly_case(nn.Sequential(*layers), 3 * torch.rand(16, 16, 2, 32, 32), mode)


def tiny_spikingjelly() -> Case:
    """A hundred neurons, one sample, a thousand steps."""
    from spikingjelly.activation_based import layer, neuron

    net = nn.Sequential(layer.Linear(100, 100), neuron.LIFNode())
    return spikingjelly_case(net, 3 * torch.rand(1000, 1, 100), "s")


def norse() -> Case:
    """Two layers of leaky cells in a SequentialState, a hundred steps of 64 samples."""
    import norse.torch

    cell = norse.torch.LIFCell
    net = norse.torch.SequentialState(nn.Linear(100, 200), cell(), nn.Linear(200, 100), cell())

    def run(call: Callable[..., Any], x: Tensor) -> None:
        state = None
        for step in x:
            _, state = call(step, state)

    return Case(net, cell, 3 * torch.rand(100, 64, 100), run)


CASES: dict[str, Callable[[], Case]] = {
    "GSC": lambda: snntorch_case(20, 256, 256, 256, 35, steps=200, batch=256),
    "conv m": lambda: conv("m"),
    "conv s": lambda: conv("s"),
    "Norse": norse,
    "tiny snnTorch": lambda: snntorch_case(100, 100, steps=1000, batch=1),
    "tiny SpikingJelly": tiny_spikingjelly,
}


def build(name: str) -> Case:
    """The network of that name, with the same weights each time."""
    torch.manual_seed(0)
    return CASES[name]()

"""Norse and SpikingJelly in NeuroBench's TorchModel, on digits: activity and operations.

NeuroBench knows only snnTorch's neurons. `add_spiking_layers` adds those of every framework that
neuroact has an adapter for. TorchModel neither moves axes nor resets state. So each network here
takes `[batch, time, 64]`, resets its state, and returns one spike count per digit.

Run: python examples/neurobench_torchmodel.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import norse.torch as norse
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.workload import ClassificationAccuracy
from neurobench.models import TorchModel
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn
from torch.utils.data import DataLoader

from neuroact_adapters.demos.digits import CLASSES, PIXELS, Digits
from neuroact_adapters.neurobench import (
    AverageActivityMetric,
    SynapticOperationsMetric,
    add_spiking_layers,
    report,
)

STEPS, HIDDEN = 10, 48
OPERATIONS = ("Effective_ACs", "Effective_MACs", "Dense")


class NorseNet(nn.Module):
    """Step by step; SequentialState passes the state on."""

    def __init__(self) -> None:
        super().__init__()
        rule = norse.LIFParameters(v_th=torch.tensor(0.3), method="super", alpha=50.0)
        self.body = norse.SequentialState(
            *(nn.Linear(PIXELS, HIDDEN), norse.LIFCell(rule)),
            *(nn.Linear(HIDDEN, CLASSES), norse.LIFCell(rule)),
        )

    def forward(self, data: Tensor) -> Tensor:
        """Spike counts `[batch, 10]` for currents `[batch, time, 64]`."""
        state, counts = None, torch.zeros(len(data), CLASSES)
        for step in data.unbind(1):
            spikes, state = self.body(5 * step, state)
            counts = counts + spikes
        return counts


class SpikingJellyNet(nn.Module):
    """All time steps in one call; state stays on the neurons until it is reset."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(layer.Linear(PIXELS, HIDDEN), neuron.LIFNode(tau=2.0, v_threshold=0.3)),
            *(layer.Linear(HIDDEN, CLASSES), neuron.LIFNode(tau=2.0, v_threshold=0.3)),
        )
        functional.set_step_mode(self.body, "m")

    def forward(self, data: Tensor) -> Tensor:
        """Spike counts `[batch, 10]` for currents `[batch, time, 64]`."""
        functional.reset_net(self.body)
        counts: Tensor = self.body(data.transpose(0, 1)).sum(0)
        return counts


def encode(data: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Each pixel's brightness as the same current at every step: `[batch, STEPS, 64]`."""
    images, labels = data
    return images.unsqueeze(1).repeat(1, STEPS, 1), labels


def train(net: nn.Module, digits: Digits, epochs: int) -> None:
    """Cross entropy of the output neurons' spike counts."""
    loader: Any = DataLoader(digits.train, batch_size=64, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(epochs):
        for batch in loader:
            currents, labels = encode(tuple(batch))
            loss = nn.functional.cross_entropy(net(currents), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch
            optimizer.step()


def measured(build: Callable[[], nn.Module], digits: Digits, epochs: int) -> dict[str, Any]:
    """NeuroBench's results of a trained network over the test split."""
    torch.manual_seed(0)
    net = build()
    train(net, digits, epochs)
    model = TorchModel(net)
    add_spiking_layers(model)
    loader: Any = DataLoader(digits.test, batch_size=64)
    metrics = [[], [ClassificationAccuracy, AverageActivityMetric, SynapticOperationsMetric]]
    benchmark = Benchmark(model, loader, [encode], [lambda counts: counts.argmax(1)], metrics)
    with torch.no_grad():
        results: dict[str, Any] = benchmark.run(quiet=True)
    return results


def main(arguments: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Print each framework's accuracy and report; gives NeuroBench's results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args(arguments)
    digits, found = Digits.load(), {}
    builders = {"Norse": NorseNet, "SpikingJelly": SpikingJellyNet}
    for name, build in builders.items():
        found[name] = measured(build, digits, options.epochs)
        print(f"{name}: accuracy {found[name]['ClassificationAccuracy']:.1%}")
        operations = found[name]["SynapticOperationsMetric"]
        print(", ".join(f"{key} {operations[key]:,.0f}" for key in OPERATIONS), "per image")
        print(report(found[name]), end="\n\n")
    return found


if __name__ == "__main__":
    main()

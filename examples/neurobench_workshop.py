"""NeuroBench's custom-metrics workshop on handwritten digits: accuracy and average activity.

A small snnTorch network learns the digits that come with scikit-learn; NeuroBench then runs it
over the test split. Only the import of AverageActivityMetric is not NeuroBench's own.

Run: python examples/neurobench_workshop.py --plot activity.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from pprint import pprint
from typing import Any

import snntorch
import torch
from matplotlib import pyplot as plt
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import Footprint
from neurobench.metrics.workload import ActivationSparsity, ClassificationAccuracy
from neurobench.models import SNNTorchModel
from neurobench.processors.postprocessors import ChooseMaxCount
from torch import Tensor, nn
from torch.utils.data import DataLoader

from neuroact_adapters.demos.digits import CLASSES, PIXELS, Digits
from neuroact_adapters.neurobench import AverageActivityMetric, report

STEPS = 12


def encode(data: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Each pixel's brightness as the same current at every step: `[batch, STEPS, 64]`."""
    images, labels = data
    return images.unsqueeze(1).repeat(1, STEPS, 1), labels


def network() -> nn.Sequential:
    """Three layers of leaky integrate-and-fire neurons that keep their own state."""

    def fire(**options: Any) -> nn.Module:
        neuron: nn.Module = snntorch.Leaky(beta=0.9, init_hidden=True, **options)
        return neuron

    return nn.Sequential(
        *(nn.Linear(PIXELS, 64), fire()),
        *(nn.Linear(64, 32), fire()),
        *(nn.Linear(32, CLASSES), fire(output=True)),
    )


def train(net: nn.Module, digits: Digits, epochs: int) -> None:
    """Cross entropy of the output neurons' spike counts."""
    loader: Any = DataLoader(digits.train, batch_size=64, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(1, epochs + 1):
        losses = []
        for batch in loader:
            currents, labels = encode(tuple(batch))
            snntorch.utils.reset(net)
            counts = sum(net(step)[0] for step in currents.unbind(1))
            loss = nn.functional.cross_entropy(counts, labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch
            optimizer.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.3f}")


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train, run the benchmark, print its results and draw them; gives the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--plot", type=Path, default=Path("neurobench_activity.png"))
    options = parser.parse_args(arguments)

    torch.manual_seed(0)
    net, digits = network(), Digits.load()
    train(net, digits, options.epochs)

    model = SNNTorchModel(net)
    test_set_loader: Any = DataLoader(digits.test, batch_size=64)
    static_metrics = [Footprint]
    workload_metrics = [ClassificationAccuracy, ActivationSparsity, AverageActivityMetric]
    benchmark = Benchmark(
        model, test_set_loader, [encode], [ChooseMaxCount()], [static_metrics, workload_metrics]
    )
    with torch.no_grad():  # otherwise NeuroBench's hooks would keep each batch's graph
        results: dict[str, Any] = benchmark.run(quiet=True)
    pprint(results, compact=True)

    AverageActivityMetric.plot_activity_distributions(results)
    plt.savefig(options.plot)
    print(f"drawn to {options.plot}")
    print(report(results))
    return results


if __name__ == "__main__":
    main()

"""A NeuroBench user wants each neuron's activity among the results, in a file, and as a picture.

Run: python examples/users/neurobench_user.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.workload import ActivationSparsity, ClassificationAccuracy
from neurobench.models import SNNTorchModel
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neuroact_adapters.neurobench import AverageActivityMetric, SynapticOperationsMetric, report


def main(folder: Path) -> None:
    """Run a benchmark, save its results, and read them again."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(20, 30), snntorch.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(30, 10), snntorch.Leaky(beta=0.9, init_hidden=True, output=True),
    )  # fmt: skip
    samples = TensorDataset(4 * torch.rand(50, 25, 20), torch.randint(10, (50,)))
    vote = ChooseMax()
    benchmark = Benchmark(
        SNNTorchModel(net), DataLoader(samples, batch_size=16), [], [vote],
        [[], [ClassificationAccuracy, ActivationSparsity,
              AverageActivityMetric, SynapticOperationsMetric]],
    )  # fmt: skip
    with torch.no_grad():
        results = benchmark.run(quiet=True)
    benchmark.save_benchmark_results(str(folder / "results"))  # as results.json

    found = report(folder / "results.json")  # the file is enough: nothing else is needed
    print(found)
    print("the same as the results in memory:", found == report(results))
    found.plot(folder / "activity.png")


class ChooseMax:
    """The class whose neuron fired most: `[batch, time, classes]` to `[batch]`."""

    def __call__(self, spikes: torch.Tensor) -> torch.Tensor:
        """The index of the largest count of spikes over time."""
        return spikes.sum(1).argmax(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())

"""What the tests of NeuroBench share: networks, batches, and the workshop's metric as an oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.abstract.workload_metric import AccumulatedMetric
from raw import RawCalls
from torch import Tensor, nn

INPUTS = 5
KEYS = ("min", "max", "mean", "std", "median", "q1", "q3", "histogram")


class Batches:
    """A data loader for NeuroBench, over given inputs `[batch, time, features]`."""

    def __init__(self, *inputs: Tensor) -> None:
        self.inputs = inputs
        self.dataset = range(sum(map(len, inputs)))

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.inputs:
            yield batch, torch.zeros(len(batch))


def batches(*sizes: int, steps: int = 9, features: int = INPUTS) -> Batches:
    """Random batches of these sizes."""
    draw = torch.Generator().manual_seed(0)
    return Batches(*(torch.rand(size, steps, features, generator=draw) for size in sizes))


class Block(nn.Module):
    """A linear layer and a neuron, which many networks have."""

    def __init__(self, inputs: int, outputs: int, **options: Any) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)
        self.lif = snntorch.Leaky(beta=0.9, init_hidden=True, **options)

    def forward(self, current: Tensor) -> Any:
        return self.lif(self.fc(current) * 3)


class Hidden(nn.Sequential):
    """Modules keep their state; hidden layers return a tensor, the last one a tuple."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        super().__init__(Block(INPUTS, 7), Block(7, 6), Block(6, 3, output=True))

    def reset(self) -> None:
        for block in self:
            block.lif.reset_mem()


class Explicit(nn.Module):
    """State passed from call to call; every layer returns a tuple."""

    def __init__(self) -> None:
        torch.manual_seed(2)
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(INPUTS, 7), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(7, 3), snntorch.Leaky(beta=0.8)
        self.reset()

    def reset(self) -> None:
        self.mem1, self.mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()

    def forward(self, current: Tensor) -> Any:
        spikes, self.mem1 = self.lif1(self.fc1(current) * 3, self.mem1)
        spikes, self.mem2 = self.lif2(self.fc2(spikes) * 3, self.mem2)
        return spikes, self.mem2


class WholeSequence(Explicit):
    """The other forward style: all time steps in one call, `[batch, time, features]` in."""

    def forward(self, data: Tensor) -> Tensor:
        self.reset()
        step = super().forward
        return torch.stack([step(current)[0] for current in data.transpose(0, 1)])


class WorkshopMetric(AccumulatedMetric):  # type: ignore[misc]  # NeuroBench has no types
    """The workshop's metric, from its description: keeps all spikes, computes all again."""

    def __init__(self) -> None:
        super().__init__(requires_hooks=True)
        self.reset()

    def reset(self) -> None:
        self.spikes: dict[int, list[Tensor]] = {}

    def __call__(self, model: Any, preds: Any, data: Any) -> dict[str, dict[str, Any]]:
        for number, hook in enumerate(model.activation_hooks):
            steps = torch.stack(hook.activation_outputs)  # [time, batch, neurons]
            self.spikes.setdefault(number, []).append(steps)
        return self.compute()

    def compute(self) -> dict[str, dict[str, Any]]:
        return {f"layer {n}": self.figures(kept) for n, kept in self.spikes.items()}

    def figures(self, kept: Sequence[Tensor]) -> dict[str, Any]:
        activity = torch.cat(list(kept), dim=1).mean(dim=(0, 1)).detach().numpy()
        return {
            "min": activity.min(),
            "max": activity.max(),
            "mean": activity.mean(),
            "std": activity.std(),
            "median": np.median(activity),
            "q1": np.percentile(activity, 25),
            "q3": np.percentile(activity, 75),
            "histogram": activity,
        }


def spikes_of(output: Any) -> Tensor:
    """The spikes in what a neuron of snnTorch or Norse returned."""
    spikes: Tensor = output[0] if isinstance(output, tuple) else output
    return spikes


def neurons_of(net: nn.Module) -> dict[str, RawCalls]:
    """The raw outputs, from now on, of every snnTorch neuron of a network, by its full name."""
    return {
        name: RawCalls(module)
        for name, module in net.named_modules()
        if isinstance(module, snntorch.SpikingNeuron)
    }


def bench(model: Any, loader: Any, *metrics: Any) -> Any:
    """A Benchmark of these workload metrics."""
    return Benchmark(model, loader, [], [], [[], list(metrics)])


def run(model: Any, loader: Any, *metrics: Any) -> dict[str, Any]:
    """The results of one run of a Benchmark that is gone afterwards."""
    results: dict[str, Any] = bench(model, loader, *metrics).run(quiet=True)
    return results

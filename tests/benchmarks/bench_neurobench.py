"""AverageActivityMetric compared with the workshop's metric in NeuroBench, for ever more batches.

Each measurement has its own process. Time is processor time, which a busy machine disturbs least:
of the whole run, and of the metric's calls, including reading its result at the end. Memory is the
peak of the process, minus that with NeuroBench's hooks and a metric that does nothing.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_neurobench.py [batches ...]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peak import most_held

METRICS = ("hooks alone", "neuroact", "workshop")
BATCHES = (5, 20, 80)
BATCH, STEPS, SIZES = 128, 50, (20, 256, 256, 256, 35)


def metric_of(name: str) -> type[Any]:
    """The metric class of that name."""
    from neurobench.metrics.abstract.workload_metric import AccumulatedMetric

    class Nothing(AccumulatedMetric):  # type: ignore[misc]  # NeuroBench has no types
        def __init__(self) -> None:
            super().__init__(requires_hooks=True)

        def __call__(self, model: Any, preds: Any, data: Any) -> int:
            return 0

        compute = reset = lambda self: None

    if name == "neuroact":
        from neuroact_adapters.neurobench import AverageActivityMetric

        return AverageActivityMetric
    if name == "workshop":
        sys.path.insert(0, str(Path(__file__).parents[1] / "adapters"))
        from neurobench_cases import WorkshopMetric

        return WorkshopMetric
    return Nothing


def network() -> Any:
    """NeuroBench's network for speech commands; all its neurons return tuples."""
    import snntorch
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.fc = nn.ModuleList(map(nn.Linear, SIZES[:-1], SIZES[1:]))
            self.lif = nn.ModuleList(snntorch.Leaky(beta=0.9, threshold=0.1) for _ in SIZES[1:])

        def reset(self) -> None:
            self.mem = [lif.reset_mem() for lif in self.lif]

        def forward(self, x: Any) -> Any:
            for number, (fc, lif) in enumerate(zip(self.fc, self.lif, strict=True)):
                x, self.mem[number] = lif(fc(x), self.mem[number])
            return x, self.mem[-1]

    return Net()


def measure(name: str, batches: int) -> tuple[float, float, float]:
    """Seconds of a run, seconds in the metric, and peak memory in MB."""
    import torch
    from neurobench.benchmarks import Benchmark
    from neurobench.models import SNNTorchModel
    from torch.utils.data import DataLoader

    class Data(torch.utils.data.Dataset[Any]):
        def __len__(self) -> int:
            return batches * BATCH

        def __getitem__(self, index: int) -> Any:
            if index >= len(self):
                raise IndexError
            return torch.full((STEPS, SIZES[0]), 0.1 + index % 7 / 10), 0

    loader: Any = DataLoader(Data(), batch_size=BATCH)
    spent = [0.0]

    class Timed(metric_of(name)):  # type: ignore[misc]  # chosen at run time
        def __call__(self, model: Any, preds: Any, data: Any) -> Any:
            start = time.process_time()
            result = super().__call__(model, preds, data)
            spent[0] += time.process_time() - start
            return result

    model = SNNTorchModel(network())
    benchmark = Benchmark(model, loader, [], [], [[], [Timed]])
    with torch.no_grad():
        benchmark.run(quiet=True, dataloader=DataLoader([Data()[0]], batch_size=1))
        spent[0], start = 0.0, time.process_time()
        results = benchmark.run(quiet=True)
        seconds = time.process_time() - start
    start = time.process_time()
    str(results)
    spent[0] += time.process_time() - start
    return seconds, spent[0], most_held() / 2**20


def in_a_process(name: str, batches: int) -> tuple[float, float, float]:
    """What `measure` gives, in a fresh process."""
    command = [sys.executable, __file__, "--one", name, str(batches)]
    seconds, spent, memory = json.loads(subprocess.check_output(command, text=True))
    return seconds, spent, memory


def table(batches: tuple[int, ...]) -> Iterator[str]:
    """Time and memory of each metric for ever more batches, and how many times less ours takes."""
    yield (
        "| batches | run | added by neuroact | by the workshop's | times less | memory: neuroact "
        "| workshop |"
    )
    yield "|---:|---:|---:|---:|---:|---:|---:|"
    for count in batches:
        (bare, _, floor), ours, theirs = (in_a_process(name, count) for name in METRICS)
        yield (
            f"| {count} | {bare:.1f} s | {ours[1]:.2f} s | {theirs[1]:.2f} s | "
            f"{theirs[1] / ours[1]:.0f} | "
            f"{ours[2] - floor:+.0f} MB | {theirs[2] - floor:+.0f} MB |"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        for line in table(tuple(map(int, sys.argv[1:])) or BATCHES):
            print(line, flush=True)

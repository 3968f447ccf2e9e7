"""What each statistic costs, in % of the bare forward pass and in µs a call of a layer.

The networks of the project's figures: NeuroBench's for speech commands (three layers of 256
neurons and one of 35, 256 samples, 200 steps), and a tiny one (100 neurons, one sample, 1000
steps). Time is the thread's own on the processor, which busy machines disturb least; each round
runs all the ways one after the other, and the median of the rounds' differences counts.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_statistics.py [rounds]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import snntorch
import torch
from torch import Tensor, nn

import neuroact
from neuroact import InterspikeIntervals, SpikeCounts, Synchrony, TimeCourse

WAYS: dict[str, list[Any] | None] = {
    "bare": None,
    "Firing": [],
    "+ SpikeCounts": [SpikeCounts],
    "+ TimeCourse": [TimeCourse],
    "+ Synchrony": [Synchrony],
    "+ InterspikeIntervals": [InterspikeIntervals],
    "+ SpikeCounts, TimeCourse": [SpikeCounts, TimeCourse],
    "all": [SpikeCounts, TimeCourse, Synchrony, InterspikeIntervals],
}


class Net(nn.Module):
    """Linear and leaky layers, run step by step."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))
        self.lif = nn.ModuleList(snntorch.Leaky(beta=0.9) for _ in sizes[1:])

    def forward(self, x: Tensor) -> Tensor:
        """The last layer's spikes, of `[time, batch, inputs]`."""
        memory = [lif.init_leaky() for lif in self.lif]
        for step in x:
            for number, (fc, lif) in enumerate(zip(self.fc, self.lif, strict=True)):
                step, memory[number] = lif(fc(step), memory[number])
        return step


class Case(NamedTuple):
    """A network and what it is given."""

    net: Net
    x: Tensor

    @property
    def calls(self) -> int:
        """Calls of spiking layers in a forward pass."""
        return len(self.x) * len(self.net.lif)


CASES: dict[str, Callable[[], Case]] = {
    "GSC": lambda: Case(Net(20, 256, 256, 256, 35), torch.rand(200, 256, 20)),
    "tiny": lambda: Case(Net(20, 100), torch.rand(1000, 1, 20)),
}


def seconds(case: Case, kept: list[Any] | None) -> float:
    """Time of a forward pass, recorded or bare; one before it warms up."""
    recorded = nullcontext() if kept is None else neuroact.record(case.net, statistics=kept)
    with torch.no_grad(), recorded:
        case.net(case.x)
        began = time.thread_time()
        case.net(case.x)
        return time.thread_time() - began


def main(rounds: int) -> None:
    """Print a table for each network."""
    torch.set_num_threads(1)
    for name, build in CASES.items():
        case = build()
        found = [{way: seconds(case, kept) for way, kept in WAYS.items()} for _ in range(rounds)]
        bare = statistics.median(times["bare"] for times in found)
        print(
            f"{name}: {bare * 1e3:.0f} ms a forward pass, {bare / case.calls * 1e6:.0f} µs a call"
        )
        for way in list(WAYS)[1:]:
            more = statistics.median(times[way] - times["bare"] for times in found)
            print(f"  {way:28s}{100 * more / bare:6.1f} %{more / case.calls * 1e6:8.1f} µs a call")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)

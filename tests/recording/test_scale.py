"""Recording's memory and work do not grow with data, and stay within the design's bound."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from alive import tensors_alive
from operations import Operations
from stored import ALL_BUT_FIRING, fed
from toy import Net, ToyAdapter

import neuroact
from neuroact import Recording
from neuroact.native import core
from neuroact.testing.strategies import Stream

# So many steps are counted at once, so the work repeats with this period.
PERIOD = 64


@pytest.fixture(scope="module")
def bench_scale() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "bench_scale.py"
    spec = importlib.util.spec_from_file_location("bench_scale", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(core() is None, reason="without the core steps are kept as they came")
@pytest.mark.parametrize("batch", [1, 4])
def test_ten_million_neurons_are_recorded_and_reported_within_four_bytes_of_the_bound(
    batch: int, bench_scale: ModuleType
) -> None:
    """The short form of `bench_scale.py`, which has 10^8 neurons; it checks the counts too."""
    found = bench_scale.bytes_a_neuron(10, 1_000_000, batch, ("nothing", "report"))
    assert found["report"] <= bench_scale.BOUND + 4


def test_a_report_of_binary_layers_keeps_eight_bytes_a_neuron() -> None:
    report = fed(Stream((np.ones((5, 2, 1000)),), (1000,))).report()
    layer = report["lif"]
    str(report), report.to_json(), layer.total, layer.histogram()
    kept = [x for x in vars(layer).values() if isinstance(x, np.ndarray)]
    assert sum(array.nbytes for array in kept) == 8 * layer.neurons


@pytest.mark.parametrize(("batches", "statistics"), [(5_000, []), (700, ALL_BUT_FIRING)])
def test_memory_and_work_are_the_same_after_many_batches(
    batches: int, statistics: list[type]
) -> None:
    torch.manual_seed(0)
    earlier = tensors_alive()
    net, batch = Net(), torch.randn(2, 3, 5)
    with (
        torch.no_grad(),
        neuroact.record(net, adapters=[ToyAdapter()], statistics=statistics) as recording,
    ):

        def run(count: int) -> tuple[int, int, int]:
            """Run so many batches: operations, and memory blocks and tensors alive after them."""
            with Operations() as seen:
                for _ in range(count):
                    net(batch)
            tensors = len(tensors_alive())
            return seen.count, sys.getallocatedblocks(), tensors

        for _ in range(3 * PERIOD):
            net(batch)
        size = len(recording.to_bytes())
        run(PERIOD)
        first = run(PERIOD)
        for _ in range(batches - 6 * PERIOD):
            net(batch)
        last = run(PERIOD)
    assert last[0] == first[0]
    assert last[1] - first[1] < batches // 4  # one object kept per batch would be more
    assert last[2] == first[2]
    assert earlier is not None  # kept to here: if one were freed, it could hide a new one
    assert len(recording.to_bytes()) == size
    assert recording.report()["lif1"].observations == batches * 6


def test_memory_with_operations_is_the_same_after_many_batches() -> None:
    torch.manual_seed(0)
    earlier, tensors, sizes = tensors_alive(), [], []
    net, batch = Net(), torch.randn(2, 3, 5)
    with (
        torch.no_grad(),
        neuroact.record(net, adapters=[ToyAdapter()], operations=True) as recording,
    ):
        for _ in range(10):
            for _ in range(PERIOD):
                net(batch)
            tensors.append(len(tensors_alive()))
            sizes.append(len(recording.to_bytes()))
    assert tensors[3:] == tensors[3:4] * 7
    assert sizes[-1] - sizes[3] < PERIOD  # longer numbers alone: not a byte for each batch
    assert earlier is not None  # kept to here: if one were freed, it could hide a new one
    assert recording.report().operations.spread.samples == 10 * PERIOD * 3


def test_merging_ten_thousand_neurons_takes_a_few_operations_in_place() -> None:
    """`bench_merge.py` measures the time; no test depends on one."""
    neurons = 10_000
    part = Recording.from_bytes(fed(Stream((np.ones((5, 2, neurons)),), (neurons,))).to_bytes())
    total = Recording()
    total.merge(part)
    with Operations() as seen:
        total.merge(part)
    assert seen.count <= 8
    assert seen.new_bytes < neurons
    assert total.report()["lif"].events.tolist() == [20] * neurons

"""The workshop's script runs with one import changed, and so does the example made from it."""

from __future__ import annotations

import runpy
from pathlib import Path
from pprint import pprint
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.models import SNNTorchModel
from neurobench.processors.postprocessors import ChooseMaxCount
from neurobench_cases import INPUTS, KEYS, Explicit, WorkshopMetric
from torch.utils.data import DataLoader, TensorDataset

from neuroact_adapters.neurobench import AverageActivityMetric

EXAMPLES = Path(__file__).parents[2] / "examples"


def script(metric: Any) -> dict[str, Any]:
    """What the workshop's script does, with a metric under the workshop's name."""
    torch.manual_seed(0)
    test_set = TensorDataset(torch.rand(12, 9, INPUTS), torch.zeros(12).long())
    test_set_loader: Any = DataLoader(test_set, batch_size=4)
    model = SNNTorchModel(Explicit())
    static_metrics, workload_metrics = [Footprint, ConnectionSparsity], [metric]
    benchmark = Benchmark(
        model, test_set_loader, [], [ChooseMaxCount()], [static_metrics, workload_metrics]
    )
    results: dict[str, Any] = benchmark.run(device="cpu")
    pprint(results)
    return results


def test_the_workshops_script_runs_with_one_import_changed() -> None:
    results = script(AverageActivityMetric)
    before = script(type("AverageActivityMetric", (WorkshopMetric,), {}))
    assert list(results) == list(before)
    pairs = zip(
        results["AverageActivityMetric"].values(),
        before["AverageActivityMetric"].values(),
        strict=True,
    )
    for ours, theirs in pairs:
        for key in KEYS:
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-6, atol=1e-7)
    AverageActivityMetric.plot_activity_distributions(results)
    assert len(plt.gca().get_yticks()) == 2
    plt.close()


def test_the_example_trains_measures_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "activity.png"
    main = runpy.run_path(str(EXAMPLES / "neurobench_workshop.py"))["main"]
    results = main(["--epochs", "1", "--plot", str(plot)])
    plt.close()
    layers = results["AverageActivityMetric"]
    assert list(layers) == ["1", "3", "5"]
    assert all(layer["samples"] == 360 for layer in layers.values())
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "ClassificationAccuracy" in capsys.readouterr().out

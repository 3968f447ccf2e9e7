"""The metric in NeuroBench's TorchModel: Norse, sinabs, and what only newer snnTorch has."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import sinabs.layers as sinabs
import snntorch
import torch
from neurobench.metrics.workload import ActivationSparsity
from neurobench.models import TorchModel
from neurobench_cases import Batches, batches, run, spikes_of
from raw import RawCalls, assert_true_figures
from torch import Tensor, nn

import neuroact
from neuroact_adapters.neurobench import AverageActivityMetric, add_spiking_layers, report

NAME = "AverageActivityMetric"
INPUTS = 5


class Gain(nn.Module):
    """Strong enough input for the next layer to fire."""

    def forward(self, current: Tensor) -> Tensor:
        return current.abs() * 40


class NorseCells(nn.Module):
    """Step by step, the state passed on by SequentialState; a leaky integrator reads out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = norse.SequentialState(
            *(
                nn.Linear(INPUTS, 8),
                norse.LIFCell(),
                nn.Linear(8, 4),
                Gain(),
                norse.LIFRecurrentCell(4, 4),
            ),
            norse.LICell(),
        )

    def forward(self, data: Tensor) -> Tensor:
        state = None
        for step in data.transpose(0, 1) * 20:
            out, state = self.body(step, state)
        last: Tensor = out
        return last


class NorseSequences(nn.Module):
    """All time steps in one call, time first."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.lif = nn.Linear(INPUTS, 8), norse.LIF()

    def forward(self, data: Tensor) -> Tensor:
        spikes, _ = self.lif(self.fc(data.transpose(0, 1) * 20))
        total: Tensor = spikes.sum(0)
        return total


class SinabsNet(nn.Module):
    """All time steps in one call, batch first; several spikes a step; a readout without any."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc1, self.spikes = nn.Linear(INPUTS, 8), sinabs.IAF()
        self.fc2, self.readout = nn.Linear(8, 3), sinabs.ExpLeak(tau_mem=10.0)

    def forward(self, data: Tensor) -> Tensor:
        self.spikes.reset_states()
        self.readout.reset_states()
        out: Tensor = self.readout(self.fc2(self.spikes(self.fc1(data * 4))))
        return out.sum(1)


CASES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "norse cells": (NorseCells, ("body.1", "body.4")),
    "norse sequences": (NorseSequences, ("lif",)),
    "sinabs": (SinabsNet, ("spikes",)),
}


@pytest.mark.parametrize(("build", "names"), CASES.values(), ids=CASES)
def test_figures_are_those_of_a_recording_and_of_the_raw_spikes(
    build: Any, names: tuple[str, ...]
) -> None:
    net = build()
    model, loader = TorchModel(net), batches(4, 4, 3)
    assert add_spiking_layers(model) == names
    raw = {name: RawCalls(net.get_submodule(name)) for name in names}
    with neuroact.record(net) as recording:
        results = run(model, loader, AverageActivityMetric)
    live = report(results)
    assert live == recording.report()
    for name, calls in raw.items():
        if build is SinabsNet:
            values = calls.values(lambda output: output.transpose(0, 1), sequence=True)
        else:
            values = calls.values(spikes_of, sequence=build is NorseSequences)
        assert values.any()
        assert_true_figures(live[name], values, 11)


def test_layers_of_real_values_are_not_made_activation_layers() -> None:
    # sinabs' ExpLeak derives from LIF, which spikes.
    class Both(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(sinabs.LIF(tau_mem=10.0), sinabs.ExpLeak(tau_mem=10.0))

    model = TorchModel(Both())
    assert add_spiking_layers(model) == ("0",)
    assert [found["layer_name"] for found in model.activation_layers()] == ["0"]


def test_several_spikes_a_step_are_kept_apart_from_how_often_there_were_any() -> None:
    model = TorchModel(nn.Sequential(sinabs.IAF()))
    add_spiking_layers(model)
    loader = Batches(torch.tensor([[[2.0, 0.0, 1.0], [2.0, 0.0, 0.0]]]))
    results = run(model, loader, AverageActivityMetric, ActivationSparsity)
    layer = results[NAME]["0"]
    assert (layer["kind"], layer["histogram"]) == ("graded", [2.0, 0.0, 0.5])
    assert layer["sparsity"] == results["ActivationSparsity"] == 0.5
    assert (layer["dead"], layer["saturated"]) == (1, 1)


@pytest.mark.parametrize(
    "build",
    [
        lambda: snntorch.StateLeaky(beta=0.9, channels=INPUTS, output=False),
        lambda: snntorch.StateLeaky(beta=0.9, channels=INPUTS),
    ],
)
def test_a_sequence_that_every_neurobench_cuts_is_read_whole(build: Any) -> None:
    # With output=False it returns one tensor, of which the hook keeps the first time step.
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neuron = build()

        def forward(self, data: Tensor) -> Tensor:
            total: Tensor = spikes_of(self.neuron(data.transpose(0, 1))).sum(0)
            return total

    model, loader = TorchModel(Net()), batches(4, 3)
    model.add_activation_module(snntorch.SpikingNeuron)
    raw = RawCalls(model.net.neuron)
    live = report(run(model, loader, AverageActivityMetric))["neuron"]
    values = np.ascontiguousarray(raw.values(spikes_of, sequence=True))
    assert_true_figures(live, values, 7)


def test_the_example_measures_both_frameworks() -> None:
    path = Path(__file__).parents[2] / "examples" / "neurobench_torchmodel.py"
    found = runpy.run_path(str(path))["main"](["--epochs", "1"])
    assert list(found) == ["Norse", "SpikingJelly"]
    for results in found.values():
        assert results["ClassificationAccuracy"] > 0.3
        assert [layer["samples"] for layer in results[NAME].values()] == [360, 360]
        operations = results["SynapticOperationsMetric"]
        assert operations["Dense"] == 10 * (64 * 48 + 48 * 10)
        assert 0 < operations["Effective_ACs"] < 10 * 48 * 10
        assert "not_counted" not in operations

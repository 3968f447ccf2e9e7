"""The metric on SpikingJelly's networks in NeuroBench's TorchModel, of both generations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from neurobench.models import TorchModel
from neurobench_cases import Batches, batches, run
from raw import RawCalls, assert_true_figures
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn

import neuroact
from neuroact_adapters.neurobench import AverageActivityMetric, add_spiking_layers, report

INPUTS = 5


class Net(nn.Module):
    """Takes NeuroBench's `[batch, time, features]`; resets itself, for NeuroBench does not."""

    def __init__(self, step_mode: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.step_mode = step_mode
        self.body = nn.Sequential(
            *(layer.Linear(INPUTS, 8), neuron.IFNode(v_threshold=0.5)),
            *(layer.Linear(8, 3), neuron.LIFNode(v_threshold=0.2)),
        )
        functional.set_step_mode(self.body, step_mode)

    def forward(self, data: Tensor) -> Tensor:
        functional.reset_net(self.body)
        steps = data.transpose(0, 1)
        if self.step_mode == "m":
            out: Tensor = self.body(steps)
            return out.sum(0)
        return torch.stack([self.body(step) for step in steps]).sum(0)


def as_returned(output: Any) -> Tensor:
    tensor: Tensor = output
    return tensor


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_figures_are_those_of_the_raw_spikes_in_both_step_modes(step_mode: str) -> None:
    net = Net(step_mode)
    model, loader = TorchModel(net), batches(4, 4, 3)
    assert add_spiking_layers(model) == ("body.1", "body.3")
    raw = {name: RawCalls(net.get_submodule(name)) for name in ("body.1", "body.3")}
    live = report(run(model, loader, AverageActivityMetric))
    assert list(live) == ["body.1", "body.3"]
    for name, calls in raw.items():
        values = calls.values(as_returned, sequence=step_mode == "m")
        assert values.any()
        assert_true_figures(live[name], values, 11)


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_the_report_is_that_of_a_recording(step_mode: str) -> None:
    net = Net(step_mode)
    model = TorchModel(net)
    add_spiking_layers(model)
    loader = Batches(torch.rand(4, 9, INPUTS), torch.rand(4, 5, INPUTS), torch.rand(2, 9, INPUTS))
    with neuroact.record(net) as recording:
        results = run(model, loader, AverageActivityMetric)
    assert report(results) == recording.report()

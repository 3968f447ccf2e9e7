"""Frameworks and versions differ as stated, and the frameworks' own instruments agree."""

from __future__ import annotations

from importlib.metadata import version

import norse.torch as norse
import numpy as np
import pytest
import snntorch
import torch
from snntorch.functional import probe
from spikingjelly.activation_based import neuron
from torch import nn

import neuroact

NORSE_IS_1_0 = version("norse").startswith("1.0.")


def test_counts_equal_those_of_snntorchs_own_monitor() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(6, 8),
        snntorch.Leaky(0.9, init_hidden=True),
        nn.Linear(8, 4),
        snntorch.Leaky(0.8, init_hidden=True),
    )
    monitor = probe.OutputMonitor(net, instance=snntorch.Leaky)
    with neuroact.record(net) as recording:
        for x in torch.rand(20, 5, 6) * 4:
            net(x)
    report = recording.report()
    for name in ("1", "3"):
        kept = torch.stack(monitor[name]).detach().numpy()
        np.testing.assert_array_equal(report[name].events, kept.sum((0, 1)))
        assert report[name].observations == 20 * 5
    assert 0 < report["3"].mean < 1
    monitor.remove_hooks()


@pytest.mark.parametrize("cls", [norse.LIFCell, norse.LIF])
def test_lif_of_norse_1_0_fires_a_step_later(cls: type[nn.Module]) -> None:
    layer, state = cls(), None
    current = torch.full((5, 1, 6), 15.0)
    with neuroact.record(layer) as recording:
        for step in current if cls is norse.LIFCell else [current]:
            _, state = layer(step, state)
    assert recording.report()["model"].events.sum() == (24 if NORSE_IS_1_0 else 30)


def test_only_spikingjelly_fires_at_the_threshold_itself() -> None:
    rule = norse.IAFParameters(v_th=torch.tensor(1.0))
    net = nn.ModuleDict(
        {
            "snntorch": snntorch.Leaky(beta=1.0, threshold=1.0, init_hidden=True),
            "norse": norse.IAFCell(rule),
            "spikingjelly": neuron.IFNode(v_threshold=1.0),
        }
    )
    with neuroact.record(net) as recording:
        for layer in net.values():
            layer(torch.ones(1, 3))
    events = {name: layer.events.tolist() for name, layer in recording.report().items()}
    assert events == {"snntorch": [0] * 3, "norse": [0] * 3, "spikingjelly": [1] * 3}


def test_an_ann_and_the_snn_converted_from_it_stand_in_one_report() -> None:
    torch.manual_seed(0)
    weights = nn.Linear(6, 8)
    ann = nn.Sequential(weights, nn.ReLU())
    snn = nn.Sequential(weights, neuron.IFNode(v_reset=None))
    both = nn.ModuleDict({"ann": ann, "snn": snn})
    x = torch.rand(5, 6)
    with neuroact.record(both, layers=["ann.1", "snn.1"]) as recording:
        ann(x)
        for _ in range(400):
            snn(x)
    report = recording.report()
    assert [layer.kind.value for layer in report.values()] == ["analog", "binary"]
    # A rate code: the longer the sequence, the closer the firing rate is to the ReLU's mean.
    assert report["ann.1"].max < 1
    np.testing.assert_allclose(report["snn.1"].activity, report["ann.1"].activity, atol=1 / 200)

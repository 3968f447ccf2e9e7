"""Models of SpikingJelly, and what is true of them by hand."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import functional, neuron
from torch import nn

from neuroact.testing import AdapterExample, ExpectedLayer, call_each_step

STEP, SEQUENCE = ExpectedLayer("BN"), ExpectedLayer("TBN")


def _model(mode: str) -> nn.Module:
    first, second = neuron.LIFNode(step_mode=mode), neuron.IFNode(step_mode=mode)
    return nn.Sequential(nn.Linear(4, 5), first, nn.Linear(5, 6), second)


EXAMPLES = (
    AdapterExample(
        name="step by step",
        model=lambda: _model("s"),
        inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
        layers={"1": STEP, "3": STEP},
        run=call_each_step,
        reset=functional.reset_net,
        detach=functional.detach_net,
    ),
    AdapterExample(
        name="whole sequences",
        model=lambda: _model("m"),
        inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
        layers={"1": SEQUENCE, "3": SEQUENCE},
        reset=functional.reset_net,
        detach=functional.detach_net,
    ),
)

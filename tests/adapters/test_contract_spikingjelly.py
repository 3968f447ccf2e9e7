"""SpikingJelly's adapter passes the public suite."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import functional, neuron
from torch import nn

from neuroact.testing import AdapterContract, AdapterExample, ExpectedLayer, call_each_step
from neuroact_adapters.spikingjelly import SpikingJellyAdapter


class TestSpikingJellyAdapter(AdapterContract):
    adapter = SpikingJellyAdapter()
    examples = (
        AdapterExample(
            name="step by step",
            model=lambda: nn.Sequential(
                nn.Linear(4, 5), neuron.LIFNode(), nn.Linear(5, 6), neuron.IFNode()
            ),
            inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
            layers={"1": ExpectedLayer("BN"), "3": ExpectedLayer("BN")},
            run=call_each_step,
            reset=functional.reset_net,
            detach=functional.detach_net,
        ),
        AdapterExample(
            name="whole sequences",
            model=lambda: nn.Sequential(
                nn.Linear(4, 5),
                neuron.LIFNode(step_mode="m"),
                nn.Linear(5, 6),
                neuron.IFNode(step_mode="m"),
            ),
            inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
            layers={"1": ExpectedLayer("TBN"), "3": ExpectedLayer("TBN")},
            reset=functional.reset_net,
            detach=functional.detach_net,
        ),
    )

"""snnTorch's adapter passes the public suite."""

from __future__ import annotations

from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from neuroact.testing import (
    AdapterContract,
    AdapterExample,
    ExpectedLayer,
    Limit,
    call_each_step,
    pass_state_each_step,
)
from neuroact_adapters.snntorch import SnnTorchAdapter


class ByHand(nn.Module):
    """Neurons that are handed their states."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.leaky, self.synaptic = nn.Linear(4, 5), snn.Leaky(0.9), snn.Synaptic(0.5, 0.6)

    def forward(self, x: Tensor, state: Any) -> Any:
        mem, syn, out = state or (self.leaky.reset_mem(), *self.synaptic.reset_mem())
        spikes, mem = self.leaky(self.fc(x), mem)
        spikes, syn, out = self.synaptic(spikes, syn, out)
        return spikes, (mem, syn, out)


def hidden() -> nn.Module:
    leaky, synaptic = snn.Leaky(0.9, init_hidden=True), snn.Synaptic(0.5, 0.6, init_hidden=True)
    return nn.Sequential(nn.Linear(4, 5), leaky, nn.Linear(5, 6), synaptic)


def reset(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, snn.SpikingNeuron):
            layer.reset_mem()


def detach(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, snn.SpikingNeuron):
            layer.mem = layer.mem.detach()
            if isinstance(layer, snn.Synaptic):
                layer.syn = layer.syn.detach()


def first(output: Any) -> Tensor:
    spikes: Tensor = output[0]
    return spikes


class TestSnnTorchAdapter(AdapterContract):
    adapter = SnnTorchAdapter()
    examples = (
        AdapterExample(
            name="state on the layers",
            model=hidden,
            inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
            layers={"1": ExpectedLayer("BN"), "3": ExpectedLayer("BN")},
            run=call_each_step,
            reset=reset,
            detach=detach,
            limits={Limit.FLOAT64, Limit.FLOAT16, Limit.BFLOAT16},  # it emits float32 always
        ),
        AdapterExample(
            name="state by hand",
            model=ByHand,
            inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
            layers={
                "leaky": ExpectedLayer("BN", spikes=first),
                "synaptic": ExpectedLayer("BN", spikes=first),
            },
            run=pass_state_each_step,
        ),
        AdapterExample(
            name="whole sequences",
            model=lambda: nn.Sequential(snn.LeakyParallel(4, 5), nn.Linear(5, 4)),
            inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
            layers={"0": ExpectedLayer("TBN")},
            limits={Limit.STATE, Limit.FLOAT64, Limit.FLOAT16, Limit.BFLOAT16},
        ),
    )

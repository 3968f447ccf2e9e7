"""Models of snnTorch, and what is true of them by hand."""

from __future__ import annotations

from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from neuroact.testing import (
    AdapterExample,
    ExpectedLayer,
    Limit,
    call_each_step,
    pass_state_each_step,
)

FLOAT32_ALONE = frozenset({Limit.FLOAT64, Limit.FLOAT16, Limit.BFLOAT16})  # what spikes come in


class ByHand(nn.Module):
    """Neurons whose states are passed."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.leaky = nn.Linear(4, 5), snn.Leaky(0.9)
        self.synaptic = snn.Synaptic(0.5, 0.6)

    def forward(self, x: Tensor, state: Any) -> Any:
        """One step, from these states or from fresh ones."""
        mem, syn, out = state or (self.leaky.reset_mem(), *self.synaptic.reset_mem())
        spikes, mem = self.leaky(self.fc(x), mem)
        spikes, syn, out = self.synaptic(spikes, syn, out)
        return spikes, (mem, syn, out)


def _hidden() -> nn.Module:
    leaky, synaptic = snn.Leaky(0.9, init_hidden=True), snn.Synaptic(0.5, 0.6, init_hidden=True)
    return nn.Sequential(nn.Linear(4, 5), leaky, nn.Linear(5, 6), synaptic)


def _reset(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, snn.SpikingNeuron):
            layer.reset_mem()


def _detach(model: nn.Module) -> None:
    for layer in model.modules():
        for name in ("mem", "syn"):
            if isinstance(layer, snn.SpikingNeuron) and hasattr(layer, name):
                setattr(layer, name, getattr(layer, name).detach())


def _first(output: Any) -> Tensor:
    spikes: Tensor = output[0]
    return spikes


EXAMPLES = (
    AdapterExample(
        name="state on the layers",
        model=_hidden,
        inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
        layers={"1": ExpectedLayer("BN"), "3": ExpectedLayer("BN")},
        run=call_each_step,
        reset=_reset,
        detach=_detach,
        limits=FLOAT32_ALONE,
    ),
    AdapterExample(
        name="state by hand",
        model=ByHand,
        inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
        layers={
            "leaky": ExpectedLayer("BN", spikes=_first),
            "synaptic": ExpectedLayer("BN", spikes=_first),
        },
        run=pass_state_each_step,
    ),
    AdapterExample(
        name="whole sequences",
        model=lambda: nn.Sequential(snn.LeakyParallel(4, 5), nn.Linear(5, 4)),
        inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
        layers={"0": ExpectedLayer("TBN")},
        limits=FLOAT32_ALONE | {Limit.STATE},
    ),
)

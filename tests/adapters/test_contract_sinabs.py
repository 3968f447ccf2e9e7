"""sinabs' adapter passes the public suite."""

from __future__ import annotations

import sinabs.layers as sl
import torch
from torch import nn

from neuroact import SignalKind
from neuroact.testing import AdapterContract, AdapterExample, ExpectedLayer, Limit
from neuroact_adapters.sinabs import SinabsAdapter


def reset(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, sl.StatefulLayer):
            layer.reset_states()


class TestSinabsAdapter(AdapterContract):
    adapter = SinabsAdapter()
    examples = (
        AdapterExample(
            name="LIF",
            model=lambda: nn.Sequential(
                nn.Linear(4, 5), sl.LIF(5.0, norm_input=False), nn.Linear(5, 6), sl.ExpLeak(5.0)
            ),
            inputs=lambda steps, batch: torch.randn(batch, steps, 4) * 3,
            layers={
                "1": ExpectedLayer("BTN", SignalKind.GRADED),
                "3": ExpectedLayer("BTN", SignalKind.ANALOG),
            },
            reset=reset,
            limits={Limit.FLOAT64, Limit.FLOAT16, Limit.BFLOAT16},
        ),
    )

"""PyTorch's own recurrent layers, and what is true of them by hand."""

from __future__ import annotations

import torch
from torch import nn

from neuroact.stream import SignalKind
from neuroact.testing import AdapterExample, ExpectedLayer, Limit, pass_state

EXAMPLES = (
    AdapterExample(
        name="GRU",
        model=lambda: nn.Sequential(nn.Linear(4, 6), nn.GRU(6, 5, batch_first=True)),
        inputs=lambda steps, batch: torch.randn(batch, steps, 4),
        layers={"1": ExpectedLayer("BTN", SignalKind.ANALOG, spikes=lambda output: output[0])},
        limits={Limit.CARRY_ON},
    ),
    AdapterExample(
        name="GRU, its state passed",
        model=lambda: nn.GRU(4, 5),
        inputs=lambda steps, batch: torch.randn(steps, batch, 4),
        layers={"model": ExpectedLayer("TBN", SignalKind.ANALOG, spikes=lambda output: output[0])},
        run=pass_state,
    ),
)

"""Models of Matterhorn, and what is true of them by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neuroact.stream import SignalKind
from neuroact.testing import AdapterExample, ExpectedLayer, Limit, pass_state


def _time_first() -> nn.Module:
    from matterhorn_pytorch import snn

    linear = [snn.Linear(4, 5), snn.Linear(5, 6), snn.Linear(6, 5)]
    somata = [snn.LIF(), snn.KLIF(), snn.LIAF()]
    parts = (part for pair in zip(linear, somata, strict=True) for part in pair)
    network: nn.Module = snn.Sequential(*parts)
    return network


def _batch_first() -> nn.Module:
    from matterhorn_pytorch import snn

    levels = {"spiking_function": snn.Floor(), "hard_reset": False}
    soma = snn.IF(**levels, batch_first=True, return_states=False)
    network: nn.Module = snn.Sequential(
        snn.Linear(4, 5, batch_first=True), soma, return_states=False
    )
    return network


def _first(output: Any) -> Tensor:
    spikes: Tensor = output[0]
    return spikes


EXAMPLES = (
    AdapterExample(
        name="time first",
        model=_time_first,
        inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 6,
        layers={
            "1": ExpectedLayer("TBN", spikes=_first),
            "3": ExpectedLayer("TBN", spikes=_first),
            "5": ExpectedLayer("TBN", SignalKind.ANALOG, spikes=_first),
        },
        run=pass_state,
    ),
    AdapterExample(
        name="batch first, several levels, no state",
        model=_batch_first,
        inputs=lambda steps, batch: torch.randn(batch, steps, 4) * 3,
        layers={"1": ExpectedLayer("BTN", SignalKind.GRADED)},
        limits={Limit.STATE},
    ),
)

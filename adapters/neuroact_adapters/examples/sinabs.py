"""Models of sinabs, and what is true of them by hand."""

from __future__ import annotations

import sinabs.layers as sl
import torch
from torch import Tensor, nn

from neuroact.stream import SignalKind
from neuroact.testing import AdapterExample, ExpectedLayer, Limit

STEPS = 7


def _parted(values: Tensor) -> Tensor:
    return values.reshape(-1, STEPS, *values.shape[1:])


FLAT = ExpectedLayer("BTN", SignalKind.GRADED, spikes=_parted, given=_parted)
FLOAT32_ALONE = frozenset({Limit.FLOAT64, Limit.FLOAT16, Limit.BFLOAT16})


def _reset(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, sl.StatefulLayer):
            layer.reset_states()


def _detach(model: nn.Module) -> None:
    for layer in model.modules():
        if isinstance(layer, sl.StatefulLayer):
            layer.zero_grad()  # detaches the states too


EXAMPLES = (
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
        reset=_reset,
        detach=_detach,
        limits=FLOAT32_ALONE,
    ),
    AdapterExample(
        name="batch and time in one",
        model=lambda: nn.Sequential(
            nn.Flatten(0, 1),
            nn.Linear(4, 5),
            sl.IAFSqueeze(num_timesteps=STEPS),
            nn.Linear(5, 6),
            sl.LIFSqueeze(tau_mem=5.0, norm_input=False, num_timesteps=STEPS),
        ),
        inputs=lambda steps, batch: torch.randn(batch, steps, 4) * 3,
        layers={"2": FLAT, "4": FLAT},
        reset=_reset,
        detach=_detach,
        limits=FLOAT32_ALONE | {Limit.OTHER_LENGTHS},
    ),
)

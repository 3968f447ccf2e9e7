"""Models of Rockpool, and what is true of them by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from neuroact.stream import SignalKind
from neuroact.testing import AdapterExample, ExpectedLayer, Limit


def _network() -> nn.Module:
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules.torch import LIFTorch, LinearTorch, RateTorch

    once = torch.tensor(1.0)
    network: nn.Module = Sequential(
        LinearTorch((4, 5)),
        LIFTorch(5),
        LinearTorch((5, 6)),
        LIFTorch(6, max_spikes_per_dt=once),
        RateTorch(6),
    )
    return network


def _run(model: nn.Module, x: Tensor, state: Any) -> tuple[Any, Any]:
    output, _, _ = model(x)
    return output, True


def _reset(model: Any) -> None:
    model.reset_state()


LIMITS = {Limit.NO_SAMPLE, Limit.FLOAT64, Limit.FLOAT16, Limit.BFLOAT16}
BATCHES = AdapterExample(
    name="batches",
    model=_network,
    inputs=lambda steps, batch: torch.rand(batch, steps, 4) * 3,
    layers={
        "1_LIFTorch": ExpectedLayer("BTN", SignalKind.GRADED),
        "3_LIFTorch": ExpectedLayer("BTN"),
        "4_RateTorch": ExpectedLayer("BTN", SignalKind.ANALOG),
    },
    run=_run,
    reset=_reset,
    # All samples of a batch start from the state of the first one of the batch before.
    limits={*LIMITS, Limit.CARRY_ON},
)
EXAMPLES = (BATCHES, replace(BATCHES, name="one sample", limits={*LIMITS, Limit.BATCH}))

"""Models of Norse, and what is true of them by hand."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import norse.torch as snn
import torch
from torch import Tensor, nn

from neuroact.stream import SignalKind
from neuroact.testing import (
    AdapterExample,
    ExpectedLayer,
    Limit,
    pass_state,
    pass_state_each_step,
)

# The compiled steps of 1.0 emit only float32. After a call with gradients they fail in inference
# mode.
OF_1_0 = {Limit.FLOAT64, Limit.INFERENCE} if version("norse").startswith("1.0.") else set()


def _first(output: Any) -> Tensor:
    spikes: Tensor = output[0]
    return spikes


EXAMPLES = (
    AdapterExample(
        name="cells",
        model=lambda: snn.SequentialState(
            nn.Linear(4, 5), snn.LIFCell(), nn.Linear(5, 6), snn.LICell()
        ),
        inputs=lambda steps, batch: torch.rand(steps, batch, 4) * 200,
        layers={
            "1": ExpectedLayer("BN", spikes=_first),
            "3": ExpectedLayer("BN", SignalKind.ANALOG, spikes=_first),
        },
        run=pass_state_each_step,
        limits={Limit.FLOAT16, Limit.BFLOAT16} | OF_1_0,
    ),
    AdapterExample(
        name="sequences",
        model=lambda: snn.SequentialState(nn.Linear(4, 5), snn.LSNN(), nn.Linear(5, 6), snn.LI()),
        inputs=lambda steps, batch: torch.rand(steps, batch, 4) * 200,
        layers={
            "1": ExpectedLayer("TBN", spikes=_first),
            "3": ExpectedLayer("TBN", SignalKind.ANALOG, spikes=_first),
        },
        run=pass_state,
    ),
)

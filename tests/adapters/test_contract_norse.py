"""Norse's adapter passes the public suite."""

from __future__ import annotations

import norse.torch as snn
import torch
from torch import nn

from neuroact import SignalKind
from neuroact.testing import (
    AdapterContract,
    AdapterExample,
    ExpectedLayer,
    Limit,
    pass_state,
    pass_state_each_step,
)
from neuroact_adapters.norse import NorseAdapter


class TestNorseAdapter(AdapterContract):
    adapter = NorseAdapter()
    examples = (
        AdapterExample(
            name="cells",
            model=lambda: snn.SequentialState(
                nn.Linear(4, 5), snn.LIFCell(), nn.Linear(5, 6), snn.LICell()
            ),
            inputs=lambda steps, batch: torch.rand(steps, batch, 4) * 200,
            layers={
                "1": ExpectedLayer("BN", spikes=lambda output: output[0]),
                "3": ExpectedLayer("BN", SignalKind.ANALOG, lambda output: output[0]),
            },
            run=pass_state_each_step,
            limits={Limit.FLOAT16, Limit.BFLOAT16},
        ),
        AdapterExample(
            name="sequences",
            model=lambda: snn.SequentialState(
                nn.Linear(4, 5), snn.LSNN(), nn.Linear(5, 6), snn.LI()
            ),
            inputs=lambda steps, batch: torch.rand(steps, batch, 4) * 200,
            layers={
                "1": ExpectedLayer("TBN", spikes=lambda output: output[0]),
                "3": ExpectedLayer("TBN", SignalKind.ANALOG, lambda output: output[0]),
            },
            run=pass_state,
        ),
    )

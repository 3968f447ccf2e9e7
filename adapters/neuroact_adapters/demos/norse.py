"""The digits network in Norse: step by step, the state passed from call to call."""

from __future__ import annotations

from typing import Any

import norse.torch as norse
import torch
from torch import Tensor, nn

from neuroact_adapters.demos import DemoResult, Progress, digits

# Norse adds only the share 1 - DECAY of the input to the membrane potential; the other frameworks
# add all of it. Norse also has a synaptic current, which is made to last one step only.
_LEAK = 1 - digits.DECAY
_RULE = norse.LIFParameters(
    tau_mem_inv=torch.tensor(_LEAK),
    tau_syn_inv=torch.tensor(1.0),
    v_th=torch.tensor(digits.THRESHOLD),
    method="tanh",
    alpha=digits.SLOPE,
)


class DigitsNet(nn.Module):
    """The network that `neuroact_adapters.demos.digits` describes."""

    def __init__(self) -> None:
        super().__init__()
        hidden1, hidden2, classes = digits.LAYERS
        self.fc1, self.lif1 = nn.Linear(digits.PIXELS, hidden1), norse.LIFCell(_RULE, dt=1.0)
        self.fc2, self.lif2 = nn.Linear(hidden1, hidden2), norse.LIFCell(_RULE, dt=1.0)
        self.fc3, self.lif3 = nn.Linear(hidden2, classes), norse.LIFCell(_RULE, dt=1.0)

    def forward(self, currents: Tensor) -> Tensor:
        """Spikes of the last layer, `[time, batch, 10]`, for currents `[time, batch, 64]`."""
        state1: Any = None
        state2: Any = None
        state3: Any = None
        spikes = []
        for current in currents:
            spk, state1 = self.lif1(self.fc1(current) / _LEAK, state1)
            spk, state2 = self.lif2(self.fc2(spk) / _LEAK, state2)
            spk, state3 = self.lif3(self.fc3(spk) / _LEAK, state3)
            spikes.append(spk)
        return torch.stack(spikes)


def run(*, seed: int, epochs: int | None, progress: Progress) -> DemoResult:
    """Train the network and record it over the test split; see `digits.run`."""
    return digits.run(DigitsNet, seed=seed, epochs=epochs, progress=progress)

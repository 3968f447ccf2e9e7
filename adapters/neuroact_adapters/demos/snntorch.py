"""The digits network in snnTorch: step by step, the state passed from call to call."""

from __future__ import annotations

from typing import Any

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from neuroact_adapters.demos import DemoResult, Progress, digits


class DigitsNet(nn.Module):
    """The network that `neuroact_adapters.demos.digits` describes."""

    def __init__(self) -> None:
        super().__init__()
        hidden1, hidden2, classes = digits.LAYERS
        self.fc1, self.lif1 = nn.Linear(digits.PIXELS, hidden1), _neurons()
        self.fc2, self.lif2 = nn.Linear(hidden1, hidden2), _neurons()
        self.fc3, self.lif3 = nn.Linear(hidden2, classes), _neurons()

    def forward(self, currents: Tensor) -> Tensor:
        """Spikes of the last layer, `[time, batch, 10]`, for currents `[time, batch, 64]`."""
        mem1, mem2, mem3 = (lif.reset_mem() for lif in (self.lif1, self.lif2, self.lif3))
        spikes = []
        for current in currents:
            spk, mem1 = self.lif1(self.fc1(current), mem1)
            spk, mem2 = self.lif2(self.fc2(spk), mem2)
            spk, mem3 = self.lif3(self.fc3(spk), mem3)
            spikes.append(spk)
        return torch.stack(spikes)


def run(*, seed: int, epochs: int | None, progress: Progress) -> DemoResult:
    """Train the network and record it over the test split; see `digits.run`."""
    return digits.run(DigitsNet, seed=seed, epochs=epochs, progress=progress)


def _neurons() -> Any:
    return snntorch.Leaky(
        beta=digits.DECAY,
        threshold=digits.THRESHOLD,
        spike_grad=surrogate.custom_surrogate(_gradient),
        reset_mechanism="zero",
        reset_delay=False,
    )


def _gradient(above: Tensor, gradient: Tensor, spikes: Tensor) -> Tensor:
    # snnTorch's sigmoid is the same function, but gives NaN far below the threshold.
    return gradient * (1 - torch.tanh(digits.SLOPE * above) ** 2)

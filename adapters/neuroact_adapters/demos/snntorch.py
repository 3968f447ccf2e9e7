"""The digits network in snnTorch."""

from __future__ import annotations

import snntorch
import torch
from torch import Tensor, nn

from neuroact_adapters.demos import DemoResult, Progress, digits


class DigitsNet(nn.Module):
    """64 pixels, two hidden layers of leaky integrate-and-fire neurons, one neuron per digit."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(digits.PIXELS, 128)
        self.lif1 = snntorch.Leaky(beta=0.9)
        self.fc2 = nn.Linear(128, 64)
        self.lif2 = snntorch.Leaky(beta=0.9)
        self.fc3 = nn.Linear(64, digits.CLASSES)
        self.lif3 = snntorch.Leaky(beta=0.9)

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

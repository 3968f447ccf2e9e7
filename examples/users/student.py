"""A student with snnTorch asks: why does my network not learn, and what do its neurons do?

The network is the usual first one, with weights as PyTorch draws them and a threshold of 1. It is
looked at before training and after it, the two are compared, and a picture and a page are kept.

Run: python examples/users/student.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import snntorch
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import neuroact

STEPS = 15


class Net(nn.Module):
    """Digits in, spikes of ten neurons out."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 100), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(100, 10), snntorch.Leaky(beta=0.9)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The number of spikes of each class, `[batch, 10]`, for images `[batch, 64]`."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        counts = torch.zeros(len(images), 10)
        for _ in range(STEPS):
            hidden, mem1 = self.lif1(self.fc1(images), mem1)
            spikes, mem2 = self.lif2(self.fc2(hidden), mem2)
            counts = counts + spikes
        return counts


def main(folder: Path, epochs: int = 3) -> None:
    """Look, train, look again, compare, and keep what was found."""
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(images / 16).float(), torch.tensor(labels))
    loader = DataLoader(data, batch_size=64, shuffle=True)
    net = Net()

    before = neuroact.measure(net, loader, progress=False)
    print(before)  # the table
    print(before.diagnose())  # what is wrong, in sentences

    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()

    after = neuroact.measure(net, loader, progress=False)
    print(neuroact.compare(before, after))
    print(after["lif1"])  # a card: what one layer does, and what else can be asked
    print(after[0].name, "has", after[0].dead, "dead neurons:", after[0].dead_neurons.ravel())

    after.plot(folder / "activity.png")
    after.to_html(folder / "activity.html")
    after.to_json(folder / "activity.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())

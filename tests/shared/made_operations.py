"""Synaptic operations that are made by hand, and those of a small model that are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import torch
from torch import Tensor, nn

import neuroact
from neuroact import ActivityReport
from neuroact.results.operations import LayerOperations


def connection(name: str = "fc", *, dense: int = 0, macs: int = 0, acs: int = 0) -> LayerOperations:
    """A layer with these operations. All other figures are 0, and all other texts are empty."""
    empty: Mapping[str, Any] = {"str": "", "int": 0, "Number": 0}
    needed = [f for f in fields(LayerOperations) if f.default is MISSING]
    given = {f.name: empty.get(str(f.type), ()) for f in needed} | {"weighted": None}
    figures = {"dense": dense, "unpruned": macs + acs, "macs": macs, "acs": acs}
    return LayerOperations(**given | {"name": name} | figures)


class Own(nn.Module):
    """A module that uses a weight of its own, in a way that nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


class Net(nn.Module):
    """Two counted layers, one of which the other's output goes into, and one that is not counted.

    Args:
        kept: share of the weights of `fc2` that are not zero.
    """

    def __init__(self, kept: float = 1.0) -> None:
        super().__init__()
        self.fc1, self.act1 = nn.Linear(4, 6), nn.ReLU()
        self.fc2, self.act2 = nn.Linear(6, 3), nn.ReLU()
        self.own = Own()
        with torch.no_grad():
            self.fc1.weight.copy_(torch.eye(6, 4))
            self.fc1.bias.zero_()
            self.fc2.bias.zero_()
            self.fc2.weight.fill_(0.5)
            self.fc2.weight.view(-1)[int(kept * 18) :] = 0

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.own(self.act2(self.fc2(self.act1(self.fc1(x)))))
        return result


INPUT = torch.tensor([[1.0, 0.0, 1.0, 0.5], [0.0, 0.0, 0.0, 2.0]])
"""Two samples: the first has two ones and another event, the second another event alone."""
# fc1's weights are the identity, so each event meets one weight. fc2 gets the same events.
FIGURES = {
    "fc1": {"dense": 2 * 4 * 6, "acs": 2, "macs": 2},
    "fc2": {"dense": 2 * 6 * 3, "acs": 2 * 3, "macs": 2 * 3},
}
"""The operations of `Net` with all weights, for `INPUT`, by hand."""


def counted(kept: float = 1.0, times: int = 1, **options: Any) -> ActivityReport:
    """A report of the net, with operations, over the input so many times."""
    batches = [INPUT] * times
    given = {"layers": nn.ReLU, "operations": True, "progress": False}
    return neuroact.measure(Net(kept), batches, **given | options)

"""Counts synaptic operations by looking at each pair of a value and a weight."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import neuroact
from neuroact import Recording


class Tally:
    """Operations seen so far."""

    def __init__(self) -> None:
        self.acs = self.macs = self.dense = 0

    def meet(self, values: Tensor, weight: Tensor) -> None:
        """A vector meets a matrix, `[outputs, elements]`."""
        self.dense += weight.numel()
        for row in weight.tolist():
            for value, each in zip(values.tolist(), row, strict=True):
                if value and each:
                    self.acs += abs(value) == 1
                    self.macs += abs(value) != 1

    def add(self, other: Tally) -> None:
        """Add what another one saw."""
        self.acs, self.macs = self.acs + other.acs, self.macs + other.macs
        self.dense += other.dense

    @property
    def figures(self) -> tuple[int, int, int]:
        """ACs, MACs and dense operations."""
        return self.acs, self.macs, self.dense


def operations_of_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """The operations of one call of the module, which is named "it"; also as a file has them."""
    net = nn.ModuleDict({"it": module, "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        net["it"](*args, **kwargs)
        net["act"](torch.ones(1, 1))
    report = recording.report()
    assert Recording.from_bytes(recording.to_bytes()).report() == report
    assert neuroact.ActivityReport.from_json(report.to_json()) == report
    return report.operations


def figures_of(operations: Any, name: str = "it") -> tuple[int, int, int]:
    """ACs, MACs and dense operations of one layer."""
    return operations[name].acs, operations[name].macs, operations[name].dense


def zeroed(module: nn.Module, seed: int) -> None:
    """Set about half of the weights to zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(torch.rand_like(parameter) < 0.5)


def spikes(*shape: int) -> Tensor:
    """Zeros and ones, and some twos."""
    return (torch.rand(shape) * 2.2).floor()

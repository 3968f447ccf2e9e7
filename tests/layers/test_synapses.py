"""Synapses: what neuroact knows of modules, and what an adapter says of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy import ToyAdapter

import neuroact
from neuroact.layers.adapter import AdapterRegistry
from neuroact.layers.connections import connections_of
from neuroact.layers.synapses import Matrices, OneToOne, Synapses, SynapsesByPart
from neuroact.layers.synapses.known import known_synapses

KNOWN: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "linear": (lambda: nn.Linear(3, 2), (3,), 2),
    "linear without bias": (lambda: nn.Linear(3, 2, bias=False), (3,), 0),
    "conv": (lambda: nn.Conv2d(2, 4, 3, groups=2), (2, 5, 6), 4 * 3 * 4),
    "transposed conv": (lambda: nn.ConvTranspose1d(2, 4, 3), (2, 5), 4 * 7),
    "cell": (lambda: nn.LSTMCell(3, 2), (5,), 2 * 8),
    "cell without bias": (lambda: nn.GRUCell(3, 2, bias=False), (5,), 0),
    "both directions": (lambda: nn.GRU(3, 2, bidirectional=True), (7,), 2 * 2 * 6),
    "bag": (lambda: nn.EmbeddingBag(4, 3, mode="sum"), (4,), 0),
    "bilinear": (lambda: nn.Bilinear(2, 3, 4), (2, 3), 4),
    "bilinear without bias": (lambda: nn.Bilinear(2, 3, 4, bias=False), (2, 3), 0),
}


@pytest.mark.parametrize("case", KNOWN)
def test_biases_are_added_once_an_output_and_parameters_are_all_there_are(case: str) -> None:
    build, shape, additions = KNOWN[case]
    module = build()
    synapses: Any = (known_synapses(module) or {})[""]
    assert synapses.bias_additions(shape) == additions
    assert synapses.parameters() == sum(p.numel() for p in module.parameters())
    assert {name for name, _ in module.named_parameters()} <= set(synapses.weights)
    assert synapses.fan_out(shape, synapses.nonzero()).dense.shape == shape


@pytest.mark.parametrize("sizes", [{}, {"kdim": 3, "vdim": 5}])
def test_projections_of_attention_share_out_its_biases_and_parameters(sizes: Any) -> None:
    module = nn.MultiheadAttention(4, 2, **sizes)
    parts: list[Any] = [
        p for p in (known_synapses(module) or {}).values() if isinstance(p, Matrices)
    ]
    whole = sum(p.numel() for name, p in module.named_parameters() if "out_proj" not in name)
    assert sum(part.parameters() for part in parts) == whole
    assert sum(part.bias_additions(()) for part in parts) == 12


class Own(nn.Module):
    """Multiplies by matrices of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.gate = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(3))
        self.other, self.act = nn.Parameter(torch.ones(2, 2)), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.act((x * self.gate) @ self.into.T) @ self.other
        return result


class OwnAdapter(ToyAdapter):
    """Knows `Own`; says of it what it is given."""

    def __init__(self, says: Callable[[nn.Module], SynapsesByPart | None]) -> None:
        self.says = says

    def synapses(self, module: nn.Module) -> SynapsesByPart | None:
        return self.says(module) if isinstance(module, Own) else None


def known(module: nn.Module) -> SynapsesByPart:
    return {"": Matrices(module, [{"into": (2, 3)}]), "gate": OneToOne(module, "gate")}


def operations_with(says: Callable[[nn.Module], SynapsesByPart | None]) -> Any:
    net = nn.Sequential(Own(), nn.Linear(2, 2))
    adapters = [OwnAdapter(says)]
    with neuroact.record(net, layers="0.act", adapters=adapters, operations=True) as recording:
        net(torch.tensor([[1.0, 0.0, 2.0]]))
    return recording.report().operations


def test_an_adapter_is_asked_before_what_neuroact_knows() -> None:
    operations = operations_with(known)
    assert list(operations) == ["0", "0.gate", "1"]
    found = operations["0"]
    assert (found.acs, found.macs, found.dense) == (2, 2, 6)
    assert operations["0.gate"].shape == (3,)
    said = "operations with it, a weight beside that of 0, are not counted"
    assert dict(operations.not_counted) == {"0.other": said}


def test_an_adapter_says_why_it_cannot_count() -> None:
    operations = operations_with(lambda module: {"": "a riddle"})
    assert dict(operations.not_counted) == {"0": "a riddle"}
    operations = operations_with(lambda module: {**known(module), "other": "another riddle"})
    assert dict(operations.not_counted) == {"0.other": "another riddle"}


def test_an_adapter_that_knows_nothing_leaves_the_module_to_neuroact() -> None:
    operations = operations_with(lambda module: None)
    assert list(operations) == ["1"]
    assert operations.not_counted["0"].startswith("operations of Own with its into, gate, other")


class Broken(Matrices):
    """Raises where it is told to."""

    def __init__(self, module: nn.Module, where: str) -> None:
        super().__init__(module, [{"into": (2, 3)}])
        self.where = where

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        self.fail("given")
        return super().given(args, kwargs)

    def arrivals(self, given: Any, output: Any) -> Tensor:
        self.fail("arrivals")
        return super().arrivals(given, output)

    def fan_out(self, shape: tuple[int, ...], nonzero: Any) -> Any:
        self.fail("fan_out")
        return super().fan_out(shape, nonzero)

    def nonzero(self) -> Any:
        self.fail("nonzero")
        return super().nonzero()

    def fail(self, where: str) -> None:
        if where == self.where:
            raise ValueError(f"no {where} here")


@pytest.mark.parametrize("where", ["given", "arrivals", "fan_out", "nonzero"])
def test_synapses_that_raise_are_named_with_what_they_raised(where: str) -> None:
    operations = operations_with(lambda module: {"": Broken(module, where)})
    assert f"no {where} here" in operations.not_counted["0"]
    assert list(operations) == ["1"]


def test_a_weight_that_a_child_has_too_is_named_by_the_child() -> None:
    class Parent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)
            self.weight = self.fc.weight

    found = connections_of(Parent(), AdapterRegistry())
    assert [each.info.name for each in found.counted] == ["fc"]
    assert not found.not_counted


def test_the_classes_are_synapses() -> None:
    matrices: Synapses = Matrices(nn.Linear(2, 1), [{"weight": (1, 2)}], ["bias"])
    assert matrices.parameters() == 3

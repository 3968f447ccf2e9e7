"""Adapters are found by entry point, loaded when needed, and cannot break one another."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest
import torch
import toy
from torch import nn

import neuroact
import neuroact.layers.adapter
from neuroact.errors import BrokenAdapterWarning, NoSpikingLayersError
from neuroact.layers.adapter import AdapterRegistry, installed_adapters, packages_of


def install(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    points = [EntryPoint(name, value, "neuroact.adapters") for name, value in values.items()]
    monkeypatch.setattr(neuroact.layers.adapter, "entry_points", lambda group: points)


def test_an_installed_adapter_reads_the_layers_of_its_framework(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, toy="toy:ToyAdapter")
    net = toy.Net()
    with neuroact.record(net) as recording:
        net(torch.randn(3, 2, 5))
    assert recording.report()["lif1"].framework == "toy"


def test_a_users_subclass_belongs_to_its_bases_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(toy.Neuron):
        pass

    Mine.__module__ = "somewhere.else"
    assert packages_of(Mine)[:2] == ("somewhere", "toy")
    install(monkeypatch, toy="toy:ToyAdapter")
    owner = AdapterRegistry().owner(Mine())
    assert owner is not None
    assert owner[1] is neuroact.SignalKind.BINARY


def test_only_the_adapters_a_model_needs_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, toy="toy:ToyAdapter", absent="no_such_package:Adapter")
    net = toy.Net()
    with neuroact.record(net) as recording:
        assert list(recording.layers) == ["lif1", "lif2"]


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("no_such_package:Adapter", "No module named 'no_such_package'"),
        ("toy:NoSuchAdapter", "NoSuchAdapter"),
        ("broken_adapters:Lacking", "lacks framework, kind or read"),
        ("broken_adapters:Failing", "OSError: no such device"),
    ],
)
def test_a_broken_adapter_warns_with_its_cause_and_hurts_nobody_else(
    monkeypatch: pytest.MonkeyPatch, value: str, cause: str
) -> None:
    class Other(nn.Module):
        pass

    Other.__module__ = "broken.layers"
    install(monkeypatch, toy="toy:ToyAdapter", broken=value)
    net: Any = nn.Sequential(Other(), Other(), toy.Neuron(hidden=True))
    with pytest.warns(BrokenAdapterWarning, match=cause) as warned, neuroact.record(net) as rec:
        assert list(rec.layers) == ["2"]
    assert len(warned) == 1, "one warning for each adapter, not for each layer"
    with (
        pytest.warns(BrokenAdapterWarning),
        pytest.raises(NoSpikingLayersError, match="Broken, see the warning above: broken"),
    ):
        neuroact.record(net[:2])


def test_given_adapters_are_asked_first_about_every_module(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(toy.ToyAdapter):
        framework = "mine"

    install(monkeypatch, toy="toy:ToyAdapter")
    net = toy.Net()
    with neuroact.record(net, adapters=[Mine()]) as recording:
        assert {info.framework for info in recording.layers.values()} == {"mine"}


def test_our_own_adapters_come_in_by_the_same_door() -> None:
    points = installed_adapters()
    assert "snntorch" in points
    assert all(p.value.startswith("neuroact_adapters.") for p in points.values())

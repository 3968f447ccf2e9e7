"""A package may give layers other names, found by entry point, and cannot break a recording."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest
import toy
from torch import nn

import neuroact
from neuroact.errors import BrokenAdapterWarning
from neuroact.layers import other_names
from neuroact.layers.names import NamedModule


def install(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    points = [EntryPoint(name, value, "neuroact.layer_names") for name, value in values.items()]
    monkeypatch.setattr(other_names, "_installed", lambda: points)


def aliases() -> dict[str, Any]:
    recording = neuroact.record(toy.Net(), adapters=[toy.ToyAdapter()])
    recording.close()
    return {name: info.aliases for name, info in recording.layers.items()}


def numbered(modules: Sequence[NamedModule], layers: Sequence[str]) -> dict[str, str]:
    assert isinstance(modules[0].module, nn.Module)
    return {name: f"node{number}" for number, name in enumerate(layers)}


def all_one(modules: Sequence[NamedModule], layers: Sequence[str]) -> dict[str, str]:
    return dict.fromkeys(layers, "node")


def the_next(modules: Sequence[NamedModule], layers: Sequence[str]) -> dict[str, str]:
    return {layers[0]: layers[1]}


def nothing(modules: Sequence[NamedModule], layers: Sequence[str]) -> None:
    """What gives no mapping."""


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (numbered, {"lif1": ("node0",), "lif2": ("node1",)}),
        (all_one, {"lif1": (), "lif2": ()}),
        (the_next, {"lif1": (), "lif2": ()}),
    ],
)
def test_a_layer_has_the_other_name_too_unless_another_layer_has_it(
    monkeypatch: pytest.MonkeyPatch, function: Any, expected: dict[str, Any]
) -> None:
    monkeypatch.setattr(toy, "node_names", function, raising=False)
    install(monkeypatch, toy="toy:node_names")
    assert aliases() == expected


def test_only_those_of_packages_in_use_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, no_such_package="no_such_module:node_names")
    assert aliases() == {"lif1": (), "lif2": ()}


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ("no_such_module:node_names", "No module named 'no_such_module'"),
        ("toy:no_such_function", "no_such_function"),
        ("broken_adapters:Failing", "TypeError"),
        ("toy:nothing", "TypeError"),
    ],
)
def test_a_broken_one_warns_with_its_cause_and_the_layers_are_recorded(
    monkeypatch: pytest.MonkeyPatch, value: str, cause: str
) -> None:
    monkeypatch.setattr(toy, "nothing", nothing, raising=False)
    install(monkeypatch, toy=value)
    with pytest.warns(BrokenAdapterWarning, match=f'"toy" gives .*{cause}') as warned:
        assert aliases() == {"lif1": (), "lif2": ()}
    assert len(warned) == 1


def test_our_own_come_in_by_the_same_door() -> None:
    found = {point.name: point.value for point in entry_points(group="neuroact.layer_names")}
    assert found["nirtorch"] == "neuroact_adapters.nirtorch:node_names"

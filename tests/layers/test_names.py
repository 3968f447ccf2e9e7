"""Modules keep the names that the model's author gave, whatever wraps the model."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from toy import Net, ToyAdapter

import neuroact
from neuroact.layers.names import named_modules


def names(model: nn.Module) -> list[str]:
    return [m.name for m in named_modules(model)]


def test_wrappers_leave_no_trace_in_names() -> None:
    bare = names(Net())
    for wrapped in (
        nn.DataParallel(Net()),
        torch.compile(Net()),
        torch.compile(nn.DataParallel(Net())),
    ):
        assert isinstance(wrapped, nn.Module)
        assert names(wrapped) == bare
    inner = nn.Sequential()
    inner.add_module("net", torch.compile(Net()))  # type: ignore[arg-type]
    assert names(inner)[1:] == ["net", *[f"net.{name}" for name in bare[1:]]]


def test_a_module_the_user_calls_module_keeps_its_name() -> None:
    assert names(nn.ModuleDict({"module": nn.ModuleDict({"lif": nn.ReLU()})})) == [
        "model",
        "module",
        "module.lif",
    ]


def test_every_path_to_a_shared_block_is_an_alias() -> None:
    block = nn.Sequential(nn.ReLU())
    found = {m.name: m.aliases for m in named_modules(nn.ModuleDict({"a": block, "b": block}))}
    assert found == {"model": (), "a": ("b",), "a.0": ("b.0",)}


def test_a_module_that_contains_itself_ends() -> None:
    loop = nn.Sequential(nn.ReLU())
    loop.add_module("again", loop)
    assert names(loop) == ["model", "0"]


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda net: net])
def test_a_wrapped_model_reports_bare_names(wrap: type[nn.Module]) -> None:
    net = wrap(Net())
    with neuroact.record(net, adapters=[ToyAdapter()]) as recording:
        net(torch.randn(3, 2, 5))
    assert list(recording.report()) == ["lif1", "lif2"]

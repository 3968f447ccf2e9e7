"""How the kit sees calls, whatever a model reads of a `forward` and does with its arguments."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import torch
from torch import Tensor, nn

from neuroact.testing import RawRecorder
from neuroact.testing.watching import see_calls


class Layer(nn.Module):
    """Writes to its input, as some of BindsNET's do."""

    def forward(self, x: Tensor, state: Any = None) -> Tensor:
        return x.zero_() + 1


class Container(nn.Sequential):
    """Passes a state only to layers whose `forward` takes one, as Matterhorn's does."""

    def forward(self, x: Tensor) -> list[str]:
        return [
            "with a state" if layer.forward.__code__.co_argcount > 2 else "without"
            for layer in self
        ]


def test_arguments_are_kept_as_they_were_before_the_call() -> None:
    net = nn.Sequential(Layer())
    with RawRecorder(net, ["0"]) as raw:
        net(torch.full((2, 3), 5.0))
    assert raw.calls["0"][0].args[0].unique().tolist() == [5]


def test_a_forward_whose_calls_are_seen_shows_its_code_and_signature() -> None:
    net = Container(Layer(), nn.Identity())
    plain = net(torch.ones(2, 3))
    signature = inspect.signature(net[0].forward)
    with RawRecorder(net, ["0", "1"]):
        assert net(torch.ones(2, 3)) == plain == ["with a state", "without"]
        assert inspect.signature(net[0].forward) == signature


def test_a_module_whose_calls_are_seen_can_be_copied_and_pickled() -> None:
    seen: list[Any] = []
    layer = Layer()
    end = see_calls(layer, None, lambda args, kwargs, output: seen.append(output))
    for copied in (copy.deepcopy(layer), copy.copy(layer)):
        copied(torch.ones(2, 3))
    end()
    assert len(pickle.loads(pickle.dumps(layer))(torch.ones(2, 3))) == 2
    layer(torch.ones(2, 3))
    assert [tuple(output.shape) for output in seen] == [(2, 3)] * 2  # of the copies alone

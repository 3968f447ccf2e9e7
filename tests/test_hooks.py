"""Standing in for a module's forward: what is seen, and what stays as it was."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

import neuroact
from neuroact.errors import UnsupportedModelError
from neuroact.hooks import watch


class Seen:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[Tensor] = []

    def call(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        output = forward(*args, **kwargs)
        self.calls.append(output)
        return output

    def check_capture(self) -> None:
        raise AssertionError("no CUDA graph is captured here")

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        return forward(*args, **kwargs)


X = torch.eye(3)


@pytest.mark.parametrize(
    "call",
    [
        lambda net: net(X),
        lambda net: net.forward(X),
        lambda net: net(input=X),
        lambda net: functional_call(net, dict(net.named_parameters()), (X,)),
    ],
    ids=["call", "forward", "keyword", "functional_call"],
)
def test_every_way_to_call_a_module_is_seen(call: Callable[[nn.Module], Tensor]) -> None:
    net, seen = nn.Linear(3, 2), Seen()
    watch(net, seen)
    output = call(net)
    assert [output is told for told in seen.calls] == [True]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_watchers_come_and_go_in_any_order(order: tuple[int, int]) -> None:
    net, seen = nn.Linear(3, 2), [Seen(), Seen()]
    undo = [watch(net, watcher) for watcher in seen]
    net(X)
    undo[order[0]]()
    net(X)
    undo[order[0]]()
    undo[order[1]]()
    net(X)
    assert [len(seen[at].calls) for at in order] == [1, 2]
    assert "forward" not in vars(net)


def test_a_forward_that_stood_in_before_is_seen_and_given_back() -> None:
    net, seen = nn.Linear(3, 2), Seen()
    original = net.forward

    def doubled(x: Tensor) -> Tensor:
        return original(x) * 2

    net.forward = doubled  # type: ignore[method-assign]
    undo = watch(net, seen)
    assert torch.equal(net(X), seen.calls[0])
    undo()
    assert net.forward is doubled


def test_one_that_stands_in_later_stays_when_the_watcher_goes() -> None:
    net, seen = nn.Linear(3, 2), Seen()
    undo = watch(net, seen)
    watched = net.forward
    net.forward = lambda x: watched(x) * 2  # type: ignore[method-assign]
    net(X)
    undo()
    assert torch.equal(net(X), nn.functional.linear(X, net.weight, net.bias) * 2)
    assert len(seen.calls) == 1


def _pickled(net: nn.Module) -> Any:
    return pickle.loads(pickle.dumps(net))


@pytest.mark.parametrize("copied", [copy.deepcopy, _pickled], ids=["deepcopy", "pickle"])
def test_a_copy_runs_on_its_own_parameters_and_tells_nobody(copied: Callable[..., Any]) -> None:
    net, seen = nn.Sequential(nn.Linear(3, 2)), Seen()
    undo = watch(net[0], seen)
    twin = copied(net)
    with torch.no_grad():
        twin[0].weight.zero_()
        twin[0].bias.fill_(7.0)
    assert torch.equal(twin(X), torch.full((3, 2), 7.0))
    assert not seen.calls
    assert torch.equal(copied(twin)(X), twin(X))
    undo()
    assert torch.equal(net(X), nn.functional.linear(X, net[0].weight, net[0].bias))


def test_the_signature_is_the_forwards_own() -> None:
    net = nn.Bilinear(2, 3, 4)
    before = inspect.signature(net.forward)
    watch(net, Seen())
    assert inspect.signature(net.forward) == before


def test_a_call_that_raises_is_not_told_of() -> None:
    net, seen = nn.Linear(3, 2), Seen()
    undo = watch(net, seen)
    with pytest.raises(RuntimeError):
        net(torch.ones(4))
    undo()
    assert not seen.calls
    assert "forward" not in vars(net)


def test_data_parallel_over_several_devices_is_refused_by_what_to_do() -> None:
    net = nn.DataParallel(nn.Sequential(nn.ReLU()))
    with neuroact.record(net, layers="0") as recording:
        net(X)
    assert recording.report()["0"].observations == 3
    net.device_ids = [0, 1]
    with pytest.raises(UnsupportedModelError, match=r"2 devices.*DistributedDataParallel"):
        neuroact.record(net, layers="0")

"""The stand-in for a module's forward sees each call and leaves the module as it was."""

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
from toy import Neuron, ToyAdapter

import neuroact
from neuroact.errors import UnsupportedModelError
from neuroact.recording.forward import Callbacks, watch


class Seen:
    """Notes the calls that it sees."""

    def __init__(self) -> None:
        self.calls: list[Tensor] = []

    @property
    def callbacks(self) -> Callbacks:
        return self.before, self.after

    def before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        return args, kwargs

    def after(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any
    ) -> None:
        assert given == (args, kwargs)
        self.calls.append(output)

    def check_capture(self) -> None:
        raise AssertionError("no CUDA graph is captured here")

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        return forward(*args, **kwargs)


X = torch.eye(3)


class Passing(nn.Module):
    """Returns what it is called with."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return args, kwargs


@pytest.mark.parametrize("forward", [None, len], ids=["its own", "a function of C"])
def test_arguments_of_any_number_are_passed_on_as_they_are(forward: Any) -> None:
    net, seen, called = Passing(), Seen(), []
    if forward is not None:
        net.forward = forward
    watch(net, seen)
    if forward is not None:
        assert net([1, 2]) == 2
        return
    for count in range(5):
        args = tuple(range(count))
        for kwargs in ({}, {"a": 1, "b": X}):
            called.append(net(*args, **kwargs))
            assert called[-1] == (args, kwargs)
    assert seen.calls == called


def test_the_last_watcher_comes_first_before_a_call_and_last_after_it() -> None:
    net, told = nn.Identity(), []

    class Named(Seen):
        def before(self, args: Any, kwargs: Any) -> object:
            told.append((self, "before"))
            return self

        def after(self, args: Any, kwargs: Any, output: Any, given: Any) -> None:
            assert given is self
            told.append((self, "after"))

    watchers = [Named(), Named(), Named()]
    for watcher in watchers:
        watch(net, watcher)
    net(X)
    before = [(watcher, "before") for watcher in reversed(watchers)]
    assert told == [*before, *((watcher, "after") for watcher in watchers)]


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


def test_a_forward_put_on_before_is_seen_and_given_back() -> None:
    net, seen = nn.Linear(3, 2), Seen()
    original = net.forward

    def doubled(x: Tensor) -> Tensor:
        return original(x) * 2

    net.forward = doubled  # type: ignore[method-assign]
    undo = watch(net, seen)
    assert torch.equal(net(X), seen.calls[0])
    undo()
    assert net.forward is doubled


def test_a_forward_put_on_later_stays_when_the_watcher_goes() -> None:
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


COPIES = pytest.mark.parametrize(
    "copied", [copy.deepcopy, _pickled, copy.copy], ids=["deepcopy", "pickle", "copy"]
)


class Stated(nn.Linear):
    """Defines `__getstate__` itself."""

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "said": True}


class Reduced(nn.Linear):
    """Defines `__reduce__` itself."""

    def __reduce__(self) -> Any:
        return Reduced, (3, 2), vars(self)


@COPIES
@pytest.mark.parametrize("layer", [nn.Linear, Stated])
def test_a_copy_runs_on_its_own_parameters_and_has_no_watcher(
    copied: Callable[..., Any], layer: type[nn.Linear]
) -> None:
    net, seen = layer(3, 2), Seen()
    undo = watch(net, seen)
    twin = copied(net)
    twin.weight, twin.bias = (nn.Parameter(p * 0 + 7) for p in (twin.weight, twin.bias))
    for _ in range(2):
        assert torch.equal(twin(X), torch.full((3, 2), 14.0))
        assert torch.equal(copied(twin)(X), twin(X))
        assert {*vars(twin)} - {"said"} == {*vars(net)} - {"forward", "__getstate__"}
        undo()
    assert not seen.calls
    assert torch.equal(net(X), nn.functional.linear(X, net.weight, net.bias))
    assert not {"forward", "__getstate__"} & {*vars(net)}


@pytest.mark.parametrize("copied", [copy.deepcopy, _pickled])
def test_a_copy_of_a_module_that_copies_its_dict_itself_has_no_watcher_either(
    copied: Callable[..., Any],
) -> None:
    net, seen = nn.Sequential(Reduced(3, 2)), Seen()
    undo = watch(net[0], seen)
    twin = copied(net)
    with torch.no_grad():
        twin[0].weight.zero_()
        twin[0].bias.fill_(7.0)
    assert torch.equal(twin(X), torch.full((3, 2), 7.0))
    undo()
    assert not seen.calls


def tripled(x: Tensor) -> Tensor:
    """A user's own forward."""
    return x * 3


@COPIES
@pytest.mark.parametrize("layer", [nn.Linear, Reduced])
def test_a_copy_keeps_the_forward_that_a_user_put_on_the_module(
    copied: Callable[..., Any], layer: type[nn.Module]
) -> None:
    net, seen = layer(3, 2), Seen()
    net.forward = tripled
    undo = watch(net, seen)
    twin = copied(net)
    assert torch.equal(net(X), X * 3)
    undo()
    assert net.forward is tripled
    assert torch.equal(twin(X), X * 3)
    if not (
        layer is Reduced and copied is copy.copy
    ):  # this copy shares the attributes of the module
        assert twin.forward is tripled
        assert len(seen.calls) == 1


@COPIES
def test_a_copied_method_of_the_module_is_bound_to_the_copy(copied: Callable[..., Any]) -> None:
    net = nn.Linear(3, 2)
    undo = watch(net, Seen())
    assert copied([net.forward])[0] is not None
    twin = copied(net)
    undo()
    assert "forward" not in vars(twin)


def test_the_signature_is_the_forwards_own() -> None:
    net = nn.Bilinear(2, 3, 4)
    before = inspect.signature(net.forward), inspect.getfullargspec(net.forward)
    watch(net, Seen())
    assert (inspect.signature(net.forward), inspect.getfullargspec(net.forward)) == before


@pytest.mark.parametrize(
    "name",
    [
        "__annotations__",
        "__closure__",
        "__code__",
        "__defaults__",
        "__doc__",
        "__func__",
        "__kwdefaults__",
        "__name__",
        "__qualname__",
        "__self__",
        "marked_by_the_user",
    ],
)
def test_attributes_of_the_stand_in_are_those_of_the_modules_own_forward(name: str) -> None:
    class Marked(nn.Module):
        def forward(self, x: Tensor, gain: float = 2.0) -> Tensor:
            """A forward that has each of these attributes."""
            return x * gain

        forward.marked_by_the_user = (1, 2)  # type: ignore[attr-defined]

    net = Marked()
    before = getattr(net.forward, name)
    undo = watch(net, Seen())
    assert getattr(net.forward, name) is before
    assert not hasattr(net.forward, "of_no_function")
    undo()
    assert getattr(net.forward, name) is before


class Asking(nn.Module):
    """Reads attributes of its layer's forward before it calls the layer, as some containers do."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = Neuron(hidden=True)

    def forward(self, x: Tensor) -> Tensor:
        forward = self.lif.forward
        asked = forward.__code__.co_argcount, forward.__name__, forward.__func__.__defaults__
        if asked != (3, "forward", (None,)) or forward.__self__ is not self.lif:
            raise ValueError(asked)
        return self.lif(x)


def test_reading_an_attribute_of_forward_breaks_no_graph() -> None:
    net = Asking()
    with neuroact.record(net, adapters=[ToyAdapter()]) as recording:
        compiled = torch.compile(net, fullgraph=True, backend="eager")
        for _ in range(3):
            compiled(X)
    assert recording.report()["lif"].observations == 9


def test_a_call_that_raises_is_not_shown_to_watchers() -> None:
    net, seen = nn.Linear(3, 2), Seen()
    undo = watch(net, seen)
    with pytest.raises(RuntimeError):
        net(torch.ones(4))
    undo()
    assert not seen.calls
    assert "forward" not in vars(net)


def test_data_parallel_over_several_devices_is_refused_with_what_to_do() -> None:
    net = nn.DataParallel(nn.Sequential(nn.ReLU()))
    with neuroact.record(net, layers="0") as recording:
        net(X)
    assert recording.report()["0"].observations == 3
    net.device_ids = [0, 1]
    with pytest.raises(UnsupportedModelError, match=r"2 devices.*DistributedDataParallel"):
        neuroact.record(net, layers="0")

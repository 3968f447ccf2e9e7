"""A recording that is closed, or that nobody holds, lets go of the model at once."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from toy import Net, Neuron, ToyAdapter

import neuroact
from neuroact import Recording, SpikeCounts
from neuroact.errors import AdapterReadError
from neuroact.native import without_core
from neuroact.recording.threads import OneAtATime, one_at_a_time
from neuroact.training import TrainingMonitor

ADAPTERS = [ToyAdapter()]


def record(model: nn.Module, **options: Any) -> Recording:
    return neuroact.record(model, adapters=ADAPTERS, **options)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Without a collector, objects in a reference cycle stay alive."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def watchers(net: Net) -> int:
    return sum(len(m.__dict__["forward"].watchers) for m in (net.lif1, net.lif2) if watched(m))


def watched(module: nn.Module) -> bool:
    return "forward" in vars(module) or "__getstate__" in vars(module)


@pytest.mark.usefixtures("no_collector")
def test_a_recording_that_is_made_anew_under_one_name_watches_once() -> None:
    net = Net()
    for _ in range(5):
        recording = record(net)
        net(torch.randn(3, 2, 5))
    assert watchers(net) == 2
    assert recording.report()["lif1"].observations == 6
    del recording
    assert not any(map(watched, net.modules()))


@pytest.mark.usefixtures("no_collector")
def test_a_recording_that_nobody_holds_raises_no_more_errors() -> None:
    net = nn.Sequential(nn.ReLU())
    recording = neuroact.record(net, layers="0", axes="TBN")
    with pytest.raises(AdapterReadError, match="Leave the layer out"):
        net(torch.ones(4))
    del recording
    assert net(torch.ones(4)).tolist() == [1, 1, 1, 1]


def test_a_recording_that_is_held_goes_on_watching_whatever_is_collected() -> None:
    net = Net()
    with record(net):  # only the block holds it
        gc.collect()
        assert watchers(net) == 2
    held = [record(net)]
    gc.collect()
    net(torch.randn(3, 2, 5))
    assert held[0].report()["lif1"].observations == 6


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("options", [{}, {"statistics": [SpikeCounts]}, {"layers": nn.Linear}])
@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("lost", [False, True])
def test_no_reference_cycle_keeps_the_model(
    options: dict[str, Any], called: bool, lost: bool
) -> None:
    net = Net()
    recording = record(net, **options)
    if called:
        with torch.no_grad():
            net(torch.randn(3, 2, 5))
    if lost:
        del recording
    else:
        recording.close()
    gone = [weakref.ref(module) for module in (net, net.lif1, net.fc1)]
    del net
    assert [ref() for ref in gone] == [None] * 3


@pytest.mark.usefixtures("no_collector")
def test_no_reference_cycle_keeps_the_model_where_there_is_no_core() -> None:
    with without_core():
        test_no_reference_cycle_keeps_the_model({}, called=True, lost=False)
        test_no_reference_cycle_keeps_the_model({}, called=True, lost=True)


def test_a_model_that_holds_its_own_recording_is_collected_with_it() -> None:
    net = Net()
    net.recording = record(net)
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None


def test_a_recording_in_a_cycle_of_its_own_is_let_go_when_it_is_collected() -> None:
    net = Net()
    cycle: dict[str, Any] = {"recording": record(net)}
    cycle["itself"] = cycle
    del cycle
    gc.collect()
    assert not any(map(watched, net.modules()))


@pytest.mark.usefixtures("no_collector")
def test_a_monitor_that_nobody_holds_lets_go_of_the_model() -> None:
    net = Net()
    monitor = TrainingMonitor(net, adapters=ADAPTERS)
    monitor._sampler.begin()
    assert any(map(watched, net.modules()))
    del monitor
    assert not any(map(watched, net.modules()))


def test_a_paused_or_closed_recording_that_is_freed_takes_nothing_from_another() -> None:
    net = Net()
    with record(net) as kept:
        for end in (Recording.pause, Recording.close, lambda recording: None):
            other = record(net)
            end(other)
            del other
            net(torch.randn(3, 2, 5))
        again = record(net)
        again.pause()
        again.resume()
        net(torch.randn(3, 2, 5))
    assert kept.report()["lif1"].observations == 24
    assert again.report()["lif1"].observations == 6


def test_a_copy_of_a_recording_holds_nothing_of_the_model() -> None:
    net = Net()
    recording = record(net)
    net(torch.randn(3, 2, 5))
    copied = pickle.loads(pickle.dumps(recording))
    del recording
    assert not any(map(watched, net.modules()))
    assert copied.report()["lif1"].observations == 6


@pytest.mark.parametrize("end", [Recording.close, Recording.pause])
def test_a_recording_closed_in_the_midst_of_a_call_leaves_the_call_whole(
    end: Callable[[Recording], None],
) -> None:
    class Closing(Neuron):
        def forward(self, *args: Any) -> Any:
            if ending:
                end(recording)
            return super().forward(*args)

    net, ending = nn.Sequential(Closing(hidden=True)), False
    with record(net) as other:
        recording = record(net)
        plain = [net(torch.ones(2, 3)) for _ in range(3)]
        ending = True
        plain.append(net(torch.ones(2, 3)))
        ending = False
        plain.append(net(torch.ones(2, 3)))
    found = other.report()["0"]
    assert found.events.tolist() == [int(sum(step[:, 0].sum() for step in plain))] * 3
    assert found.observations == 10
    assert recording.report()["0"].observations in (6, 8)


def test_a_recording_that_is_collected_while_watchers_change_waits_until_they_have() -> None:
    net = Net()
    lost = [record(net)]
    with one_at_a_time():  # as if Python collected in the midst of `watch`
        lost.clear()
        assert watchers(net) == 2
    assert not any(map(watched, net.modules()))


def test_work_that_waits_for_a_lock_is_done_once_in_order_and_may_take_it() -> None:
    lock, done = OneAtATime(), list[int]()

    def work(number: int) -> None:
        with lock():
            done.append(number)

    lock.when_free(lambda: work(0))
    with lock(), lock():
        for number in (1, 2):
            lock.when_free(lambda number=number: work(number))
        assert done == [0]
    assert done == [0, 1, 2]

    def fail() -> None:
        with lock():
            lock.when_free(lambda: work(3))
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    assert done == [0, 1, 2, 3]

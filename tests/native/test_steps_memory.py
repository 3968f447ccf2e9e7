"""`Steps`, `Bits` and `Sums` keep nothing that they need not, and lose nothing."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cores import find_core, taken
from torch import nn

from layers import SHAPE, Watched, spikes

core = find_core()


def test_it_keeps_no_tensor_of_a_call() -> None:
    watched, held = Watched(core), torch.zeros(SHAPE)
    assert watched.begin(held)
    values, after = spikes(), torch.zeros(SHAPE)
    output = watched.call(values, held, after=[after])
    assert watched.counted == 1
    for tensor in (values, held, after):
        assert weakref.ref(tensor)() is not None
    known = [weakref.ref(tensor) for tensor in (values, held, after)]
    del values, held, after, output, tensor
    assert [reference() for reference in known] == [None] * 3


def test_a_graph_ends_with_its_tensors() -> None:
    watched = Watched(core)
    saved = nn.Parameter(torch.ones(SHAPE)) * 1
    state = saved * saved
    assert watched.begin(state)
    for _ in range(3):
        after = state * 2
        watched.call(spikes(), state, after=[after])
        state = after
    assert watched.counted == 3
    kept = weakref.ref(saved)
    del saved, after
    assert kept() is not None
    del state
    assert kept() is None


@pytest.mark.parametrize("what", ["finish", "values", "left", "full", "target"])
def test_a_circle_is_collected(what: str) -> None:
    class Function:
        def __init__(self) -> None:
            self.steps: Any = None

        def __call__(self, *args: object) -> Any:
            return ()

    function = Function()
    plain: Callable[..., Any] = lambda *_: ()  # noqa: E731
    uses = {name: function if name == what else plain for name in ("finish", "values", "left")}
    steps = core.Steps(uses["finish"])
    steps.pattern(uses["values"], uses["left"])
    state = torch.zeros(1)
    full = function if what == "full" else plain
    assert steps.begin(core.Sums(SHAPE), full, [state], 5)
    function.steps = steps
    if what == "target":  # no circle, but it ends with what holds it
        steps.stop()
    gone = weakref.ref(function)
    del function, steps, uses, full
    gc.collect()
    assert gone() is None


def test_it_may_be_called_while_it_is_taken_apart() -> None:
    called = []

    class Last:
        def __init__(self) -> None:
            self.steps = core.Steps(self)

        def __call__(self, *args: object) -> Any:
            return None

        def __del__(self) -> None:
            called.append(self.steps((), {}, None, ()))

    Last()
    gc.collect()
    assert called == [None]


def test_a_thousand_calls_take_no_memory_and_no_reference() -> None:
    watched, state = Watched(core, core.Bits(SHAPE)), torch.zeros(SHAPE)
    assert watched.steps.begin(watched.target, lambda: taken(watched.target), [state], 10**7)
    values = spikes()

    def work(rounds: int) -> None:
        for _ in range(rounds):
            watched.call(values, state)  # counted
            watched.call(values, state.detach(), after=[state])  # by its storage
            watched.call(values[:1], state)  # left to Python
            watched.target.add(values)
            watched.target.add(None)
            watched.steps.state()
            with pytest.raises(ValueError, match="expected"):
                watched.target.take(np.zeros(1, np.uint64), None)
        watched.finished.clear()

    work(100)
    kept = (values, state, watched.target, watched.flush, None, True, ())
    before = [sys.getrefcount(each) for each in kept[:3]]
    gc.collect()
    tracemalloc.start()
    work(50)
    first = tracemalloc.get_traced_memory()[0]
    work(1000)
    gc.collect()
    last = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert [sys.getrefcount(each) for each in kept[:3]] == before
    assert last - first < 20_000  # a leak of one object a call would be three times that


def test_targets_are_freed() -> None:
    shape = (256, 4096)
    step = torch.zeros(shape, dtype=torch.bool)
    for _ in range(300):  # of 8 MB each: 2.4 GB, were they kept
        bits = core.Bits(shape)
        assert bits.add(step)
    assert sys.getrefcount(bits) == 2


@pytest.mark.parametrize("what", ["begin", "stop", "pattern", "call", "take", "state"])
def test_what_a_finalizer_does_in_the_midst_of_a_step_is_no_harm(what: str) -> None:
    watched, held = Watched(core, core.Bits(SHAPE)), [torch.zeros(SHAPE)]
    inside = [False]

    def disturb() -> None:
        other = torch.zeros(SHAPE)
        if what == "begin":
            watched.steps.begin(core.Sums(SHAPE), lambda: None, [other, other], 5)
        elif what == "call":
            watched.call(spikes(), held[0], after=[other])
        elif what == "take":
            taken(watched.target)
        elif what == "pattern":
            watched.steps.pattern(watched.values, watched.left)
        else:
            getattr(watched.steps, what)()

    class Circle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            if not inside[0]:
                inside[0] = True
                disturb()
                inside[0] = False

    before, called = gc.get_threshold(), 0
    gc.set_threshold(1)
    try:
        for number in range(300):
            if not watched.steps.left:
                watched.begin(held[0])
            Circle()
            after = torch.zeros(SHAPE)
            output = watched.call(spikes(number), held[0], after=[after])
            assert output[1] is after
            held[0] = after
            called += 1
            if watched.target.steps == 64:
                taken(watched.target)
    finally:
        gc.set_threshold(*before)
    assert called == 300

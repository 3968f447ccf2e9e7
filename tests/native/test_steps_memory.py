"""`Steps`, `Bits` and `Sums` keep alive only what they need, and leak nothing."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from cores import find_core, taken
from torch import nn

from layers import SHAPE, Watched, spikes

core = find_core()


MIB = 2**20
LARGE = (2, MIB // 8)  # of float32


def with_gradients() -> torch.Tensor:
    return torch.zeros(SHAPE, requires_grad=True)


def view_of_gradients() -> torch.Tensor:
    """A view that requires no gradients, of a tensor that has a graph."""
    base = torch.zeros(SHAPE, requires_grad=True) * 1
    with torch.no_grad():
        return base[:]


def inference(*shape: int) -> torch.Tensor:
    with torch.inference_mode():
        return torch.zeros(shape or SHAPE)[:2]


HELD: dict[str, Callable[[], Sequence[torch.Tensor]]] = {
    "small": lambda: [torch.zeros(SHAPE)],
    "a MiB": lambda: [torch.zeros(LARGE)],
    "two of a MiB": lambda: [torch.zeros(1, MIB // 8), torch.zeros(1, MIB // 8)],
    "detached": lambda: [with_gradients().detach()],
    "inference": lambda: [inference()],
}
NOT_HELD: dict[str, Callable[[], Sequence[torch.Tensor]]] = {
    "with gradients": lambda: [with_gradients()],
    "with a graph": lambda: [with_gradients() * 2],
    "view of gradients": lambda: [view_of_gradients()],
    "above a MiB": lambda: [torch.zeros(2, MIB // 8 + 1)],
    "two above a MiB": lambda: [torch.zeros(1, MIB // 8), torch.zeros(1, MIB // 8 + 1)],
    "part of more than a MiB": lambda: [torch.zeros(MIB)[:10].detach()],
    "inference, part of more": lambda: [inference(3, MIB)[:, :5]],
    "expanded beyond a MiB": lambda: [torch.zeros(1).expand(2**40, 2**20)],
}


def left_by_a_call(
    states: Callable[[], Sequence[torch.Tensor]], call: str
) -> tuple[Watched, list[Any]]:
    """The state that `begin` was given, and that a step left, is recognised by weak references."""
    watched, after = Watched(core), states()
    if call == "begin":
        assert watched.begin(*after)
    else:
        before = states()
        assert watched.begin(*before)
        values = spikes()
        watched.call(values, *before, after=after)
        assert watched.counted == 1
        gone = [weakref.ref(values), *map(weakref.ref, before)]
        del values, before
        assert [each() for each in gone] == [None] * len(gone)
    return watched, [weakref.ref(each) for each in after]


@pytest.mark.parametrize("call", ["begin", "step"])
@pytest.mark.parametrize("end", ["stop", "pattern", "begin", "step", "gone"])
@pytest.mark.parametrize("kind", HELD)
def test_a_small_state_without_gradients_is_held_until_the_next_call(
    kind: str, end: str, call: str
) -> None:
    watched, left = left_by_a_call(HELD[kind], call)
    assert None not in [each() for each in left]
    if end == "stop":
        watched.steps.stop()
    elif end == "pattern":
        watched.steps.pattern(watched.values, watched.left)
    elif end == "begin":
        assert watched.begin(torch.zeros(SHAPE))
    elif end == "step":
        counted = watched.counted
        watched.call(spikes(), *[each() for each in left], after=HELD[kind]())
        assert watched.counted == counted + 1
    else:
        del watched
        gc.collect()  # it forms a circle with its functions
    assert [each() for each in left] == [None] * len(left)


@pytest.mark.parametrize("call", ["begin", "step"])
@pytest.mark.parametrize("kind", NOT_HELD)
def test_no_other_state_is_held(kind: str, call: str) -> None:
    watched, left = left_by_a_call(NOT_HELD[kind], call)
    assert watched.steps.left
    assert [each() for each in left] == [None] * len(left)


def test_a_state_that_grows_above_the_bound_is_not_held() -> None:
    """Its shape stays the same, but its dtype is wider."""
    watched, before, after = Watched(core), torch.zeros(LARGE), torch.zeros(LARGE).double()
    assert watched.begin(before)
    watched.call(spikes(), before, after=[after])
    assert watched.counted == 1
    left = weakref.ref(after)
    del after
    assert left() is None


def test_a_circle_through_a_state_is_collected() -> None:
    watched, state = Watched(core), torch.zeros(SHAPE)
    assert watched.begin(state)
    state.watched = watched  # type: ignore[attr-defined]
    gone = weakref.ref(watched)
    del watched, state
    gc.collect()
    assert gone() is None


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
    if what == "target":  # no circle, but it is freed with its owner
        steps.stop()
    gone = weakref.ref(function)
    del function, steps, uses, full
    gc.collect()
    assert gone() is None


def test_it_may_be_called_while_it_is_freed() -> None:
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
            watched.call(values, state.detach(), after=[state])  # recognised by its storage
            watched.call(values[:1], state)  # left to Python
            watched.target.add(values)
            watched.target.add(None)
            with pytest.raises(ValueError, match="expected"):
                watched.target.take(np.zeros(1, np.uint64), None)
        watched.finished.clear()

    work(100)
    watched.call(values, state)  # the state is held from here on
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
    assert last - first < 20_000  # a leak of one object per call would be three times that


def test_targets_are_freed() -> None:
    shape = (256, 4096)
    step = torch.zeros(shape, dtype=torch.bool)
    for _ in range(300):  # 8 MB each: 2.4 GB if they were kept
        bits = core.Bits(shape)
        assert bits.add(step)
    assert sys.getrefcount(bits) == 2


@pytest.mark.parametrize("what", ["begin", "stop", "pattern", "call", "take"])
def test_a_finalizer_that_runs_during_a_step_does_no_harm(what: str) -> None:
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

"""All fillers count alike, also calls that fail or change the recording while they run."""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from emitting import (
    BINARY,
    NEURONS,
    WAYS,
    Emitting,
    EmittingAdapter,
    Way,
    calls_in_full,
    counted,
    each_way,
    recorded,
    some_or_all,
    spikes,
)
from torch import Tensor, nn

import neuroact
from neuroact import Recording, SignalKind
from neuroact.errors import AdapterReadError, OtherThreadError
from neuroact.layers.call_pattern import CallPattern, always
from neuroact.native import core

ONES = torch.ones(2, *NEURONS)


def steps(layer: nn.Module, number: int, state: Any = None) -> Any:
    """Run so many steps; returns the state that the last one left."""
    for _ in range(number):
        _, state = layer(ONES, state)
    return state


@each_way
def test_a_state_at_the_address_of_one_that_was_freed_is_another(way: Way) -> None:
    layer, values = Emitting(), torch.ones(2, 500)
    reused, rounds = 0, 50
    with way(), recorded(layer) as recording:
        for _ in range(rounds):
            # With gradients, since a state without them may be held.
            _, state = layer(values, torch.zeros(2, 500, requires_grad=True))
            for _ in range(3):
                _, state = layer(values, state)
            address = state.data_ptr()
            del state
            # The allocator reuses the address for one of the next tensors of that size.
            others = [torch.zeros(2, 500) for _ in range(5)]
            state = next((t for t in others if t.data_ptr() == address), others[0])
            reused += state.data_ptr() == address
            layer(values, state)
    assert reused
    assert counted(recording).sequences == 2 * 2 * rounds


@each_way
def test_an_error_of_the_layer_is_raised_and_the_next_call_is_counted(way: Way) -> None:
    class OfTheModelError(Exception):
        pass

    def fail() -> None:
        raise OfTheModelError

    layer = Emitting()
    with way(), recorded(layer) as recording:
        state = steps(layer, 5)
        layer.before = fail
        with pytest.raises(OfTheModelError):
            layer(ONES, state)
        layer.before = lambda: None
        steps(layer, 5, state)
    figures = counted(recording)
    assert (figures.observations, figures.sequences) == (20, 2)


@each_way
@pytest.mark.parametrize("raised", [AttributeError, TypeError, NotImplementedError, KeyError])
def test_values_that_cannot_be_found_are_an_error_that_names_the_layer(
    way: Way, raised: type[Exception]
) -> None:
    lost = False

    def find(output: Any) -> Any:
        if lost:
            raise raised("no such values")
        return output[0]

    layer = Emitting()
    with way(), recorded(layer, find=find) as recording:
        state = steps(layer, 5)
        lost = True
        with pytest.raises(AdapterReadError, match=r'layer "model".*no such values') as found:
            layer(ONES, state)
        assert isinstance(found.value.__cause__, raised)
        lost = False
        steps(layer, 5, state)
    assert counted(recording).observations == 20


@each_way
def test_an_interrupt_while_a_state_is_examined_is_raised_unchanged(way: Way) -> None:
    class Interrupted:
        """Raises when Python asks for its class, to see whether it is a tensor."""

        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise KeyboardInterrupt

    layer = Emitting()
    found: tuple[Any, ...] = ()

    class Looking(EmittingAdapter):
        def pattern(self, module: Any) -> CallPattern:
            pattern = super().pattern(module)
            return replace(pattern, left=lambda output: found or pattern.left(output))

    with way(), neuroact.record(layer, adapters=[Looking()]):
        state = steps(layer, 5)
        found = (Interrupted(),)
        with pytest.raises(KeyboardInterrupt):
            layer(ONES, state)


@each_way
def test_a_pattern_that_no_longer_holds_is_asked_for_anew(way: Way) -> None:
    said, made = True, []

    class Counting(EmittingAdapter):
        def pattern(self, module: Any) -> CallPattern:
            made.append(number)
            return super().pattern(module)

    layer, state, number = Emitting(), None, -1
    adapter = Counting(holds=lambda: said)
    with way(), calls_in_full() as full, neuroact.record(layer, adapters=[adapter]) as recording:
        for number in range(30):
            said = number != 20
            _, state = layer(ONES, state)
    assert made == [-1, 20]
    assert len(full) == 2  # the first call, and the one before which it was asked anew
    assert counted(recording).observations == 60


@each_way
def test_a_pattern_that_is_replaced_while_it_is_asked_is_not_used_again(way: Way) -> None:
    layer, state, asked = Emitting(), None, 0
    recording: Recording

    def holds() -> bool:
        nonlocal asked
        asked += 1
        if asked == 20:
            recording.pause()
            recording.resume()
        return True

    class Remembering(EmittingAdapter):
        def pattern(self, module: Any) -> CallPattern:
            # A cache writes here after its function has returned.
            self.holds = functools.cache(holds) if asked < 20 else always
            return super().pattern(module)

    with way(), neuroact.record(layer, adapters=[Remembering()]) as recording:
        for _ in range(30):
            (reader,) = (watched.reader for watched in recording._watched)
            with contextlib.suppress(AttributeError):
                reader._pattern.holds.cache_clear()
            _, state = layer(ONES, state)
    assert counted(recording).observations == 60


@some_or_all
@pytest.mark.parametrize("what", ["reset", "new_sequence", "report", "close", "pause"])
def test_all_fillers_count_alike_when_the_recording_changes_during_a_call(
    statistics: Any, what: str
) -> None:
    reports = []
    for way in WAYS:
        layer, state = Emitting(), None
        with way():
            recording = recorded(layer, statistics)
            for number in range(30):
                layer.before = getattr(recording, what) if number == 17 else (lambda: None)
                _, state = layer(ONES, state)
            reports.append(recording.report())
            recording.close()
    assert reports[0] == reports[1]


@each_way
def test_a_recording_that_is_closed_while_a_call_is_read_is_not_used_again(way: Way) -> None:
    # As another thread would, to which Python may switch at this point.
    layer = Emitting()
    with way():
        recordings = [recorded(layer)]
        state = steps(layer, 5)
    gone = [weakref.ref(recordings[0])]
    asked = torch.compiler.is_compiling.__code__

    def close(frame: Any, event: str, _: object) -> None:
        if frame.f_code is asked and recordings:
            recordings.pop().close()
            gc.collect()

    before = sys.getprofile()
    sys.setprofile(close)
    try:
        out, _ = layer(ONES, state)
    finally:
        sys.setprofile(before)
    assert out is ONES
    assert gone[0]() is None


@each_way
def test_of_the_callers_objects_only_the_last_small_state_is_kept_and_nothing_leaks(
    way: Way,
) -> None:
    layer, state, values = Emitting(), None, torch.ones(2, *NEURONS)
    with way(), recorded(layer) as recording:
        for _ in range(10):
            _, state = layer(values, state)
        held = sys.getrefcount(values), sys.getrefcount(layer), sys.getrefcount(recording)
        for _ in range(100):
            before, (_, state) = weakref.ref(state), layer(values, state)
            assert before() is None
        assert held == (
            sys.getrefcount(values),
            sys.getrefcount(layer),
            sys.getrefcount(recording),
        )
    gone = weakref.ref(layer), weakref.ref(recording)
    del layer, recording
    gc.collect()
    assert [each() for each in gone] == [None, None]


def begin_sequence(recording: Recording, layer: Emitting) -> None:
    recording.new_sequence()


def pause(recording: Recording, layer: Emitting) -> None:
    recording.pause()


def reset(recording: Recording, layer: Emitting) -> None:
    recording.reset()


def close(recording: Recording, layer: Emitting) -> None:
    recording.close()


def call(recording: Recording, layer: Emitting) -> None:
    layer(ONES, None)


ENDS = (begin_sequence, pause, reset, close, call)


@pytest.mark.parametrize("number", [1, 2, 5, 300])
@pytest.mark.parametrize("end", ENDS)
def test_a_small_state_without_gradients_is_held_until_a_call_or_a_verb_of_the_recording(
    end: Callable[[Recording, Emitting], None], number: int
) -> None:
    """The figures do not show it: they are the same if none is held."""
    layer = Emitting()
    with recorded(layer) as recording:
        left = weakref.ref(steps(layer, number))
        assert core() is None or left() is not None
        end(recording, layer)
        assert left() is None


def test_a_held_state_is_freed_with_a_recording_that_nobody_holds() -> None:
    layer = Emitting()
    recordings = [recorded(layer)]
    left = weakref.ref(steps(layer, 5))
    copies = [copy.deepcopy(recordings[0]), pickle.loads(pickle.dumps(recordings[0]))]
    assert core() is None or left() is not None
    gc.collect()
    gc.disable()
    try:
        recordings.clear()
        assert left() is None
    finally:
        gc.enable()
    assert [counted(each).observations for each in copies] == [10, 10]


@each_way
def test_a_state_with_gradients_or_above_a_mib_is_not_held(way: Way) -> None:
    large = torch.ones(2, 2**18)
    for values, first in [(ONES, torch.zeros_like(ONES).requires_grad_()), (large, None)]:
        layer = Emitting()
        with way(), recorded(layer) as recording:
            state = first
            for _ in range(5):
                _, state = layer(values, state)
                left = weakref.ref(state)
            del state
            assert left() is None
        assert counted(recording).observations == 10


@each_way
@some_or_all
@pytest.mark.parametrize("while_it_runs", [False, True])
def test_a_closed_recording_lets_go_of_the_model(
    way: Way, statistics: Any, while_it_runs: bool
) -> None:
    layer, state = Emitting(), None
    with way():
        recording = recorded(layer, statistics)
    for number in range(100):
        if number == 99 and while_it_runs:
            layer.before = recording.close
        _, state = layer(spikes(seed=number), state)
    recording.close()
    gone = weakref.ref(layer)
    layer.before = lambda: None
    del layer
    gc.collect()
    assert gone() is None
    assert counted(recording).observations == 400


class Growing(nn.Module):
    """A layer whose first state grows at each step."""

    def forward(self, spikes: Tensor, grown: Tensor | None = None, state: Any = None) -> Any:
        grown = torch.zeros(1) if grown is None else torch.cat([grown, torch.zeros(1)])
        return spikes, grown, (torch.zeros_like(spikes) if state is None else state) + 1


class GrowingAdapter(EmittingAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        return BINARY if isinstance(module, Growing) else None

    def pattern(self, module: Any) -> CallPattern:
        return CallPattern(BINARY, False, self.find, lambda args, _: args[1:], lambda out: out[1:])


@pytest.mark.parametrize("detached", [(), (0,), (1,), (0, 1)])
def test_all_fillers_treat_a_state_whose_shape_changes_alike(detached: tuple[int, ...]) -> None:
    reports = []
    for way in WAYS:
        layer, state = Growing(), ()
        with way(), neuroact.record(layer, adapters=[GrowingAdapter()]) as recording:
            for number in range(20):
                given = [part.detach() if at in detached else part for at, part in enumerate(state)]
                _, *state = layer(spikes(seed=number), *given)
        reports.append(recording.report())
    assert reports[0] == reports[1]


def refused_in_another_thread(layer: Emitting, *, detached: bool) -> int:
    """How many of another thread's five calls are refused that continue this one's sequence."""
    refused: list[Tensor] = []
    states: list[Any] = [None]

    def five_steps() -> None:
        for _ in range(5):
            state = states[-1]
            given = state.detach() if detached and state is not None else state
            try:
                states.append(layer(ONES, given)[1])
            except OtherThreadError:
                refused.append(given)

    five_steps()
    other = threading.Thread(target=five_steps)
    other.start()
    other.join()
    return len(refused)


@pytest.mark.parametrize("detached", [False, True])
def test_all_fillers_refuse_another_thread_alike(detached: bool) -> None:
    came = []
    for way in WAYS:
        layer = Emitting()
        with way(), recorded(layer) as recording:
            refused = refused_in_another_thread(layer, detached=detached)
        came.append((refused, recording.report()))
    assert came[0] == came[1]
    assert came[0][0] == (5 if detached else 0)


def test_all_fillers_count_alike_after_a_model_is_compiled() -> None:
    reports = []
    for way in WAYS:
        torch._dynamo.reset()
        layer, state = Emitting(), None
        compiled = torch.compile(layer, backend="eager")
        with way(), recorded(layer) as recording:
            for number in range(40):
                call = compiled if number // 10 % 2 else layer
                _, state = call(spikes(seed=number), state)
        reports.append(recording.report())
    assert reports[0] == reports[1]

"""The figures are the same whatever collects a layer's steps: the core, or rows of tensors."""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import Any

import pytest
import torch
from emitting import (
    NEURONS,
    WAYS,
    Emitting,
    Way,
    as_it_comes,
    calls_in_full,
    counted,
    each_way,
    recorded,
    same,
    some_or_all,
    spikes,
    states_of,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from neuroact import ClassActivity, Recording
from neuroact.errors import AdapterReadError, NothingRecordedError, OtherThreadError
from neuroact.native import core
from neuroact.recording.call_reader import MOST_STEPS
from neuroact.recording.open_block import Rows


@each_way
@some_or_all
@pytest.mark.parametrize("states", [1, 2])
def test_all_steps_are_counted_and_hardly_one_is_read_in_full(
    way: Way, statistics: Any, states: int
) -> None:
    layer, state, came = Emitting(), None, []
    steps = 2 * MOST_STEPS
    with way(), calls_in_full() as full, recorded(layer, statistics, states=states) as recording:
        for number in range(steps):
            out, state = layer(spikes(seed=number), state)
            came.append(out)
        (only,) = recording._layers.values()
        assert isinstance(only.block.filler, Rows) == (core() is None)
    assert len(full) <= 1 + steps // MOST_STEPS
    figures = counted(recording)
    assert figures.events.tolist() == torch.stack(came).sum((0, 1)).tolist()
    assert (figures.observations, figures.sequences) == (steps * 4, 4)


@each_way
def test_a_thread_that_continues_from_another_threads_state_is_refused_in_the_end(way: Way) -> None:
    layer, errors = Emitting(), list[OtherThreadError]()
    state: Tensor | None = None
    counted_in_all = 0

    def run(steps: int) -> None:
        nonlocal state, counted_in_all
        for _ in range(steps):
            _, left = layer(spikes(), state)
            state, counted_in_all = left, counted_in_all + 1

    def other() -> None:
        try:
            run(MOST_STEPS + 1)
        except OtherThreadError as error:
            errors.append(error)

    with way(), recorded(layer) as recording:
        run(5)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    (error,) = errors
    assert error.layer == "model"
    assert counted_in_all <= 5 + MOST_STEPS
    assert counted(recording).observations == 4 * counted_in_all


# Events between steps, and the ways in which a step may come. Each tale of them is played twice.
BETWEEN = ["report", "reset", "mark", "merge", "valid", "lengths", "label", "pause", "other"]
STATES = ["same", "same", "same", "detached", "cloned", "none", "zeros", "keyword"]
LOOKS = ["plain", "plain", "plain", "float64", "bool", "float16", "strided", "expanded", "grad"]
TALES = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(STATES),
            st.sampled_from(LOOKS),
            st.sampled_from([2, 2, 2, 3]),
            st.sampled_from([1, 2, 3, 20, 70]),
        ),
        st.sampled_from(BETWEEN),
    ),
    max_size=12,
)


def play(tale: list[Any], statistics: Any) -> tuple[Recording, int, Tensor]:
    """The recording at the end; the observations and the sum of values since the last reset."""
    layer, number, state = Emitting(), 0, torch.zeros(())
    total, observations = torch.zeros(NEURONS, dtype=torch.float64), 0
    with recorded(layer, statistics) as recording:
        for part in tale:
            if isinstance(part, str):
                more = _between(part, recording, layer, statistics)
                total = torch.zeros_like(total) if part == "reset" else total + more
                observations = 0 if part == "reset" else observations + more
                continue
            how, look, batch, steps = part
            for _ in range(steps):
                number += 1
                values = as_it_comes(spikes(batch, number), look)
                passed = {
                    "detached": state.detach(),
                    "cloned": state.clone(),
                    "none": None,
                    "zeros": torch.zeros_like(values, dtype=torch.float32),
                }.get(how, state)
                out, state = (
                    layer(values, state=passed) if how == "keyword" else layer(values, passed)
                )
                total = total + out.detach().double().sum(0)
                observations += batch
        layer(torch.ones(2, *NEURONS))  # so that there is something to report, whatever came
    return recording, observations + 2, total + 2


def _between(what: str, recording: Recording, layer: Emitting, statistics: Any) -> int:
    """Do it; returns how many events of each neuron, and equally many observations, it adds."""
    ones = torch.ones(2, *NEURONS)
    if what == "report":
        with contextlib.suppress(NothingRecordedError):
            recording.report()
    elif what == "reset":
        recording.reset()
    elif what == "mark":
        recording.new_sequence()
    elif what == "pause":
        recording.pause()
        layer(ones)
        recording.resume()
    elif what == "merge":
        with recorded(layer, statistics) as other:
            layer(ones)  # both recordings see the call
        recording.merge(other)
        return 4
    elif what == "valid":
        with recording.batch(valid=torch.tensor([[True, False], [False, True]])):
            _, state = layer(ones)
            layer(ones, state)
        return 2
    elif what == "lengths":
        state = None
        with recording.batch(lengths=[70, 3]):
            for _ in range(75):
                _, state = layer(ones, state)
        return 73
    elif what == "label":
        if ClassActivity not in statistics:
            return 0
        with recording.batch(labels=[0, 1]):
            layer(ones)
        return 2
    elif what == "other":
        with recorded(layer):
            layer(ones)
        return 2
    return 0


@some_or_all
@given(tale=TALES)
def test_the_figures_are_the_same_whatever_comes(statistics: Any, tale: list[Any]) -> None:
    ours, observations, events = play(tale, statistics)
    with WAYS[1]():
        theirs, *_ = play(tale, statistics)
    assert same(states_of(ours), states_of(theirs))
    assert ours.report() == theirs.report()
    figures = counted(ours)
    assert figures.events.tolist() == events.tolist()
    assert figures.observations == observations


NOT_BINARY = [2.0, -1.0, 0.5, float("nan"), float("inf")]


@each_way
@some_or_all
@pytest.mark.parametrize("value", NOT_BINARY)
def test_no_value_other_than_0_and_1_slips_through_at_any_step_or_place(
    way: Way, statistics: Any, value: float
) -> None:
    steps, places, missed = 70, torch.ones(NEURONS).numel() * 2, []
    with way():
        layer = Emitting()
        recording = recorded(layer, statistics)
        for at in range(steps):
            recording.reset()
            state, place, came = None, at * 7 % places, 0
            for number in range(at + 1, 2 * at + 4):
                values = spikes(2, number)
                if number == 2 * at + 1:
                    values.view(-1)[place] = value
                came = came + values.ne(0).sum(0)
                _, state = layer(values, state)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                figures = counted(recording)
            found = figures.nonfinite, figures.not_binary
            is_finite = bool(torch.tensor(value).isfinite())
            if found != (not is_finite, is_finite) or figures.events.tolist() != came.tolist():
                missed.append((at, place))
        recording.close()
    assert missed == []


@some_or_all
@pytest.mark.parametrize("value", NOT_BINARY)
def test_the_values_around_a_wrong_one_are_counted_right(statistics: Any, value: float) -> None:
    states = []
    for way in WAYS:
        layer, state = Emitting(), None
        with way(), recorded(layer, statistics) as recording:
            for number in range(200):
                values = spikes(seed=number)
                if number == 69:
                    values[1, 2, 0] = value
                _, state = layer(values, state)
        states.append(states_of(recording))
    assert same(*states)


@each_way
@some_or_all
def test_values_in_padding_are_not_tested(way: Way, statistics: Any) -> None:
    layer, state = Emitting(), None
    with way(), recorded(layer, statistics) as recording, recording.batch(lengths=[80, 66]):
        for number in range(80):
            values = spikes(2, number)
            if number >= 66:
                values[1] = float("nan")
            _, state = layer(values, state)
    figures = counted(recording)
    assert (figures.unreliable, figures.observations) == (None, 146)


class Marked(Tensor):
    """A tensor of a subclass."""


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.as_subclass(Marked),
        lambda values: values.to_sparse().to_dense(),
        lambda values: values.to_sparse(),
        lambda values: values.double(),
        lambda values: values.bfloat16(),
        lambda values: values.byte(),
        lambda values: values.to(torch.float8_e4m3fn),
        lambda values: torch._neg_view(torch._neg_view(values)),
        lambda values: nn.Parameter(values),
        lambda values: values.transpose(0, 1).contiguous().transpose(0, 1),
        lambda values: values.repeat_interleave(2, -1)[..., ::2],
    ],
    ids=[
        *("subclass", "dense again", "sparse", "float64", "bfloat16", "uint8", "float8"),
        *("negative view", "parameter", "transposed", "every second"),
    ],
)
@some_or_all
def test_tensors_of_all_sorts_are_counted_alike(statistics: Any, change: Any) -> None:
    def mixed(values: Tensor) -> Any:
        # Plain ones in between, so that a filler is collecting when the other one comes.
        return change(values) if int(values.sum()) % 3 == 0 else values

    states = []
    for way in WAYS:
        layer, state = Emitting(), None
        with way(), recorded(layer, statistics) as recording:
            for number in range(90):
                _, left = layer(mixed(spikes(seed=number)), state)
                state = left.to_dense().float() if state is None else left
        states.append(states_of(recording))
    assert same(*states)
    events = sum(spikes(seed=number).sum(0) for number in range(90))
    assert counted(recording).events.tolist() == events.tolist()


@each_way
@some_or_all
def test_fake_tensors_are_not_counted(way: Way, statistics: Any) -> None:
    layer, values = Emitting(), torch.ones(2, *NEURONS)
    with way(), recorded(layer, statistics) as recording:
        _, state = layer(values)
        _, state = layer(values, state)
        fakes = FakeTensorMode(allow_non_fake_inputs=True)
        with fakes, contextlib.suppress(AdapterReadError, RuntimeError):
            layer(values, state)  # its state is a fake
        recording.reset()
        for _ in range(100):
            _, state = layer(values, state)
    assert counted(recording).observations == 200

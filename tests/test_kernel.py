"""The compiled kernel: it counts what Python counts, and leaves to Python what it must."""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neuroact.statistics.shortcuts import MOST_ADVANCES
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import neuroact
from neuroact import (
    InterspikeIntervals,
    LayerCall,
    Recording,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import (
    AdapterReadError,
    NeuroactWarning,
    NothingRecordedError,
    OtherThreadError,
)
from neuroact.kernel import without_kernel
from neuroact.patterns import CallPattern, always
from neuroact.reader import CallReader
from neuroact.statistics import event_counts

pytestmark = pytest.mark.usefixtures("built_kernel")

ALL = (SpikeCounts, TimeCourse, InterspikeIntervals, Synchrony)
NEURONS = (3, 2)


class Layer(nn.Module):
    """Emits what it is given; its state is passed, returned and, as a second one, held."""

    def __init__(self) -> None:
        super().__init__()
        self.held = torch.zeros(())
        self.before: Callable[[], object] = lambda: None

    def forward(self, spikes: Tensor, state: Tensor | None = None) -> Any:
        self.before()
        fits = state is not None and state.shape == spikes.shape
        return spikes, (state if fits else torch.zeros_like(spikes)) + 1


class LayerAdapter:
    """Reads it by a pattern; `find` looks for its values, `holds` says whether it is so still."""

    framework = "synthetic"

    def __init__(
        self,
        find: Callable[[Any], Any] = lambda output: output[0],
        holds: Callable[[], bool] = always,
        states: int = 1,
    ) -> None:
        self.find, self.holds, self.states = find, holds, states

    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.BINARY if isinstance(module, Layer) else None

    def read(self, module: Any, call: LayerCall) -> SpikeChunk:
        starts = call.starts_sequence(given=call.argument(1, "state"), left=call.output[1])
        return SpikeChunk.of_step(self.find(call.output), BINARY, starts_sequence=starts)

    def pattern(self, module: Any) -> CallPattern:
        def given(args: Any, kwargs: Any) -> Any:
            state = args[1] if len(args) > 1 else kwargs.get("state")
            return () if state is None else (state,) * self.states

        return CallPattern(
            BINARY, False, self.find, given, lambda output: output[1:] * self.states, self.holds
        )


BINARY = SignalKind.BINARY


def spikes(batch: int = 4, seed: int = 0, rate: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(batch, *NEURONS, generator=generator) < rate).float()


def recorded(layer: nn.Module, statistics: Any = (), **options: Any) -> Recording:
    return neuroact.record(layer, statistics=statistics, adapters=[LayerAdapter(**options)])


@contextmanager
def calls_in_python() -> Iterator[list[Tensor]]:
    """What was returned by the calls that the kernel did not count."""
    found: list[Tensor] = []
    read = CallReader._read_in_full

    def noted(self: CallReader, args: Any, kwargs: Any, output: Any, before: Any) -> None:
        found.append(output)
        read(self, args, kwargs, output, before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CallReader, "_read_in_full", noted)
        yield found


def counted(recording: Recording) -> Any:
    (only,) = recording.report().values()
    return only


@pytest.mark.parametrize("statistics", [(), ALL], ids=["alone", "together"])
@pytest.mark.parametrize("states", [1, 2])
def test_it_counts_all_steps_but_those_that_are_read_in_full(statistics: Any, states: int) -> None:
    layer, state, came = Layer(), None, []
    steps = 3 * MOST_ADVANCES
    with calls_in_python() as full, recorded(layer, statistics, states=states) as recording:
        for number in range(steps):
            out, state = layer(spikes(seed=number), state)
            came.append(out)
    # The first call, and one in so many.
    assert len(full) <= 1 + steps // MOST_ADVANCES
    figures = counted(recording)
    assert figures.events.tolist() == torch.stack(came).sum((0, 1)).tolist()
    assert (figures.observations, figures.sequences) == (steps * 4, 4)


@pytest.mark.parametrize("most", [2**24, 1500], ids=["one window", "many"])
@pytest.mark.parametrize("value", [1.0, float("nan"), 2.0])
def test_a_large_layers_samples_are_added_up_at_once(
    most: int, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_counts, "LARGEST_WINDOW", 5)
    monkeypatch.setattr(event_counts, "WINDOW_EVENTS", most)
    layer, state, came = Layer(), None, []
    with calls_in_python() as full, recorded(layer) as recording:
        for number in range(800):
            values = spikes(seed=number)
            values[2, 1, 1] = value if number == 300 else 1.0
            out, state = layer(values, state)
            came.append(out)
    assert len(full) < 15
    if value == 1.0:
        figures = counted(recording)
        assert figures.events.tolist() == torch.stack(came).sum((0, 1)).tolist()
        assert (figures.observations, figures.sequences) == (800 * 4, 4)
    else:
        with pytest.warns(NeuroactWarning):
            assert counted(recording).fault is not None


def test_without_it_python_counts_them() -> None:
    layer, state = Layer(), None
    with without_kernel(), recorded(layer) as recording:
        for number in range(50):
            _, state = layer(spikes(seed=number), state)
        (reader,) = (each._reader for each in recording._layers.values())
    assert reader._steps is None


# What may come between steps, and how a step may come. A tale of them is played twice.
BETWEEN = ["report", "reset", "mark", "merge", "valid", "label", "pause", "other"]
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
    max_size=14,
)


def as_it_comes(values: Tensor, look: str) -> Tensor:
    if look == "strided":
        return values.transpose(-1, -2).contiguous().transpose(-1, -2)
    if look == "expanded":
        return values[:1].expand_as(values)
    if look == "grad":
        return values.requires_grad_()
    types = {"float64": torch.float64, "bool": torch.bool, "float16": torch.float16}
    return values.to(types.get(look, torch.float32))


def play(tale: list[Any], statistics: Any) -> tuple[Any, int, Tensor]:
    """The report at the end, and the events of the whole tale since the last reset."""
    layer, number, state = Layer(), 0, torch.zeros(())
    total = torch.zeros(NEURONS, dtype=torch.float64)
    observations = 0
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
        layer(torch.ones(2, *NEURONS))  # there is something to report, whatever came
        return recording.report(), observations + 2, total + 2


def _between(what: str, recording: Recording, layer: Layer, statistics: Any) -> int:
    """Does it; gives the events of each neuron, and as many observations, that it adds."""
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
            layer(ones)  # both see it
        recording.merge(other)
        return 4
    elif what == "valid":
        with recording.valid(lengths=[1, 0]):
            layer(ones)
        return 1
    elif what == "label":
        recording.label([0, 1])
        layer(ones)
        recording.label(None)
        return 2
    elif what == "other":
        with recorded(layer):
            layer(ones)
        return 2
    return 0


@pytest.mark.parametrize("statistics", [(), ALL], ids=["alone", "together"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tale=TALES)
def test_it_counts_what_python_counts_whatever_comes(statistics: Any, tale: list[Any]) -> None:
    ours, observations, events = play(tale, statistics)
    with without_kernel():
        theirs, *_ = play(tale, statistics)
    assert ours == theirs
    for layer in ours.values():
        assert layer.events.tolist() == events.tolist()
        assert layer.observations == observations


@pytest.mark.parametrize("value", [2.0, -1.0, 0.5, float("nan"), float("inf")])
@pytest.mark.parametrize("at", [10, 63, 64, 65, 200])
@pytest.mark.parametrize("statistics", [(), ALL], ids=["alone", "together"])
def test_no_value_that_is_neither_0_nor_1_slips_through(
    statistics: Any, at: int, value: float
) -> None:
    layer, state = Layer(), None
    with recorded(layer, statistics) as recording:
        for number in range(220):
            values = spikes(seed=number)
            if number == at:
                values[1, 2, 0] = value
            _, state = layer(values, state)
        with pytest.warns(NeuroactWarning):
            report = recording.report()
    (figures,) = report.values()
    assert figures.fault is not None


def step_through(layer: Layer, steps: int, change: Callable[[Tensor], Any]) -> None:
    state = None
    for number in range(steps):
        _, state = layer(change(spikes(seed=number)), state)


class Marked(Tensor):
    """A tensor of a class of its own."""


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.as_subclass(Marked),
        lambda values: values.to_sparse().to_dense(),
        lambda values: values.double(),
        lambda values: values.bfloat16(),
        lambda values: values.byte(),
        lambda values: torch._neg_view(torch._neg_view(values)),
        lambda values: nn.Parameter(values),
    ],
    ids=["subclass", "dense again", "float64", "bfloat16", "uint8", "negative view", "parameter"],
)
@pytest.mark.parametrize("statistics", [(), ALL], ids=["alone", "together"])
def test_tensors_of_all_sorts_are_counted_as_python_counts_them(
    statistics: Any, change: Callable[[Tensor], Any]
) -> None:
    def mixed(values: Tensor) -> Any:
        # Plain ones in between, so that the kernel is at it when the other comes.
        return change(values) if int(values.sum()) % 3 == 0 else values

    reports = []
    for way in (with_it, without_kernel):
        layer = Layer()
        with way(), recorded(layer, statistics) as recording:
            step_through(layer, 90, mixed)
        reports.append(recording.report())
    assert reports[0] == reports[1]
    events = sum(spikes(seed=number).sum(0) for number in range(90))
    assert counted(recording).events.tolist() == events.tolist()


@contextmanager
def with_it() -> Iterator[None]:
    yield


def test_a_state_at_the_address_of_one_that_was_freed_is_another() -> None:
    layer, values = Layer(), torch.ones(2, 500)
    reused, rounds = 0, 50
    with recorded(layer) as recording:
        for _ in range(rounds):
            _, state = layer(values, None)
            for _ in range(3):
                _, state = layer(values, state)
            address = state.data_ptr()
            del state
            # The allocator gives the place to one of the next tensors of that size.
            others = [torch.zeros(2, 500) for _ in range(5)]
            state = next((t for t in others if t.data_ptr() == address), others[0])
            reused += state.data_ptr() == address
            layer(values, state)
    assert reused
    assert counted(recording).sequences == 2 * 2 * rounds


def test_what_the_layer_and_the_adapter_raise_comes_out_and_the_next_call_is_counted() -> None:
    class OfTheModelError(Exception):
        pass

    def fail() -> None:
        raise OfTheModelError

    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    with recorded(layer) as recording:
        for _ in range(5):
            _, state = layer(values, state)
        layer.before = fail
        with pytest.raises(OfTheModelError):
            layer(values, state)
        layer.before = lambda: None
        for _ in range(5):
            _, state = layer(values, state)
    figures = counted(recording)
    assert (figures.observations, figures.sequences) == (20, 2)


@pytest.mark.parametrize("raised", [AttributeError, TypeError, NotImplementedError, KeyError])
@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "python"])
def test_values_that_cannot_be_found_are_an_error_that_names_the_layer(
    kernel: bool, raised: type[Exception]
) -> None:
    lost = False

    def find(output: Any) -> Any:
        if lost:
            raise raised("no such values")
        return output[0]

    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    with with_it() if kernel else without_kernel(), recorded(layer, find=find) as recording:
        for _ in range(5):
            _, state = layer(values, state)
        lost = True
        with pytest.raises(AdapterReadError, match=r'layer "model".*no such values') as found:
            layer(values, state)
        assert isinstance(found.value.__cause__, raised)
        lost = False
        for _ in range(5):
            _, state = layer(values, state)
    assert counted(recording).observations == 20


def test_a_pattern_that_holds_no_more_is_asked_for_anew() -> None:
    said, made = True, []

    class Counting(LayerAdapter):
        def pattern(self, module: Any) -> CallPattern:
            made.append(number)
            return super().pattern(module)

    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    number = -1
    adapter = Counting(holds=lambda: said)
    with calls_in_python() as full, neuroact.record(layer, adapters=[adapter]) as recording:
        for number in range(30):
            said = number != 20
            _, state = layer(values, state)
    assert made == [-1, 20]
    assert len(full) == 2  # the first, and the one before which it was asked anew
    assert counted(recording).observations == 60


@pytest.mark.parametrize("what", ["reset", "new_sequence", "report", "close"])
def test_it_stops_where_the_recording_is_changed_while_the_layer_runs(what: str) -> None:
    reports = []
    for way in (with_it, without_kernel):
        layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
        with way():
            recording = recorded(layer)
            for number in range(30):
                layer.before = getattr(recording, what) if number == 17 else (lambda: None)
                _, state = layer(values, state)
            reports.append(recording.report())
            recording.close()
    assert reports[0] == reports[1]


def test_nothing_of_the_callers_is_kept_and_nothing_is_leaked() -> None:
    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    with recorded(layer) as recording:
        for _ in range(10):
            _, state = layer(values, state)
        held = sys.getrefcount(values), sys.getrefcount(layer), sys.getrefcount(recording)
        for _ in range(100):
            _, state = layer(values, state)
        assert held == (
            sys.getrefcount(values),
            sys.getrefcount(layer),
            sys.getrefcount(recording),
        )
        left = weakref.ref(state)
        del state
        assert left() is None
    gone = weakref.ref(layer), weakref.ref(recording)
    del layer, recording
    gc.collect()
    assert [each() for each in gone] == [None, None]


@pytest.mark.parametrize("what", ["reset", "load"])
def test_counts_that_a_statistic_gives_up_are_written_to_no_more(what: str) -> None:
    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    with recorded(layer) as recording:
        (firing,) = next(iter(recording._layers.values())).statistics
        for _ in range(10):
            _, state = layer(values, state)
        if what == "reset":
            firing.reset()
        else:
            firing.load_state_dict(firing.state_dict())
        for _ in range(10):
            _, state = layer(values, state)
    assert counted(recording).observations == (20 if what == "reset" else 40)


def test_what_it_is_told_is_checked(built_kernel: ModuleType) -> None:
    steps = built_kernel.Steps(lambda *_: None, lambda *_: None)
    assert not steps.begin(torch.ones(2, 3), (torch.ones(2),), 5)  # steps of another shape
    steps.add_into(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(RuntimeError, match="expected pattern"):
        steps.begin(torch.ones(2, 3), (torch.ones(2),), 5)
    with pytest.raises(TypeError, match="contiguous float32"):
        steps.add_into(torch.ones(2, 3, dtype=torch.float64), torch.ones(2, 3))
    for window in (torch.ones(3, 3), torch.ones(1, 4), torch.ones(2), torch.ones(0, 3)):
        with pytest.raises(TypeError, match="expected a window"):
            steps.add_into(window, torch.ones(2, 3))
    words, sums = torch.zeros(2, 2, 3, dtype=torch.int32), torch.zeros(64, 2, dtype=torch.int32)
    for shape, filled in (((2, 4), 0), ((), 0), ((0, 3), 0), ((3, 2), 0), ((2, 3), 65)):
        with pytest.raises(TypeError, match="int32"):
            steps.pack_into(shape, words, sums, lambda: None, filled)
    with pytest.raises(TypeError):
        steps(lambda: None)
    with pytest.raises(TypeError):
        built_kernel.Steps()


def test_a_recording_that_is_closed_where_a_call_is_looked_at_is_not_used_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As by another thread, to which Python may switch there.
    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    recordings = [recorded(layer)]
    for _ in range(5):
        _, state = layer(values, state)
    gone = [weakref.ref(recordings[0])]
    asked = torch.compiler.is_compiling.__code__

    def close(frame: Any, event: str, _: object) -> None:
        if frame.f_code is asked and recordings:
            recordings.pop().close()
            gc.collect()

    before = sys.getprofile()
    sys.setprofile(close)
    try:
        out, _ = layer(values, state)
    finally:
        sys.setprofile(before)
    assert out is values
    assert gone[0]() is None


def test_a_pattern_that_is_replaced_while_it_is_asked_is_not_used_after() -> None:
    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    recording: Recording
    asked = 0

    def holds() -> bool:
        nonlocal asked
        asked += 1
        if asked == 20:
            recording.pause()
            recording.resume()
        return True

    class Remembering(LayerAdapter):
        def pattern(self, module: Any) -> CallPattern:
            # What a cache writes to once its function has returned.
            self.holds = functools.cache(holds) if asked < 20 else always
            return super().pattern(module)

    with neuroact.record(layer, adapters=[Remembering()]) as recording:
        for _ in range(30):
            (reader,) = (each._reader for each in recording._layers.values())
            with contextlib.suppress(AttributeError):
                reader._pattern.holds.cache_clear()
            _, state = layer(values, state)
    assert counted(recording).observations == 60


class Wrapped(Tensor):
    """A tensor that says by Python where it is stored, or raises."""

    @staticmethod
    def __new__(cls) -> Wrapped:
        return Tensor._make_wrapper_subclass(cls, (2, 3), dispatch_sizes_strides_policy="sizes")

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError("not said")


def test_a_state_that_says_in_python_where_it_is_is_pythons(built_kernel: ModuleType) -> None:
    steps = built_kernel.Steps(lambda *_: None, lambda *_: None)
    steps.add_into(torch.zeros(2, 3), torch.zeros(2, 3))
    steps.pattern(lambda *_: (), lambda _: torch.ones(2, 3), lambda _: (), None)
    assert not steps.begin(torch.ones(2, 3), (Wrapped(),), 5)


def test_a_layer_that_is_called_while_its_state_is_taken_back_is_no_harm() -> None:
    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    adapter = LayerAdapter(states=40)

    class Last:
        """Garbage, whose end calls the layer, with fewer states."""

        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            adapter.states = 1
            _, left = layer(values)
            for _ in range(3):
                _, left = layer(values, left)

    with neuroact.record(layer, adapters=[adapter]) as recording:
        for _ in range(5):
            _, state = layer(values, state)
        (reader,) = (each._reader for each in recording._layers.values())
        thresholds = gc.get_threshold()
        gc.collect()
        gc.disable()
        Last()
        # Python looks for garbage when it makes what it has none of at hand: a tuple, not a list.
        held = [(number, number, number) for number in range(5000)]
        spare = [[number] for number in range(80)]
        del spare
        gc.set_threshold(1)
        gc.enable()
        try:
            left = reader._steps.state()
        finally:
            gc.set_threshold(*thresholds)
            del held
    assert len(left) == 40
    assert all(tensor is state for tensor, *_ in left)


class Growing(nn.Module):
    """Its first state grows at each step."""

    def forward(self, spikes: Tensor, grown: Tensor | None = None, state: Any = None) -> Any:
        grown = torch.zeros(1) if grown is None else torch.cat([grown, torch.zeros(1)])
        return spikes, grown, (torch.zeros_like(spikes) if state is None else state) + 1


class GrowingAdapter(LayerAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        return BINARY if isinstance(module, Growing) else None

    def pattern(self, module: Any) -> CallPattern:
        return CallPattern(BINARY, False, self.find, lambda args, _: args[1:], lambda out: out[1:])


@pytest.mark.parametrize("detached", [(), (0,), (1,), (0, 1)])
def test_a_state_whose_shape_changes_goes_on_as_python_says(detached: tuple[int, ...]) -> None:
    reports = []
    for way in (with_it, without_kernel):
        layer, state = Growing(), ()
        with way(), neuroact.record(layer, adapters=[GrowingAdapter()]) as recording:
            for number in range(20):
                given = [part.detach() if at in detached else part for at, part in enumerate(state)]
                _, *state = layer(spikes(seed=number), *given)
        reports.append(recording.report())
    assert reports[0] == reports[1]


def refused_in_another_thread(layer: Layer, *, detached: bool) -> int:
    """How many of its calls are, of five, where both threads go on with one sequence."""
    refused: list[Tensor] = []
    states: list[Any] = [None]

    def five_steps() -> None:
        for _ in range(5):
            state = states[-1]
            given = state.detach() if detached and state is not None else state
            try:
                states.append(layer(torch.ones(2, *NEURONS), given)[1])
            except OtherThreadError:
                refused.append(given)

    five_steps()
    other = threading.Thread(target=five_steps)
    other.start()
    other.join()
    return len(refused)


@pytest.mark.parametrize("detached", [False, True])
def test_another_thread_is_refused_where_python_refuses_it(detached: bool) -> None:
    came = []
    for way in (with_it, without_kernel):
        layer = Layer()
        with way(), recorded(layer) as recording:
            refused = refused_in_another_thread(layer, detached=detached)
        came.append((refused, recording.report()))
    assert came[0] == came[1]
    assert came[0][0] == (5 if detached else 0)


def test_a_model_is_compiled_with_it_as_without_it() -> None:
    reports = []
    for way in (with_it, without_kernel):
        torch._dynamo.reset()
        layer, state = Layer(), None
        compiled = torch.compile(layer, backend="eager")
        with way(), recorded(layer) as recording:
            for number in range(40):
                call = compiled if number // 10 % 2 else layer
                _, state = call(spikes(seed=number), state)
        reports.append(recording.report())
    assert reports[0] == reports[1]


@pytest.mark.parametrize("statistics", [(), ALL], ids=["alone", "together"])
@pytest.mark.parametrize("while_it_runs", [False, True])
def test_a_closed_recording_lets_go_of_the_model(statistics: Any, while_it_runs: bool) -> None:
    layer, state = Layer(), None
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


def test_a_copy_of_a_statistic_is_its_figures() -> None:
    layer, state = Layer(), None
    with recorded(layer) as recording:
        (firing,) = next(iter(recording._layers.values())).statistics
        for number in range(20):
            _, state = layer(spikes(seed=number), state)
        copied = copy.deepcopy(firing)
        for number in range(20):
            _, state = layer(spikes(seed=number), state)
    assert copied.result().observations == 80
    assert 2 * copied.result().events.sum() == firing.result().events.sum()
    assert counted(recording).observations == 160


@pytest.mark.parametrize("statistics", [(), ALL], ids=["alone", "together"])
def test_where_tensors_are_made_fake_the_kernel_does_not_count_with_them(statistics: Any) -> None:
    layer, values = Layer(), torch.ones(2, *NEURONS)
    with recorded(layer, statistics) as recording:
        _, state = layer(values)
        _, state = layer(values, state)
        fakes = FakeTensorMode(allow_non_fake_inputs=True)
        with fakes, contextlib.suppress(AdapterReadError, RuntimeError):
            layer(values, state)  # its state is a fake
        recording.reset()
        for _ in range(100):
            _, state = layer(values, state)
    assert counted(recording).observations == 200


def test_what_is_raised_where_a_state_is_looked_at_comes_out_as_it_is() -> None:
    class Interrupted:
        """No tensor, which Python asks for its class to tell."""

        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise KeyboardInterrupt

    layer, state, values = Layer(), None, torch.ones(2, *NEURONS)
    found: tuple[Any, ...] = ()

    class Looking(LayerAdapter):
        def pattern(self, module: Any) -> CallPattern:
            pattern = super().pattern(module)
            return replace(pattern, left=lambda output: found or pattern.left(output))

    with neuroact.record(layer, adapters=[Looking()]):
        for _ in range(5):
            _, state = layer(values, state)
        found = (Interrupted(),)
        with pytest.raises(KeyboardInterrupt):
            layer(values, state)

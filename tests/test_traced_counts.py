"""What compiled programs count with, played by hand; the programs are in tests/adapters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from neuroact.statistics.traced_counts import TracedCounts
from neuroact.statistics.traced_window import PackedWindow, Window, window_for
from torch import Tensor

from neuroact.statistics import traced_counts
from neuroact.stream import SignalKind, SpikeChunk

INF, NAN = float("inf"), float("nan")
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.bool, torch.int8]


@pytest.fixture(params=[Window, PackedWindow], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Window]:
    """Each test holds for both windows, whatever the size of its layer."""
    kind: type[Window] = request.param
    monkeypatch.setattr(traced_counts, "window_for", kind)
    return kind


def opened(step: Tensor) -> TracedCounts:
    chunk = SpikeChunk(step, SignalKind.BINARY, starts_sequence=True)
    counts = TracedCounts()
    counts.make(chunk)
    counts.open_window(chunk)
    return counts


def fed(steps: Iterable[Tensor], starts: Iterable[bool]) -> TracedCounts:
    steps = list(steps)
    counts = opened(steps[0])
    for step, start in zip(steps, starts, strict=True):
        assert counts.have_window_for(step)
        counts.add_step(step, start)
    return counts


def taken(counts: TracedCounts) -> dict[str, Tensor]:
    state = counts.take()
    assert state is not None
    return state


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_window_counts_what_numpy_counts_over_many_sequences(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(0)
    raw = rng.random((30, 4, 2, 3)) < 0.4
    starts = [at % 7 == 0 for at in range(30)]
    state = taken(fed((torch.tensor(step[None]).to(dtype) for step in raw), starts))
    assert state["events"].tolist() == raw.sum((0, 1)).tolist()
    assert (int(state["observations"]), int(state["sequences"])) == (30 * 4, sum(starts) * 4)
    assert state["faults"].tolist() == [False, False]


@pytest.mark.filterwarnings("ignore", "error::neuroact.errors.NeuroactWarning")  # the compiler's
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_programs_of_inductor_count_every_type_and_find_every_fault(dtype: torch.dtype) -> None:
    """Of 37 neurons, so that the loop over vectors and the one over what is left both count."""
    torch._dynamo.reset()
    rng = np.random.default_rng(0)
    raw = rng.random((5, 1, 3, 37)) < 0.4
    counts = opened(torch.tensor(raw[0]))
    step_on = torch.compile(lambda step: counts.add_step(step, False), fullgraph=True)
    for step in raw:
        step_on(torch.tensor(step).to(dtype))
    state = taken(counts)
    assert state["events"].tolist() == raw.sum((0, 1, 2)).tolist()
    assert not state["faults"].any()
    odd = [] if dtype == torch.bool else [2, -1] if dtype == torch.int8 else [0.5, 2, INF, NAN, -1]
    for value in odd:
        for at in (0, 36):
            bad = torch.tensor(raw[0]).to(dtype)
            bad[0, 1, at] = value
            step_on(bad)
            step_on(torch.ones_like(bad))
            assert bool(taken(counts)["faults"][1]), (value, at)
            step_on(torch.ones_like(bad))
            assert not taken(counts)["faults"].any()


def test_what_was_taken_is_not_counted_again_and_the_window_goes_on() -> None:
    counts = fed([torch.ones(1, 2, 3)] * 4, [True, False, False, False])
    assert taken(counts)["events"].tolist() == [8] * 3
    counts.add_step(torch.ones(1, 2, 3), False)
    state = taken(counts)
    assert state["events"].tolist() == [2] * 3
    assert (int(state["observations"]), int(state["sequences"])) == (2, 0)


@pytest.mark.parametrize(
    "values",
    [
        [0.5, 0.5],
        [2, 0],
        [-1, 2],
        [-1, 1, 1],
        [2, 2],
        [INF, 0],
        [INF, -INF],
        [NAN],
        [NAN, NAN],
        [1e9],
    ],
    ids=str,
)
@pytest.mark.parametrize("then_a_sequence_starts", [False, True])
def test_no_value_other_than_0_and_1_slips_through(
    values: list[float], then_a_sequence_starts: bool
) -> None:
    """Also where the sum of several looks like a count."""
    steps = [torch.tensor([[[0.0, value]]]) for value in values]
    counts = fed(steps, [True] + [False] * (len(steps) - 1))
    if then_a_sequence_starts:
        counts.add_step(torch.tensor([[[1.0, 1.0]]]), True)
    state = taken(counts)
    assert state["faults"].tolist() == [False, True]
    assert state["events"][0] == then_a_sequence_starts


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int64], ids=str)
def test_no_whole_number_but_0_and_1_slips_through_in_any_type(dtype: torch.dtype) -> None:
    """Also where their squares do not fit into the type."""
    most = min(torch.iinfo(dtype).max, 2**15)
    for value in (*range(-128, 260), most, most - 1):
        if torch.iinfo(dtype).min <= value <= most:
            state = taken(fed([torch.full((1, 1, 1), value, dtype=dtype)], [True]))
            assert bool(state["faults"][1]) == (value not in (0, 1)), value


def test_the_last_value_before_0_and_1_and_the_next_one_are_found_in_every_type() -> None:
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for at in (0.0, 1.0):
            for towards in (-2.0, 2.0):
                step = torch.tensor(at, dtype=dtype).nextafter(torch.tensor(towards, dtype=dtype))
                if step.to(torch.float32).abs() < torch.finfo(torch.float32).tiny:
                    continue  # that some processors take for 0
                state = taken(fed([step.reshape(1, 1, 1)], [True]))
                assert bool(state["faults"][1]), (dtype, at, towards)


def nearly_full(step: Tensor) -> TracedCounts:
    """A window that has been told of 2^31 - 2 steps, in which all neurons fired."""
    counts, told = opened(step), 2**31 - 2
    window = counts.window
    if isinstance(window, PackedWindow):
        window.counts.fill_(told << 32 | told)
    elif window is not None:
        window.counts.fill_(told)
        window.steps.fill_(told)
    return counts


def test_counts_are_exact_up_to_the_last_that_a_window_holds() -> None:
    counts = nearly_full(torch.ones(1, 2, 3))
    counts.add_step(torch.ones(1, 2, 3), False)
    state = taken(counts)
    assert state["events"].tolist() == [2 * (2**31 - 1)] * 3
    assert int(state["observations"]) == 2 * (2**31 - 1)
    assert not state["faults"].any()


@pytest.mark.parametrize("then_a_sequence_starts", [False, True])
def test_more_steps_than_a_window_holds_are_a_fault(then_a_sequence_starts: bool) -> None:
    step = torch.tensor([[[1.0, 0.0]]])
    counts = nearly_full(step)
    for _ in range(5):
        counts.add_step(step, False)
    if then_a_sequence_starts:
        counts.add_step(step, True)
    assert taken(counts)["faults"].tolist() == [False, True]


@pytest.mark.parametrize("steps", [2**31, 2**32 - 2])
def test_a_fault_is_found_however_many_steps_come_after_it(steps: int) -> None:
    """Also where as many would lift it above zero again."""
    counts = opened(torch.ones(1, 2, 3))
    counts.add_step(torch.full((1, 2, 3), 0.5), True)
    window = counts.window
    if isinstance(window, PackedWindow):
        # What as many steps leave, since its sign is never written over.
        window.counts.fill_(-(2**63) | (steps + 1 << 32 & 2**63 - 1))
    elif window is not None:
        window.counts.add_(2**31 - 1).add_(1)
        window.steps.add_(steps)
        assert not window.counts.any()
    counts.add_step(torch.ones(1, 2, 3), False)
    assert taken(counts)["faults"].tolist() == [False, True]


def test_small_layers_have_the_window_of_one_tensor() -> None:
    assert type(window_for(torch.ones(4, 100))) is PackedWindow
    assert type(window_for(torch.ones(64, 200))) is Window
    assert type(window_for(torch.ones(64, 0))) is Window  # in which no value can count the steps


@pytest.mark.parametrize(
    "values",
    [torch.zeros(1, 3, 3), torch.zeros(2, 2, 3), torch.zeros(1, 2, 4)],
    ids=["batch", "steps", "neurons"],
)
def test_steps_of_another_shape_have_no_window(values: Tensor) -> None:
    assert not opened(torch.zeros(1, 2, 3)).have_window_for(values)


@pytest.mark.parametrize("values", [torch.zeros(2, 2, 3), torch.zeros(1, 2, 2**20)], ids=["T", "N"])
def test_sequences_and_the_largest_layers_get_no_window(values: Tensor) -> None:
    assert opened(values).window is None


def test_the_total_of_a_layer_that_is_binary_now_and_graded_then_has_the_window_too() -> None:
    counts = opened(torch.ones(1, 2, 3))
    graded = SpikeChunk(torch.full((1, 2, 3), 2.5), SignalKind.GRADED, starts_sequence=True)
    counts.make(graded)
    counts.add(graded.values, graded.kind, True)
    counts.add_step(torch.ones(1, 2, 3), True)
    counts.add_step(torch.ones(1, 2, 3), False)
    assert taken(counts)["total"].tolist() == [2 * 2.5 + 4.0] * 3

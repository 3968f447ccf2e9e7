"""How compiled programs count, played by hand; tests/adapters runs real programs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy import ToyAdapter

from neuroact.layers.call_pattern import CallPattern
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording.compiled.counter import CompiledCounter
from neuroact.recording.compiled.window import Folded, PackedWindow, Window, window_for
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.watched_layer import WatchedLayer
from neuroact.statistics import Firing
from neuroact.stream import SignalKind, SpikeChunk

INF, NAN = float("inf"), float("nan")
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.bool, torch.int8]
both = pytest.mark.parametrize("kind", [Window, PackedWindow])


def fed(kind: type[Window], steps: Iterable[Tensor]) -> Folded:
    """The fold of a window after these steps `[batch, *neurons]`."""
    steps = list(steps)
    window = kind(steps[0])
    for step in steps:
        window.add(step)
    return window.fold()


@both
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_window_counts_what_numpy_counts(kind: type[Window], dtype: torch.dtype) -> None:
    raw = np.random.default_rng(0).random((30, 4, 2, 3)) < 0.4
    folded = fed(kind, (torch.tensor(step).to(dtype) for step in raw))
    assert folded.events.tolist() == raw.sum((0, 1)).tolist()
    assert (int(folded.steps), bool(folded.not_binary)) == (30, False)


@both
@pytest.mark.filterwarnings("ignore", "error::neuroact.errors.NeuroactWarning")  # the compiler's
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_programs_of_inductor_count_every_type_and_find_every_value_that_is_not_binary(
    kind: type[Window], dtype: torch.dtype
) -> None:
    """With 37 neurons both the loop over vectors and the loop over the rest count."""
    torch._dynamo.reset()
    raw = np.random.default_rng(0).random((5, 3, 37)) < 0.4
    window = kind(torch.tensor(raw[0]))
    step_on = torch.compile(lambda step: window.add(step), fullgraph=True)
    for step in raw:
        step_on(torch.tensor(step).to(dtype))
    folded = window.fold()
    assert folded.events.tolist() == raw.sum((0, 1)).tolist()
    assert not folded.not_binary
    others = (
        [] if dtype == torch.bool else [2, -1] if dtype == torch.int8 else [0.5, 2, INF, NAN, -1]
    )
    for value in others:
        for at in (0, 36):
            bad = torch.tensor(raw[0]).to(dtype)
            bad[1, at] = value
            step_on(bad)
            step_on(torch.ones_like(bad))
            assert bool(window.fold().not_binary), (value, at)
            step_on(torch.ones_like(bad))
            assert not window.fold().not_binary


@both
def test_a_fold_empties_the_window_which_then_counts_on(kind: type[Window]) -> None:
    window = kind(torch.ones(2, 3))
    for _ in range(4):
        window.add(torch.ones(2, 3))
    assert window.fold().events.tolist() == [8] * 3
    window.add(torch.ones(2, 3))
    folded = window.fold()
    assert (folded.events.tolist(), int(folded.steps)) == ([2] * 3, 1)


@both
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
def test_no_value_other_than_0_and_1_slips_through(kind: type[Window], values: list[float]) -> None:
    """This includes values whose sum looks like a count."""
    folded = fed(kind, [torch.tensor([[0.0, value]]) for value in values])
    assert bool(folded.not_binary)
    assert folded.events[0] == 0


@both
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int64], ids=str)
def test_no_whole_number_but_0_and_1_slips_through_in_any_type(
    kind: type[Window], dtype: torch.dtype
) -> None:
    """This includes values whose squares do not fit into the type."""
    most = min(torch.iinfo(dtype).max, 2**15)
    for value in (*range(-128, 260), most, most - 1):
        if torch.iinfo(dtype).min <= value <= most:
            folded = fed(kind, [torch.full((1, 1), value, dtype=dtype)])
            assert bool(folded.not_binary) == (value not in (0, 1)), value


@both
def test_the_last_value_before_0_and_1_and_the_next_one_are_found_in_every_type(
    kind: type[Window],
) -> None:
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for at in (0.0, 1.0):
            for towards in (-2.0, 2.0):
                step = torch.tensor(at, dtype=dtype).nextafter(torch.tensor(towards, dtype=dtype))
                if step.to(torch.float32).abs() < torch.finfo(torch.float32).tiny:
                    continue  # some processors take it for 0
                assert bool(fed(kind, [step.reshape(1, 1)]).not_binary), (dtype, at, towards)


def nearly_full(kind: type[Window], step: Tensor) -> Window:
    """A window after 2^31 - 2 steps, in each of which all neurons fired."""
    window, came = kind(step), 2**31 - 2
    if isinstance(window, PackedWindow):
        window.counts.fill_(came << 32 | came)
    else:
        window.counts.fill_(came)
        window.steps.fill_(came)
    return window


@both
def test_counts_are_exact_up_to_the_most_steps_that_a_window_holds(kind: type[Window]) -> None:
    window = nearly_full(kind, torch.ones(2, 3))
    window.add(torch.ones(2, 3))
    folded = window.fold()
    assert folded.events.tolist() == [2 * (2**31 - 1)] * 3
    assert (int(folded.steps), bool(folded.not_binary)) == (2**31 - 1, False)


@both
def test_more_steps_than_a_window_holds_are_reported_as_not_binary(kind: type[Window]) -> None:
    step = torch.tensor([[1.0, 0.0]])
    window = nearly_full(kind, step)
    for _ in range(5):
        window.add(step)
    assert bool(window.fold().not_binary)


@both
@pytest.mark.parametrize("steps", [2**31, 2**32 - 2])
def test_a_value_that_is_not_binary_is_found_however_many_steps_come_after_it(
    kind: type[Window], steps: int
) -> None:
    """This includes as many steps as lift its negative count above zero again."""
    window = kind(torch.ones(2, 3))
    window.add(torch.full((2, 3), 0.5))
    if isinstance(window, PackedWindow):
        # What so many steps leave. No step overwrites the sign.
        window.counts.fill_(-(2**63) | (steps + 1 << 32 & 2**63 - 1))
    else:
        window.counts.add_(2**31 - 1).add_(1)
        window.steps.add_(steps)
        assert not window.counts.any()
    window.add(torch.ones(2, 3))
    assert bool(window.fold().not_binary)


def test_small_layers_have_the_window_of_one_tensor() -> None:
    assert type(window_for(torch.ones(4, 100))) is PackedWindow
    assert type(window_for(torch.ones(64, 200))) is Window
    assert type(window_for(torch.ones(64, 0))) is Window  # it has no element to count the steps in


class Layer:
    """A layer that programs count; the test runs each of their calls by hand."""

    def __init__(self) -> None:
        info = LayerInfo("lif", (), "toy", "Neuron", SignalKind.BINARY)
        self.recorder = LayerRecorder(info, [Firing()])
        watched = WatchedLayer(self.recorder, nn.Identity(), ToyAdapter())
        self.counter: CompiledCounter = watched.reader.compiled_counter
        self.state = torch.zeros(1)

    def call(self, values: Tensor, *, starts: bool, kind: SignalKind = SignalKind.BINARY) -> None:
        """Count one step, or a sequence `[time, batch, *neurons]` of three dimensions."""
        pattern = CallPattern(kind, values.ndim == 3, lambda y: y, lambda *_: (), lambda _: ())
        rest = torch.zeros(values.shape[-2])  # of each sample
        given, self.state = rest if starts else self.state, rest.clone()
        self.counter.count(pattern, (given,), values, (self.state,))

    def counted(self) -> dict[str, Tensor]:
        """The state of the layer's statistic."""
        with self.recorder.settled() as (firing,):
            return firing.state_dict()


@pytest.mark.parametrize("values", [torch.zeros(2, 2, 3), torch.zeros(2, 2**20)], ids=["T", "N"])
def test_sequences_and_the_largest_layers_get_no_window(values: Tensor) -> None:
    layer = Layer()
    layer.call(values, starts=True)
    assert layer.counter._counts is not None
    assert layer.counter._window is None


def test_steps_of_another_shape_do_not_go_into_the_window_and_are_counted() -> None:
    layer = Layer()
    for values in (torch.ones(2, 3), torch.ones(3, 3), torch.ones(2, 2, 3), torch.ones(2, 3)):
        layer.call(values, starts=True)
    counted = layer.counted()
    assert counted["events"].tolist() == [2 + 3 + 4 + 2] * 3
    assert (int(counted["observations"]), int(counted["sequences"])) == (11, 9)


def test_the_total_of_a_layer_that_turns_graded_includes_the_window() -> None:
    layer, ones = Layer(), torch.ones(2, 3)
    layer.call(ones, starts=True)
    layer.call(torch.full((2, 3), 2.5), starts=True, kind=SignalKind.GRADED)
    layer.call(ones, starts=True)
    layer.call(ones, starts=False)
    layer.call(ones, starts=False)
    assert layer.counter._window is not None
    assert layer.counted()["total"].tolist() == [2 * 2.5 + 8.0] * 3


def test_an_unreliable_layer_stays_so_after_the_fold_at_the_next_start() -> None:
    layer = Layer()
    for value, starts in ((1.0, True), (0.5, False), (1.0, True), (1.0, False)):
        layer.call(torch.full((2, 3), value), starts=starts)
    assert layer.counted()["faults"].tolist() == [False, True]


def test_sequences_that_a_program_began_are_known_to_eager_calls() -> None:
    layer, chunk = Layer(), torch.ones(1, 5, 3)
    for batch in (2, 2, 5, 5):
        layer.call(torch.ones(batch, 3), starts=True)
    layer.counter.hand_over()
    layer.recorder.take(SpikeChunk(chunk, SignalKind.BINARY, starts_sequence=False))
    assert int(layer.counted()["sequences"]) == 2 + 2 + 5 + 5


def test_samples_that_have_not_begun_are_counted_in_python() -> None:
    layer = Layer()
    layer.call(torch.ones(2, 3), starts=True)
    with layer.recorder.settled():
        pass
    valid = torch.tensor([[True, False]])
    chunk = SpikeChunk(torch.ones(1, 2, 3), SignalKind.BINARY, starts_sequence=True, valid=valid)
    layer.counter.hand_over()
    layer.recorder.take(chunk)
    layer.recorder.trace.continues(None, layer.state)
    layer.call(torch.ones(2, 3), starts=False)
    assert layer.counter._counts is None
    assert int(layer.counted()["sequences"]) == 4

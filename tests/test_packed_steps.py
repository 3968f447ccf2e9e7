"""Steps counted packed, by compiled loops, and one by one, by PyTorch: the same to the bit."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses import FakeTensorMode

from neuroact import (
    Firing,
    InterspikeIntervals,
    Recording,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import NeuroactWarning
from neuroact.layer import LayerInfo, LayerRecorder
from neuroact.statistics import event_counts, native
from neuroact.statistics.native import without_loops
from neuroact.statistics.packed_steps import WIDTH, PackedSteps

ALL = (SpikeCounts, TimeCourse, InterspikeIntervals, Synchrony)
BINARY = SignalKind.BINARY
NEURONS = (3, 2)


class Layer(LayerRecorder):
    """A layer with statistics beside `Firing`."""

    def __init__(self, *statistics: type) -> None:
        info = LayerInfo("lif", (), "test", "LIF", BINARY)
        super().__init__(info, [Firing(), *(cls() for cls in statistics)])

    def step(self, values: Tensor) -> None:
        for advance in self.advances:
            advance(values)

    def states(self) -> list[dict[str, Tensor]]:
        return [statistic.state_dict() for statistic in self.statistics]


def packs(layer: Layer) -> bool:
    """Whether its next step will be packed."""
    return any(isinstance(told, PackedSteps) and told.is_packing for told in layer.told)


def same(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]]) -> bool:
    return all(
        a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
        for a, b in zip(ours, theirs, strict=True)
    )


def spikes(generator: np.random.Generator, steps: int, batch: int) -> Tensor:
    rate = generator.choice([0.0, 0.05, 0.3, 1.0])
    return torch.from_numpy(generator.random((steps, batch, *NEURONS)) < rate).float()


def as_it_comes(values: Tensor, how: str) -> Tensor:
    """The same values in another dtype or layout."""
    if how == "strided":
        return values.transpose(-1, -2).contiguous().transpose(-1, -2)
    return values.to({"float64": torch.float64, "bool": torch.bool}.get(how, torch.float32))


TALES = st.lists(
    st.tuples(
        st.sampled_from(["chunk", "start", "steps", "masked", "look", "reset", "merge", "load"]),
        st.integers(1, 2 * WIDTH + 3),
        st.sampled_from(["plain", "plain", "plain", "strided", "float64", "bool"]),
    ),
    min_size=1,
    max_size=8,
)


def happen(layer: Layer, what: str, values: Tensor, mask: Tensor) -> None:
    """Do to a layer what a tale says."""
    if what == "steps":
        layer.take(SpikeChunk(values[:1], BINARY, starts_sequence=False))
        for step in values[1:]:
            layer.step(step)
    elif what in ("chunk", "start"):
        layer.take(SpikeChunk(values, BINARY, what == "start"))
    elif what == "masked":
        layer.take(SpikeChunk(values, BINARY, starts_sequence=False, valid=mask))
    elif what == "reset":
        layer.reset()
    elif what == "load":
        for statistic, state in zip(layer.statistics, layer.states(), strict=True):
            statistic.load_state_dict(state)
    elif what == "merge":
        other = Layer(*ALL)
        other.take(SpikeChunk(values, BINARY, starts_sequence=True))
        layer.merge(other)


@given(TALES, st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_packed_or_one_by_one_every_bit_is_the_same(
    tale: list[tuple[str, int, str]], batch: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    ours, theirs = Layer(*ALL), Layer(*ALL)
    for what, steps, how in tale:
        values = as_it_comes(spikes(generator, steps, batch), how)
        mask = torch.from_numpy(generator.random((steps, batch)) < 0.7)
        happen(ours, what, values, mask)
        with without_loops():
            happen(theirs, what, values, mask)
        if what == "look":
            assert same(ours.states(), theirs.states())
    assert same(ours.states(), theirs.states())


@pytest.mark.parametrize("number", range(1, len(ALL) + 1))
def test_steps_are_packed_where_several_statistics_count(number: int) -> None:
    layer = Layer(*ALL[:number])
    layer.take(SpikeChunk(torch.ones(3, 2, 4), BINARY, starts_sequence=True))
    assert packs(layer)
    with without_loops():
        layer.take(SpikeChunk(torch.ones(3, 2, 4), BINARY, starts_sequence=True))
    assert not packs(layer)


@pytest.mark.parametrize("odd", [0.5, -1.0, 2.0, math.nan, math.inf])
@pytest.mark.parametrize("at", [1, 40, 63, 64, 90])
def test_each_value_that_is_packed_is_tested(odd: float, at: int) -> None:
    recording = Recording(statistics=ALL)
    values = torch.zeros(100, 1, 5)
    values[at, 0, 3] = odd
    recording.observe("lif", values)
    with pytest.warns(NeuroactWarning, match='layer "lif"'):
        layer = recording.report()["lif"]
    assert math.isnan(layer.mean)
    assert math.isnan(layer[SpikeCounts].mean)


def test_steps_around_a_wrong_value_count_as_they_are() -> None:
    ours, theirs = Layer(*ALL), Layer(*ALL)
    values = spikes(np.random.default_rng(0), 3 * WIDTH, 2)
    values[WIDTH + 5, 1, 2] = 3.0
    ours.take(SpikeChunk(values, BINARY, starts_sequence=True))
    with without_loops():
        theirs.take(SpikeChunk(values, BINARY, starts_sequence=True))
    assert same(ours.states()[1:], theirs.states()[1:])
    assert packs(ours)


def test_steps_whose_counting_was_interrupted_are_not_among_those_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, ones = Layer(SpikeCounts), torch.ones(2, *NEURONS)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    layer.take(SpikeChunk(ones.unsqueeze(0), BINARY, starts_sequence=True))
    for _ in range(3):
        layer.step(ones)
    with monkeypatch.context() as patch:
        patch.setattr(SpikeCounts, "count_packed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            layer.states()
    layer.reset()
    layer.take(SpikeChunk(0 * ones.unsqueeze(0), BINARY, starts_sequence=True))
    for _ in range(3):
        layer.step(0 * ones)
    assert layer.states()[0]["events"].sum() == 0


def test_steps_after_graded_ones_were_merged_add_to_the_total() -> None:
    layer, other, ones = Layer(SpikeCounts), Layer(SpikeCounts), torch.ones(2, *NEURONS)
    other.take(SpikeChunk(ones.unsqueeze(0) / 2, SignalKind.GRADED, starts_sequence=True))
    layer.take(SpikeChunk(ones.unsqueeze(0), BINARY, starts_sequence=True))
    for _ in range(3):
        layer.step(ones)
    assert packs(layer)
    layer.merge(other)
    layer.take(SpikeChunk(ones.unsqueeze(0), BINARY, starts_sequence=False))
    for _ in range(99):
        layer.step(ones)
    state = layer.states()[0]
    assert state["events"].eq(2 * 105).all()
    assert state["total"].eq(2 * 104.5).all()


def test_labelled_samples_are_counted_by_class() -> None:
    recording = Recording(statistics=ALL)
    values = spikes(np.random.default_rng(1), 80, 2)
    recording.observe("lif", values)
    recording.label([1, 0])
    recording.observe("lif", values)
    layer = recording.report()["lif"]
    assert (layer["ClassActivity"].class_events == values.sum(0).flip(0).numpy()).all()
    assert (layer.events == 2 * values.sum((0, 1)).numpy()).all()


@pytest.mark.parametrize("statistics", [(), ALL], ids=["one", "several"])
def test_what_is_no_plain_tensor_is_counted_by_pytorch(statistics: tuple[type, ...]) -> None:
    layer, ones = Layer(*statistics), torch.ones(2, 4)
    layer.take(SpikeChunk(ones.unsqueeze(0), BINARY, starts_sequence=True))
    others = (
        torch.nn.Parameter(ones, requires_grad=False),
        ones.to(torch.float64),
        torch.ones(4, 2).t(),
        torch.ones(2, 8)[:, ::2],
        torch.ones(1, 4).expand(2, 4),
    )
    for values in others:
        layer.step(values)
    layer.step(ones)
    assert (layer.statistics[0].result().events == 2 * (len(others) + 2)).all()
    with FakeTensorMode():
        fake = torch.ones(2, 4)
    with pytest.raises(Exception, match=r"[Ff]ake"):  # PyTorch's own, for mixing them
        layer.step(fake)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_window_never_holds_more_than_it_counts_exactly(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 3 * event_counts.MOST_ADVANCES
    monkeypatch.setattr(event_counts, "WINDOW_EVENTS", most)
    if batch > 1:
        monkeypatch.setattr(event_counts, "LARGEST_WINDOW", 1)
    layer, ones, held = Layer(), torch.ones(batch, 4), 0.0
    for number in range(10 * most):
        if number % (event_counts.MOST_ADVANCES + 1) == 0:
            layer.take(SpikeChunk(ones.unsqueeze(0), BINARY, starts_sequence=number == 0))
        else:
            layer.step(ones)
        held = max(held, float(layer.statistics[0]._counts.window.max()))
    assert most / 2 < held <= most
    assert (layer.statistics[0].result().events == 10 * most * batch).all()


def test_a_numba_that_fails_is_told_of_once_and_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "neuroact.statistics.loops", None)
    monkeypatch.delattr("neuroact.statistics.loops", raising=False)
    native._loops.cache_clear()
    try:
        layer, values = Layer(*ALL), torch.ones(2, 1, 4)
        with pytest.warns(NeuroactWarning, match="numba is installed and cannot be used"):
            layer.take(SpikeChunk(values, BINARY, starts_sequence=True))
        layer.take(SpikeChunk(values, BINARY, starts_sequence=True))
        assert not packs(layer)
        assert (layer.statistics[0].result().events == 4).all()
    finally:
        native._loops.cache_clear()


def test_numba_is_loaded_after_a_thousand_steps_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "AFTER_STEPS", 1000)
    monkeypatch.setattr(native, "_counted", 0)
    layer, step = Layer(*ALL), torch.ones(1, 1, 4)
    packed: list[bool] = []
    for number in range(1003):
        layer.take(SpikeChunk(step, BINARY, starts_sequence=number == 0))
        packed.append(packs(layer))
    assert packed == [False] * 999 + [True] * 4

"""What `Firing` promises beside the laws of every statistic: bad values, large numbers, sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from with_core import with_core

from neuroact import Firing, SignalKind, SpikeChunk
from neuroact.errors import MergeError
from neuroact.statistics import FiringResult
from neuroact.statistics.counting import parts
from neuroact.statistics.counting.step_block import StepSums
from neuroact.testing.packing import block_of
from neuroact.testing.same import assert_same_state
from neuroact.testing.strategies import Stream, cuts, ends, streams

BINARY, GRADED = SignalKind.BINARY, SignalKind.GRADED
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
NAN, INF = math.nan, math.inf


def figures(firing: Firing) -> FiringResult:
    result = firing.result()
    assert result is not None
    return result


def chunk(values: Tensor, starts: bool = True, kind: SignalKind = BINARY) -> SpikeChunk:
    return SpikeChunk(values, kind, starts)


def sums_of(values: NDArray[Any], sequences: int, starts: bool) -> StepSums:
    """The sums of steps `[steps, batch, *neurons]`, by NumPy."""
    block = block_of(values, starts=starts)
    return StepSums(
        block.neurons,
        np.count_nonzero(values, axis=(0, 1)).astype(np.int64).reshape(-1),
        len(values),
        values.shape[1],
        sequences,
        starts,
        block.nonfinite,
        block.not_binary,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("values", "nonfinite", "not_binary"),
    [
        ([0.5], False, True),
        ([2.0], False, True),
        ([-1.0], False, True),
        ([0.5, 0.5], False, True),
        ([2.0, -1.0], False, True),
        ([NAN], True, False),
        ([INF], True, False),
        ([-INF, INF], True, False),
        ([NAN, 2.0], True, True),
        ([INF, 0.5], True, True),
        ([-0.0, 1.0], False, False),
    ],
)
@pytest.mark.parametrize("place", [0, 150, 299])
def test_each_value_is_tested_wherever_it_stands(
    dtype: torch.dtype, values: list[float], nonfinite: bool, not_binary: bool, place: int
) -> None:
    steps = torch.zeros(300, 2, 3, dtype=dtype)
    steps[place, 1, 3 - len(values) :] = torch.tensor(values, dtype=dtype)
    at_once, singly = Firing(), Firing()
    at_once.update(chunk(steps))
    for number, step in enumerate(steps):
        singly.update(SpikeChunk.of_step(step, BINARY, starts_sequence=number == 0))
    assert_same_state(singly, at_once, "steps one by one and at once")
    result = figures(at_once)
    assert (result.nonfinite, result.not_binary) == (nonfinite, not_binary)
    assert result.events.tolist() == np.count_nonzero(steps.double().numpy(), (0, 1)).tolist()
    merged = Firing()
    merged.merge(at_once)
    assert_same_state(merged, _ended(at_once), "what was merged and what was not")


def _ended(firing: Firing) -> Firing:
    state = firing.state_dict()
    del state["pending"]
    again = Firing()
    again.load_state_dict(state)
    return again


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_values_next_to_0_and_1_are_found_in_every_type(dtype: torch.dtype) -> None:
    for at in (0.0, 1.0):
        for towards in (-2.0, 2.0):
            value = torch.tensor(at, dtype=dtype).nextafter(torch.tensor(towards, dtype=dtype))
            firing = Firing()
            firing.update(chunk(value.reshape(1, 1, 1)))
            result = figures(firing)
            assert (result.events.tolist(), result.not_binary) == ([1], True), value


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int64, torch.uint64]
)
def test_no_whole_number_but_0_and_1_slips_through(dtype: torch.dtype) -> None:
    limits = torch.iinfo(dtype)
    for value in {-1, 0, 1, 2, 127, 128, 255, 256, limits.min, limits.max}:
        if limits.min <= value <= limits.max:
            firing = Firing()
            firing.update(chunk(torch.tensor([[[value]]], dtype=dtype)))
            assert figures(firing).not_binary == (value not in (0, 1)), value


def test_padding_is_not_tested() -> None:
    firing, valid = Firing(), torch.tensor([[True], [False]])
    firing.update(SpikeChunk(torch.tensor([[[1.0]], [[NAN]]]), BINARY, True, valid))
    assert (figures(firing).events.tolist(), figures(firing).nonfinite) == ([1], False)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_graded_layers_values_are_tested_to_be_finite(bad: float) -> None:
    firing, values = Firing(), torch.ones(300, 2, 3)
    values[150, 1, 2] = bad
    firing.update(chunk(values, kind=GRADED))
    assert (figures(firing).nonfinite, figures(firing).not_binary) == (True, False)


@with_core
@given(st.data(), streams((0.0, 1.0, -1.0, 0.5, NAN, INF), most_steps=150))
def test_blocks_and_chunks_find_the_same_events_and_unreliable_values(
    data: st.DataObject, stream: Stream
) -> None:
    in_blocks, in_chunks = Firing(), Firing()
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence), most=64))):
            values = sequence[piece]
            lengths = data.draw(st.none() | ends(values))
            block = block_of(values, starts=number == 0, lengths=lengths)
            in_blocks.count(block)
            valid = block.chunk().valid
            in_chunks.update(SpikeChunk(torch.from_numpy(values), BINARY, number == 0, valid))
    assert_same_state(in_blocks, in_chunks, "steps in blocks and in chunks")


@given(st.data(), streams((0.0, 1.0, 2.0)), st.sampled_from([BINARY, GRADED]))
def test_sums_of_steps_are_counted_as_the_steps_are(
    data: st.DataObject, stream: Stream, first_kind: SignalKind
) -> None:
    """Also of several sequences, after padding at their start, and beside a total."""
    by_sums, by_steps = Firing(), Firing()
    for sequence in stream.sequences:
        valid = torch.rand(sequence.shape[:2]) < 0.3
        starts = data.draw(st.booleans())
        for firing in (by_sums, by_steps):
            firing.update(SpikeChunk(torch.from_numpy(sequence), first_kind, starts, valid))
        starts, again = data.draw(st.booleans()), data.draw(st.booleans())
        values = sequence if not again else np.concatenate([sequence, sequence])
        begun = (starts + again) * sequence.shape[1] if len(sequence) else 0
        by_sums.add_sums(sums_of(values, begun, starts))
        by_steps.update(chunk(torch.from_numpy(sequence), starts))
        if again:
            by_steps.update(chunk(torch.from_numpy(sequence)))
        if len(sequence):
            assert_same_state(by_sums, by_steps, "steps as sums and one by one")


def test_sums_that_come_first_start_sequences_whatever_they_say() -> None:
    firing = Firing()
    firing.add_sums(sums_of(np.ones((3, 2, 1)), 0, starts=False))
    firing.add_sums(sums_of(np.ones((3, 2, 1)), 0, starts=False))
    firing.add_sums(sums_of(np.ones((3, 4, 1)), 0, starts=False))
    assert (figures(firing).sequences, figures(firing).observations) == (6, 24)


def test_a_batch_of_more_samples_than_float32_counts_is_exact() -> None:
    firing, batch = Firing(), 50_331_663  # more than 2^24, and odd: float32 could not hold it
    firing.update(chunk(torch.ones(1, 1, 1, dtype=torch.uint8).expand(1, batch, 1)))
    assert figures(firing).events.tolist() == [batch]


def test_a_layer_of_more_neurons_than_a_part_holds_is_counted_sample_by_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = torch.from_numpy((np.random.default_rng(0).random((5, 3, 40)) < 0.5) * 1.0)
    whole, apart = Firing(), Firing()
    whole.update(chunk(values))
    monkeypatch.setattr(parts, "_MOST_ON_CPU", 7)
    apart.update(chunk(values))
    assert_same_state(apart, whole, "in small parts and in one")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.uint8, torch.float8_e5m2])
@pytest.mark.parametrize("steps", [1, 1000])
def test_narrow_types_are_widened_before_they_are_added(dtype: torch.dtype, steps: int) -> None:
    firing = Firing()
    for _ in range(7_000 // steps):
        firing.update(chunk(torch.ones(steps, 1, 2).to(dtype), False))
    assert figures(firing).events.tolist() == [7_000, 7_000]


def test_small_integers_do_not_wrap_in_graded_totals() -> None:
    firing = Firing()
    firing.update(chunk(torch.full((300, 2, 1), 255, dtype=torch.uint8), kind=GRADED))
    assert figures(firing).total.tolist() == [600 * 255.0]


def test_the_tensors_that_a_compiled_program_adds_to_stay_the_same() -> None:
    firing = Firing()
    firing.update(chunk(torch.ones(1, 2, 3), kind=GRADED))
    counts = firing.counts
    assert counts is not None
    before = [counts.events, counts.observed, counts.unreliable, counts.total]
    other = Firing()
    other.update(chunk(torch.ones(4, 2, 3)))
    firing.merge(other)
    firing.update(chunk(torch.ones(1, 5, 3)))
    firing.result()
    assert firing.counts is counts
    after = [counts.events, counts.observed, counts.unreliable, counts.total]
    assert all(a is b for a, b in zip(after, before, strict=True))


def test_sequences_that_are_open_elsewhere_can_be_continued() -> None:
    firing = Firing()
    firing.update(chunk(torch.ones(1, 2, 3)))
    firing.open.resume(4)
    firing.update(chunk(torch.ones(1, 4, 3), False))
    assert figures(firing).sequences == 2


def test_other_neurons_are_refused_by_name() -> None:
    firing, other = Firing(), Firing()
    firing.update(chunk(torch.ones(1, 1, 3)))
    other.update(chunk(torch.ones(1, 1, 4)))
    with pytest.raises(MergeError, match=r"shape \[4\] to counts of neurons of shape \[3\]"):
        firing.merge(other)
    with pytest.raises(ValueError, match=r"expected neurons of shape \[3\], came \[4\]"):
        firing.update(chunk(torch.ones(1, 1, 4)))
    with pytest.raises(ValueError, match=r"expected neurons of shape \[3\], came \[4\]"):
        firing.add_sums(sums_of(np.ones((1, 1, 4)), 1, starts=True))
    assert figures(firing).events.tolist() == [1, 1, 1]

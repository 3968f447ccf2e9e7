"""`Raster` keeps exactly the first sequences, however the stream is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroact import Raster, Recording, SignalKind, SpikeChunk
from neuroact.errors import MergeError, StatisticKindError
from neuroact.statistics import RasterResult
from neuroact.testing.packing import block_of
from neuroact.testing.strategies import SPIKE_DTYPES, Stream, cuts, ends, streams

BINARY, GRADED = SignalKind.BINARY, SignalKind.GRADED
limits = st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(1, 70))


def chunk(values: Any, starts: bool = True, valid: Any = None, kind: Any = BINARY) -> SpikeChunk:
    mask = None if valid is None else torch.as_tensor(valid)
    return SpikeChunk(torch.as_tensor(values), kind, starts, mask)


def raster_of(most: tuple[int, int, int]) -> Raster:
    return Raster(most[0], steps=most[1], neurons=most[2])


def fed(stream: Stream, most: tuple[int, int, int]) -> Raster:
    raster = raster_of(most)
    for sequence in stream.sequences:
        raster.update(chunk(sequence))
    return raster


def events_in(sequences: list[NDArray[Any]], most: tuple[int, int, int]) -> list[tuple[int, ...]]:
    """The events to keep of sequences `[steps, *neurons]`, by NumPy.

    A sequence without a step takes a place among the first, but is not counted as a sequence.
    """
    found = []
    for number, sequence in enumerate(filter(len, sequences[: most[0]])):
        neurons = int(np.prod(sequence.shape[1:]))
        every = max(1, -(-neurons // most[2]))
        flat = sequence[: most[1]].reshape(-1, neurons) if sequence.size else np.zeros((0, neurons))
        kept = [n for n in range(neurons) if n % every == 0]
        found += [(number, s, n) for s in range(len(flat)) for n in kept if flat[s, n] != 0]
    return found


def lengths_in(sequences: list[NDArray[Any]], most: tuple[int, int, int]) -> list[int]:
    return [min(len(sequence), most[1]) for sequence in sequences[: most[0]] if len(sequence)]


def kept_in(raster: Raster) -> list[tuple[int, ...]]:
    result = raster.result()
    assert isinstance(result, RasterResult)
    rows = zip(result.sequence, result.step, result.neuron, strict=True)
    return [tuple(map(int, row)) for row in rows]


def samples(stream: Stream) -> list[NDArray[Any]]:
    """Every sample's sequence, in the order in which they begin."""
    return [s[:, place] for s in stream.sequences for place in range(s.shape[1])]


def assert_same_state(ours: Raster, theirs: Raster) -> None:
    a, b = ours.state_dict(), theirs.state_dict()
    assert a.keys() == b.keys()
    for key in a:
        assert a[key].dtype == b[key].dtype
        assert torch.equal(a[key], b[key]), key


@given(streams(), limits, st.sampled_from(SPIKE_DTYPES))
def test_the_first_sequences_are_kept_spike_for_spike(
    stream: Stream, most: tuple[int, int, int], dtype: torch.dtype
) -> None:
    raster = raster_of(most)
    for sequence in stream.sequences:
        raster.update(chunk(torch.from_numpy(sequence).to(dtype)))
    assert kept_in(raster) == events_in(samples(stream), most)
    result = raster.result()
    assert result is not None
    assert result.begun == len([sample for sample in samples(stream) if len(sample)])
    assert result.lengths.tolist() == lengths_in(samples(stream), most)


@given(st.data(), streams(), limits)
def test_any_cut_in_time_gives_the_same_state(
    data: st.DataObject, stream: Stream, most: tuple[int, int, int]
) -> None:
    raster = raster_of(most)
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            raster.update(chunk(sequence[piece], starts=number == 0))
    assert_same_state(raster, fed(stream, most))


@given(st.data(), streams(), limits)
def test_a_state_saved_and_loaded_anywhere_changes_nothing(
    data: st.DataObject, stream: Stream, most: tuple[int, int, int]
) -> None:
    raster = raster_of(most)
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            raster.update(chunk(sequence[piece], starts=number == 0))
            again = Raster()
            again.load_state_dict(raster.state_dict())
            assert_same_state(again, raster)
            raster = again
    assert_same_state(raster, fed(stream, most))


@given(streams(), limits, st.integers(0, 4))
def test_merging_keeps_the_first_in_the_order_of_merging_whatever_the_grouping(
    stream: Stream, most: tuple[int, int, int], cut: int
) -> None:
    parts = [fed(Stream((s,), stream.neurons), most) for s in stream.sequences]
    before = [part.state_dict() for part in parts]
    left, right = raster_of(most), raster_of(most)
    for part in parts[:cut]:
        left.merge(part)
    for part in parts[cut:]:
        right.merge(part)
    left.merge(right)
    whole = raster_of(most)
    whole.merge(fed(stream, most))
    assert_same_state(left, whole)
    for part, state in zip(parts, before, strict=True):
        after = part.state_dict()
        assert all(torch.equal(after[key], state[key]) for key in state)


@given(streams(), limits)
def test_merging_leaves_ones_own_sequences_open(stream: Stream, most: tuple[int, int, int]) -> None:
    whole, other = raster_of(most), fed(stream, most)
    spikes = np.ones((4, 2, *stream.neurons))
    whole.update(chunk(spikes[:2]))
    whole.merge(other)
    again = Raster()
    again.load_state_dict(whole.state_dict())
    for raster in (whole, again):
        raster.update(chunk(spikes[2:], starts=False))
    assert_same_state(again, whole)
    own = [spikes[:, 0], spikes[:, 1]]
    assert kept_in(whole) == events_in([*own, *samples(stream)], most)


@given(st.data(), streams(), limits)
def test_padded_steps_are_skipped(
    data: st.DataObject, stream: Stream, most: tuple[int, int, int]
) -> None:
    raster, without = raster_of(most), []
    for sequence in stream.sequences:
        drawn = data.draw(st.lists(st.booleans(), min_size=24, max_size=24))
        mask = np.resize(np.array(drawn), sequence.shape[:2])
        values = sequence.copy()
        values[~mask] = np.nan
        without += [sequence[mask[:, place], place] for place in range(sequence.shape[1])]
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            valid = None if mask[piece].all() else mask[piece]
            raster.update(chunk(values[piece], number == 0, valid))
    assert kept_in(raster) == events_in(without, most)
    result = raster.result()
    assert result is not None
    assert result.lengths.tolist() == lengths_in(without, most)
    assert result.begun == len([sample for sample in without if len(sample)])


@given(st.data(), streams(), limits)
def test_blocks_are_kept_as_chunks_are(
    data: st.DataObject, stream: Stream, most: tuple[int, int, int]
) -> None:
    in_blocks, in_chunks = raster_of(most), raster_of(most)
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence), most=64))):
            lengths = data.draw(st.none() | ends(sequence[piece]))
            block = block_of(sequence[piece], starts=number == 0, lengths=lengths)
            in_blocks.count(block)
            in_chunks.update(chunk(sequence[piece], number == 0, block.chunk().valid))
    assert_same_state(in_blocks, in_chunks)


def test_graded_values_other_than_zero_are_events() -> None:
    raster = Raster()
    raster.update(chunk([[[0.0, -2.0, 0.5]]], kind=GRADED))
    assert kept_in(raster) == [(0, 0, 1), (0, 0, 2)]


def test_memory_is_bounded_however_much_comes() -> None:
    raster = Raster(2, steps=5, neurons=3)
    for _ in range(50):
        raster.update(chunk(torch.ones(7, 4, 10), starts=False))
        raster.update(chunk(torch.ones(7, 4, 10), starts=False, valid=torch.ones(7, 4) > 0))
    assert raster._open is not None
    assert raster._open._fired.numel() <= (5 + 1) * 2 * 3
    result = raster.result()
    assert result is not None
    assert (result.begun, result.kept, result.every, result.watched) == (4, 2, 4, 3)
    assert set(result.neuron.tolist()) == {0, 4, 8}


def test_nothing_of_the_callers_tensor_is_kept() -> None:
    raster, values = Raster(), torch.ones(1, 1, 2, requires_grad=True)
    emitted = values * 1.0
    raster.update(SpikeChunk.of_sequence(emitted, BINARY, starts_sequence=True))
    with torch.no_grad():
        emitted.zero_()
    assert len(kept_in(raster)) == 2


def test_inference_mode_and_normal_mode_take_turns() -> None:
    raster = Raster()
    for number, mode in enumerate([torch.inference_mode, torch.no_grad, torch.inference_mode]):
        with mode():
            raster.update(chunk(torch.ones(2, 1, 1), starts=number == 0))
    assert kept_in(raster) == [(0, step, 0) for step in range(6)]


def test_before_any_chunk_there_is_no_result() -> None:
    raster = Raster()
    assert raster.result() is None
    assert raster.state_dict() == {}
    raster.merge(Raster())
    assert raster.state_dict() == {}
    raster.update(chunk(torch.ones(1, 1, 3)))
    raster.reset()
    assert raster.state_dict() == {}


def test_one_neuron_without_a_shape_is_a_neuron() -> None:
    raster = Raster()
    raster.update(chunk(torch.tensor([[0.0], [1.0]])))
    assert kept_in(raster) == [(0, 1, 0)]


def test_a_sequence_that_was_not_kept_is_an_error() -> None:
    raster = Raster()
    raster.update(chunk(torch.ones(1, 3, 2)))
    result = raster.result()
    assert result is not None
    assert [x.tolist() for x in result.of(0)] == [[0, 0], [0, 1]]
    with pytest.raises(IndexError, match="sequence 1 was not kept: there are 1, from 0"):
        result.of(1)


def test_what_does_not_fit_is_refused() -> None:
    raster = Raster()
    raster.update(chunk(torch.ones(1, 1, 3)))
    with pytest.raises(ValueError, match=r"expected neurons of shape \[3\], came \[4\]"):
        raster.update(chunk(torch.ones(1, 1, 4)))
    with pytest.raises(StatisticKindError, match="Raster applies to binary and graded"):
        raster.update(chunk(torch.ones(1, 1, 3), kind=SignalKind.ANALOG))
    other = Raster(2)
    other.update(chunk(torch.ones(1, 1, 3)))
    with pytest.raises(MergeError, match="differ in their neurons, or in the numbers of sequences"):
        raster.merge(other)
    with pytest.raises(ValueError, match="expected whole numbers of 1 or more"):
        Raster(0)


@pytest.mark.parametrize(
    "change",
    [
        {"events": [[0, 0, 3]]},
        {"events": [[0, 2, 0]]},
        {"events": [[1, 0, 0]]},
        {"events": [[-1, 0, 0]]},
        {"events": [[0, -1, 0]]},
        {"lengths": [10**12]},
        {"limits": [0, 1, 1]},
    ],
)
def test_a_state_that_no_stream_can_produce_is_refused(change: dict[str, Any]) -> None:
    raster = Raster()
    raster.update(chunk(torch.ones(2, 1, 3)))
    state = raster.state_dict() | {key: torch.tensor(value) for key, value in change.items()}
    with pytest.raises(ValueError, match="within the sequences, steps and neurons kept"):
        Raster().load_state_dict(state)


def test_a_report_has_the_raster_and_a_recording_can_be_saved() -> None:
    recording = Recording(statistics=[Raster])
    recording.observe("lif", torch.eye(3).unsqueeze(1))
    result = recording.report()["lif"].results["Raster"]
    assert result.step.tolist() == result.neuron.tolist() == [0, 1, 2]

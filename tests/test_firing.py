"""`Firing` against NumPy on the raw values, and the laws of counting."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroact import Firing, SignalKind, SpikeChunk
from neuroact.errors import MergeError
from neuroact.statistics import FiringResult
from neuroact.testing.strategies import SPIKE_DTYPES, Stream, cuts, streams

BINARY, GRADED = SignalKind.BINARY, SignalKind.GRADED


def fed(stream: Stream, dtype: torch.dtype = torch.float32, kind: SignalKind = BINARY) -> Firing:
    firing = Firing()
    for sequence in stream.sequences:
        values = torch.from_numpy(sequence).to(dtype)
        firing.update(SpikeChunk(values, kind, starts_sequence=True))
    return firing


def figures(firing: Firing) -> FiringResult:
    result = firing.result()
    assert result is not None
    return result


def same(ours: Firing, theirs: Firing) -> bool:
    """Whether all that adds up is the same; which sequences are still open is not."""
    a, b = ours.state_dict(), theirs.state_dict()
    for state in (a, b):
        state.pop("pending", None)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@given(streams(), st.sampled_from(SPIKE_DTYPES))
def test_counts_equal_numpy_on_the_raw_values(stream: Stream, dtype: torch.dtype) -> None:
    result = figures(fed(stream, dtype))
    np.testing.assert_array_equal(result.events, (stream.flat != 0).sum(0))
    np.testing.assert_array_equal(result.total, stream.flat.sum(0))
    assert result.observations == len(stream.flat)
    assert result.sequences == sum(s.shape[1] for s in stream.sequences if len(s))
    assert not result.nonfinite
    assert not result.not_binary


@given(streams(levels=(0.0, 1.0, -1.0, 3.0, 0.5)), st.sampled_from(SPIKE_DTYPES[3:]))
def test_graded_events_and_total_equal_numpy(stream: Stream, dtype: torch.dtype) -> None:
    result = figures(fed(stream, dtype, GRADED))
    np.testing.assert_array_equal(result.events, (stream.flat != 0).sum(0))
    np.testing.assert_array_equal(result.total, stream.flat.sum(0))


@given(st.data(), streams(), st.sampled_from([BINARY, GRADED]))
def test_any_cut_in_time_gives_the_same_state(
    data: st.DataObject, stream: Stream, kind: SignalKind
) -> None:
    firing = Firing()
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            chunk = SpikeChunk(torch.from_numpy(sequence[piece]), kind, number == 0)
            firing.update(chunk)
    assert same(firing, fed(stream, torch.float64, kind))


@given(streams(), st.permutations(range(4)), st.sampled_from([BINARY, GRADED]))
def test_merging_in_any_order_equals_the_whole_and_leaves_the_merged_unchanged(
    stream: Stream, order: list[int], kind: SignalKind
) -> None:
    parts = [fed(Stream((s,), stream.neurons), kind=kind) for s in stream.sequences]
    merged = Firing()
    for number in order:
        if number < len(parts):
            before = parts[number].state_dict()
            merged.merge(parts[number])
            after = parts[number].state_dict()
            assert all(torch.equal(before[k], after[k]) for k in before)
    assert same(merged, fed(stream, kind=kind))


@given(streams(), streams(levels=(0.0, 0.5)))
def test_binary_and_graded_chunks_mix_and_merge(binary: Stream, graded: Stream) -> None:
    graded = Stream(
        tuple(np.resize(s, (*s.shape[:2], *binary.neurons)) for s in graded.sequences),
        binary.neurons,
    )
    mixed = fed(binary)
    for sequence in graded.sequences:
        mixed.update(SpikeChunk(torch.from_numpy(sequence), GRADED, True))
    for sequence in binary.sequences:
        mixed.update(SpikeChunk(torch.from_numpy(sequence), BINARY, True))
    together = [binary.flat, graded.flat, binary.flat]
    np.testing.assert_array_equal(figures(mixed).total, np.concatenate(together).sum(0))
    merged = fed(binary)
    merged.merge(fed(graded, kind=GRADED))
    merged.merge(fed(binary))
    assert same(merged, mixed)


@given(streams(), st.data())
def test_state_saved_and_loaded_in_mid_sequence_changes_nothing(
    stream: Stream, data: st.DataObject
) -> None:
    firing = Firing()
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            firing.update(SpikeChunk(torch.from_numpy(sequence[piece]), BINARY, number == 0))
            figures(firing)
            resumed = Firing()
            resumed.load_state_dict(firing.state_dict())
            firing = resumed
    assert same(firing, fed(stream))


@given(streams(), st.data())
def test_padding_counts_for_nothing_whatever_stands_in_it(
    stream: Stream, data: st.DataObject
) -> None:
    filler = data.draw(st.sampled_from([0.0, 1.0, float("nan"), float("inf")]))
    masked, events, seen = Firing(), 0, 0
    for sequence in stream.sequences:
        drawn = data.draw(st.lists(st.booleans(), min_size=24, max_size=24))
        mask = np.resize(np.array(drawn), sequence.shape[:2])
        values = sequence.copy()
        values[~mask] = filler
        chunk = SpikeChunk(torch.from_numpy(values), BINARY, True, torch.from_numpy(mask))
        masked.update(chunk)
        events, seen = events + sequence[mask].sum(0), seen + int(mask.sum())
    result = figures(masked)
    np.testing.assert_array_equal(result.events, events)
    assert (result.observations, result.nonfinite) == (seen, False)


def test_more_than_2_to_the_24_events_per_neuron_are_exact() -> None:
    firing, steps = Firing(), 2**22 + 1
    ones = torch.ones(1, 1, 1).expand(steps, 3, 2)
    for _ in range(4):
        firing.update(SpikeChunk(ones, BINARY, starts_sequence=False))
    # One step more: a float32 counter would stay where it is.
    firing.update(SpikeChunk(ones[:1], BINARY, starts_sequence=False))
    assert figures(firing).events.tolist() == [3 * (4 * steps + 1)] * 2


def test_one_chunk_longer_than_a_window_is_exact() -> None:
    firing = Firing()
    firing.update(SpikeChunk(torch.ones(1, 1).expand(2**24 + 3, 1), BINARY, starts_sequence=True))
    assert figures(firing).events == 2**24 + 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.uint8, torch.float8_e5m2])
@pytest.mark.parametrize("steps", [1, 1000])
def test_narrow_types_are_widened_before_they_are_added(dtype: torch.dtype, steps: int) -> None:
    firing = Firing()
    for _ in range(70_000 // steps):
        firing.update(SpikeChunk(torch.ones(steps, 1, 2).to(dtype), BINARY, False))
    assert figures(firing).events.tolist() == [70_000, 70_000]


def test_small_integers_do_not_wrap_in_graded_totals() -> None:
    firing = Firing()
    chunk = SpikeChunk(torch.full((300, 2, 1), 255, dtype=torch.uint8), GRADED, True)
    firing.update(chunk)
    assert figures(firing).total.tolist() == [600 * 255.0]


@pytest.mark.parametrize("kind", [BINARY, GRADED])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_nonfinite_value_is_remembered(kind: SignalKind, bad: float) -> None:
    firing = Firing()
    for call in range(200):
        values = torch.zeros(1, 2, 3)
        if call == 150:
            values[0, 1, 2] = bad
        firing.update(SpikeChunk(values, kind, False))
    merged = Firing()
    merged.merge(firing)
    assert figures(firing).nonfinite
    assert figures(merged).nonfinite


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0])
@pytest.mark.parametrize("call", [0, 1, 150])
def test_a_value_that_is_not_binary_is_found(value: float, call: int) -> None:
    firing = Firing()
    for number in range(200):
        values = torch.zeros(1, 2, 3)
        values[0, 1, 2] = value if number == call else 0.0
        firing.update(SpikeChunk(values, BINARY, number == 0))
    # The one case that slips through is documented: a whole number in an untested call.
    slips = value == 2.0 and call == 150
    assert figures(firing).not_binary is not slips


def test_negative_zero_is_no_event() -> None:
    firing = Firing()
    firing.update(SpikeChunk(torch.tensor([[[-0.0, 1.0]]]), GRADED, True))
    assert figures(firing).events.tolist() == [0, 1]


def test_no_graph_is_kept_and_no_tensor_of_the_caller() -> None:
    weights = torch.ones(2, 3, requires_grad=True)
    emitted = weights * 1.0
    firing = Firing()
    firing.update(SpikeChunk.of_step(emitted, BINARY, starts_sequence=True))
    state = firing.state_dict()
    assert not any(tensor.requires_grad for tensor in state.values())
    with torch.no_grad():
        emitted.zero_()
    assert figures(firing).events.tolist() == [2, 2, 2]


def test_inference_mode_and_normal_mode_take_turns() -> None:
    firing = Firing()
    modes = itertools.cycle([torch.inference_mode, torch.enable_grad, torch.no_grad])
    for batch in (2, 2, 3, 2, 2, 3):
        with next(modes)():
            for kind in (BINARY, GRADED):
                firing.update(SpikeChunk(torch.ones(1, batch, 3), kind, True))
    assert figures(firing).events.tolist() == [28, 28, 28]


def test_channels_last_and_broadcast_values_are_read_right() -> None:
    rng = np.random.default_rng(0)
    raw = (rng.random((5, 3, 4, 6)) < 0.5).astype(np.float32)
    firing = Firing()
    values = torch.from_numpy(raw).to(memory_format=torch.channels_last)
    firing.update(SpikeChunk.of_step(values, BINARY, starts_sequence=True))
    firing.update(SpikeChunk.of_step(values.contiguous(), BINARY, starts_sequence=False))
    firing.update(SpikeChunk(torch.ones(1, 1, 1, 1, 1).expand(2, 5, 3, 4, 6), BINARY, False))
    np.testing.assert_array_equal(figures(firing).events, 2 * raw.sum(0) + 10)


def test_before_any_chunk_there_is_no_result() -> None:
    firing = Firing()
    assert firing.result() is None
    assert firing.state_dict() == {}
    firing.merge(Firing())
    assert firing.result() is None


def test_reset_forgets_everything() -> None:
    firing = Firing()
    firing.update(SpikeChunk(torch.ones(2, 2, 3), BINARY, True))
    firing.reset()
    firing.update(SpikeChunk(torch.ones(1, 1, 5), BINARY, True))
    assert figures(firing).events.tolist() == [1] * 5


def test_other_neurons_are_refused() -> None:
    firing, other = Firing(), Firing()
    firing.update(SpikeChunk(torch.ones(1, 1, 3), BINARY, True))
    other.update(SpikeChunk(torch.ones(1, 1, 4), BINARY, True))
    with pytest.raises(MergeError, match=r"shape \[4\] to counts of neurons of shape \[3\]"):
        firing.merge(other)
    with pytest.raises(ValueError, match=r"expected neurons of shape \[3\], came \[4\]"):
        firing.update(SpikeChunk(torch.ones(1, 1, 4), BINARY, True))
    assert figures(firing).events.tolist() == [1, 1, 1]

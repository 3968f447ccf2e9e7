"""The laws that hold for every statistic alike: how a stream is cut, split and merged is no matter.

States are compared to the bit. Where two statistics hold the same counts but different open
sequences (a batch split in two), they are compared as ended: merged into an empty one.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from neuroact import (
    Firing,
    InterspikeIntervals,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Statistic,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import MergeError, StatisticKindError
from neuroact.testing.strategies import SPIKE_DTYPES, Stream, cuts, padded, paddings, streams


class PlainIntervals(InterspikeIntervals):
    """As where numba is not installed."""

    _may_compile = False


STATISTICS = (Firing, InterspikeIntervals, PlainIntervals, SpikeCounts, Synchrony, TimeCourse)
SPIKES_ONLY = tuple(cls for cls in STATISTICS if cls is not Firing)
BINARY, GRADED, ANALOG = SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG
LEVELS = {BINARY: (0.0, 1.0), GRADED: (0.0, -0.5, 1.0, 3.0)}

for_each = pytest.mark.parametrize("cls", STATISTICS)
kinds = st.sampled_from([BINARY, GRADED])


def chunk(
    values: NDArray[Any] | Tensor, kind: SignalKind = BINARY, starts: bool = True, valid: Any = None
) -> SpikeChunk:
    mask = None if valid is None else torch.as_tensor(valid)
    return SpikeChunk(torch.as_tensor(values), kind, starts, mask)


def feed(statistic: Any, sequences: Iterable[NDArray[Any]], kind: SignalKind = BINARY) -> Any:
    for sequence in sequences:
        statistic.update(chunk(sequence, kind))
    return statistic


def merged(cls: Any, parts: Iterable[Any]) -> Any:
    whole = cls()
    for part in parts:
        whole.merge(part)
    return whole


def assert_same_state(ours: Any, theirs: Any) -> None:
    a, b = ours.state_dict(), theirs.state_dict()
    assert a.keys() == b.keys()
    for key in a:
        assert a[key].dtype == b[key].dtype
        assert torch.equal(a[key], b[key]), key


def assert_same(ours: Any, theirs: Any) -> None:
    """The same counts; which sequences are still open does not matter."""
    assert_same_state(merged(type(ours), [ours]), merged(type(theirs), [theirs]))
    assert_same_result(ours.result(), theirs.result())


def assert_same_result(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    for name in vars(ours):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


def resumed(statistic: Any) -> Any:
    again = type(statistic)()
    again.load_state_dict(statistic.state_dict())
    return again


@st.composite
def streams_of(draw: st.DrawFn, kind: SignalKind) -> Stream:
    return draw(streams(LEVELS[kind]))


@for_each
@given(st.data(), kinds)
def test_any_cut_in_time_gives_the_same_state(
    cls: Any, data: st.DataObject, kind: SignalKind
) -> None:
    stream = data.draw(streams_of(kind))
    statistic = cls()
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            statistic.update(chunk(sequence[piece], kind, starts=number == 0))
    assert_same_state(statistic, feed(cls(), stream.sequences, kind))


@for_each
@given(st.data(), kinds)
def test_a_state_saved_and_loaded_anywhere_changes_nothing(
    cls: Any, data: st.DataObject, kind: SignalKind
) -> None:
    stream = data.draw(streams_of(kind))
    statistic = cls()
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            statistic.update(chunk(sequence[piece], kind, starts=number == 0))
            statistic.result()
            again = resumed(statistic)
            assert_same_state(again, statistic)
            assert_same_result(again.result(), statistic.result())
            statistic = again
    assert_same_state(statistic, feed(cls(), stream.sequences, kind))


@for_each
@given(st.data(), kinds)
def test_any_split_of_batches_and_time_merged_in_any_order_and_grouping_is_the_whole(
    cls: Any, data: st.DataObject, kind: SignalKind
) -> None:
    stream = data.draw(streams_of(kind))
    parts = [cls() for _ in range(data.draw(st.integers(1, 4)))]
    for sequence in stream.sequences:
        owners = data.draw(st.lists(st.integers(0, len(parts) - 1), min_size=4, max_size=4))
        for owner, part in enumerate(parts):
            samples = [n for n in range(sequence.shape[1]) if owners[n] == owner]
            for number, piece in enumerate(data.draw(cuts(len(sequence)))):
                part.update(chunk(sequence[piece][:, samples], kind, starts=number == 0))
    whole = feed(cls(), stream.sequences, kind)
    while len(parts) > 1:
        ours, theirs = data.draw(st.permutations(range(len(parts))))[:2]
        before = parts[theirs].state_dict()
        parts[ours].merge(parts[theirs])
        after = parts[theirs].state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)
        del parts[theirs]
    assert_same(parts[0], whole)


@for_each
@given(st.data(), kinds)
def test_an_open_sequence_goes_on_after_another_was_merged_in(
    cls: Any, data: st.DataObject, kind: SignalKind
) -> None:
    stream = data.draw(streams_of(kind))
    other = feed(cls(), stream.sequences, kind)
    statistic, whole = cls(), cls()
    for sequence in stream.sequences:
        for number, piece in enumerate(data.draw(cuts(len(sequence)))):
            statistic.update(chunk(sequence[piece], kind, starts=number == 0))
            statistic.merge(other)
            whole.merge(other)
    assert_same(statistic, feed(whole, stream.sequences, kind))


@for_each
@given(st.data(), kinds, st.sampled_from([0.0, 1.0, float("nan"), float("inf")]))
def test_padding_anywhere_and_whatever_stands_in_it_is_as_if_it_were_not_there(
    cls: Any, data: st.DataObject, kind: SignalKind, filler: float
) -> None:
    stream = data.draw(streams_of(kind))
    masked, plain = cls(), cls()
    for sequence in stream.sequences:
        steps, batch = sequence.shape[:2]
        plain.update(chunk(sequence[:0, :0], kind))
        lengths = data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
        places, length = data.draw(paddings(steps, batch))
        values, valid = padded(sequence, places, length, filler)
        for sample, own in enumerate(lengths):
            valid[places[own:, sample], sample] = False
            values[places[own:, sample], sample] = filler
            plain.update(chunk(sequence[:own, [sample]], kind))
        for number, piece in enumerate(data.draw(cuts(length))):
            # A mask that hides nothing may be left out.
            mask = None if valid[piece].all() and data.draw(st.booleans()) else valid[piece]
            masked.update(chunk(values[piece], kind, starts=number == 0, valid=mask))
            if data.draw(st.booleans()):
                masked = resumed(masked)
    assert_same(masked, plain)


@pytest.mark.parametrize("cls", [cls for cls in STATISTICS if hasattr(cls, "advance")])
@given(st.data(), st.sampled_from(SPIKE_DTYPES))
def test_one_step_more_is_the_same_by_advance(
    cls: Any, data: st.DataObject, dtype: torch.dtype
) -> None:
    stream, statistic = data.draw(streams()), cls()
    for sequence in stream.sequences:
        values = torch.from_numpy(sequence).to(dtype)
        first = data.draw(st.integers(0, len(values)))
        statistic.update(SpikeChunk(values[:first], BINARY, starts_sequence=True))
        for step in values[first:]:
            statistic.advance(step)
    assert_same_state(statistic, feed(cls(), stream.sequences))


@for_each
@given(streams(), st.sampled_from(SPIKE_DTYPES))
def test_the_dtype_of_the_spikes_does_not_matter(
    cls: Any, stream: Stream, dtype: torch.dtype
) -> None:
    statistic = cls()
    for sequence in stream.sequences:
        statistic.update(chunk(torch.from_numpy(sequence).to(dtype)))
    assert_same_state(statistic, feed(cls(), stream.sequences))


@for_each
@given(st.data())
def test_binary_and_graded_chunks_take_turns_and_merge(cls: Any, data: st.DataObject) -> None:
    binary, graded = data.draw(streams_of(BINARY)), data.draw(streams_of(GRADED))
    sequences = [(s, BINARY) for s in binary.sequences]
    sequences += [(np.resize(s, (*s.shape[:2], *binary.neurons)), GRADED) for s in graded.sequences]
    whole, parts = cls(), []
    for sequence, kind in data.draw(st.permutations(sequences)):
        whole.update(chunk(sequence, kind))
        parts.append(feed(cls(), [sequence], kind))
    assert_same(merged(cls, data.draw(st.permutations(parts))), whole)


@for_each
@given(streams(), streams())
def test_reset_forgets_everything(cls: Any, before: Stream, after: Stream) -> None:
    statistic = feed(cls(), before.sequences)
    statistic.reset()
    assert statistic.state_dict() == {}
    assert statistic.result() is None
    assert_same_state(feed(statistic, after.sequences), feed(cls(), after.sequences))


@for_each
def test_before_any_chunk_there_is_nothing(cls: Any) -> None:
    statistic = cls()
    assert isinstance(statistic, Statistic)
    statistic.merge(cls())
    assert statistic.result() is None
    assert resumed(statistic).state_dict() == {}


SHAPES: Sequence[tuple[int, ...]] = [
    (4, 2, 3),  # an ordinary chunk
    (4, 0, 3),  # no sample
    (0, 2, 3),  # no step
    (4, 2, 1),  # one neuron
    (4, 2),  # one neuron, without a dimension of its own
    (4, 2, 0),  # no neuron
    (1, 2, 3),  # one step
    (1, 1, 1),
]


@for_each
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_chunks_at_the_edge_count_like_any_other(
    cls: Any, shape: tuple[int, ...], value: float
) -> None:
    values = np.full(shape, value)
    for valid in (None, np.ones(shape[:2], dtype=bool), np.zeros(shape[:2], dtype=bool)):
        statistic = cls()
        statistic.update(chunk(values, valid=valid))
        other = feed(cls(), [values])
        whole = merged(cls, [statistic, other, resumed(statistic)])
        again = cls()
        for mask in (valid, None, valid):
            again.update(chunk(values, valid=mask))
        assert_same(whole, again)


@for_each
def test_a_chunk_of_another_batch_size_starts_a_sequence(cls: Any) -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 2, (5, n, 3)).astype(float) for n in (2, 4))
    statistic = feed(cls(), [first])
    statistic.update(chunk(second, starts=False))
    ours, theirs = statistic.result(), feed(cls(), [first, second]).result()
    if cls is Firing:  # it counts the starts it is told of, and no more
        assert (ours.sequences, theirs.sequences) == (2, 6)
        assert_same_result(ours, type(ours)(**{**vars(theirs), "sequences": 2}))
    else:
        assert_same_result(ours, theirs)


@for_each
def test_a_window_longer_than_float32_counts_is_exact(cls: Any) -> None:
    steps = 2**12
    long, short = torch.ones(1, 1).expand(steps, 1), torch.ones(1, 1)
    patched = "neuroact.statistics.spike_counts.EXACT"
    with pytest.MonkeyPatch.context() as patch:
        if cls is SpikeCounts:  # 2^24 steps, one by one, would take a minute
            patch.setattr(patched, 1000)
        statistic = feed(cls(), [long])
        statistic.update(chunk(short, starts=False))
        for _ in range(3000):
            statistic.update(chunk(short, starts=False))
    assert_same(statistic, feed(cls(), [torch.ones(1, 1).expand(steps + 3001, 1)]))


@for_each
def test_nothing_is_kept_of_the_caller_and_no_graph(cls: Any) -> None:
    weights = torch.ones(3, 2, 4, requires_grad=True)
    emitted = weights * 1.0
    statistic = cls()
    for number, step in enumerate(emitted):
        statistic.update(SpikeChunk.of_step(step, BINARY, starts_sequence=number == 0))
    before = statistic.state_dict()
    assert not any(tensor.requires_grad for tensor in before.values())
    with torch.no_grad():
        emitted.zero_()
    after = statistic.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    for tensor in after.values():
        tensor.zero_()
    assert_same_state(statistic, feed(cls(), [np.ones((3, 2, 4))]))


@for_each
def test_inference_mode_and_normal_mode_take_turns(cls: Any) -> None:
    modes = itertools.cycle([torch.inference_mode, torch.enable_grad, torch.no_grad])
    statistic, plain = cls(), cls()
    rng = np.random.default_rng(1)
    for number, batch in enumerate((2, 2, 2, 3, 3, 3, 2, 2, 1)):
        for kind in (BINARY, GRADED):
            values = rng.integers(0, 2, (3, batch, 5)).astype(float)
            valid = rng.random((3, batch)) < 0.7 if number % 2 else None
            starts = number % 4 == 0
            with next(modes)():
                statistic.update(chunk(values, kind, starts, valid))
                if number == 6:
                    statistic = resumed(statistic)
                statistic.merge(resumed(statistic))
            plain.update(chunk(values, kind, starts, valid))
            plain.merge(resumed(plain))
    assert_same(statistic, plain)


@for_each
def test_channels_last_and_broadcast_values_are_read_right(cls: Any) -> None:
    rng = np.random.default_rng(0)
    raw = (rng.random((4, 3, 2, 5, 6)) < 0.4).astype(np.float32)
    statistic = cls()
    for number, step in enumerate(raw):
        tensor = torch.from_numpy(step).to(memory_format=torch.channels_last)
        statistic.update(SpikeChunk.of_step(tensor, BINARY, starts_sequence=number == 0))
    ones = torch.ones(1, 1, 1, 1, 1).expand(2, 3, 2, 5, 6)
    statistic.update(chunk(ones, starts=False))
    assert_same(statistic, feed(cls(), [np.concatenate([raw, ones.numpy()])]))


@for_each
def test_other_neurons_are_refused_and_nothing_is_counted(cls: Any) -> None:
    statistic, other = feed(cls(), [np.ones((2, 1, 3))]), feed(cls(), [np.ones((2, 1, 4))])
    before = statistic.state_dict()
    with pytest.raises(MergeError, match=r"shape \[4\] to counts of neurons of shape \[3\]"):
        statistic.merge(other)
    with pytest.raises(ValueError, match=r"expected neurons of shape \[3\], came \[4\]"):
        statistic.update(chunk(np.ones((2, 1, 4))))
    after = statistic.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("cls", SPIKES_ONLY)
def test_statistics_of_spikes_refuse_real_values_and_say_why(cls: Any) -> None:
    assert cls.kinds == {BINARY, GRADED}
    statistic = feed(cls(), [np.ones((2, 1, 3))])
    before = statistic.state_dict()
    with pytest.raises(StatisticKindError, match=f"{cls.__name__} applies to binary and graded"):
        statistic.update(chunk(np.ones((2, 1, 3)), ANALOG))
    after = statistic.state_dict()
    assert functools.reduce(bool.__and__, (torch.equal(before[k], after[k]) for k in before))

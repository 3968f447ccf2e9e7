"""Each loop that counts blocks equals NumPy, or a plain walk over the spikes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from cores import each, find_core
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

core = find_core()

WORDS = st.one_of(
    st.just(0), st.integers(0, 2**64 - 1), st.integers(0, 63).map(lambda bit: 1 << bit)
)


@st.composite
def blocks(draw: st.DrawFn) -> NDArray[np.uint64]:
    """Words `[batch, neurons]`; either size may be 0."""
    batch, neurons = draw(st.integers(0, 4)), draw(st.integers(0, 6))
    words = [[draw(WORDS) for _ in range(neurons)] for _ in range(batch)]
    return np.array(words, np.uint64).reshape(batch, neurons)


def bits_of(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The words' spikes, `[64, *shape]`."""
    steps = np.arange(64, dtype=np.uint64).reshape(64, *(1,) * words.ndim)
    return (words >> steps & np.uint64(1)).astype(np.int64)


@given(blocks())
def test_events_are_the_bits_of_each_neurons_words(words: NDArray[np.uint64]) -> None:
    for _ in each(core):
        events = np.full(words.shape[1], 7, np.int64)
        core.add_events(words, events)
        np.testing.assert_array_equal(events - 7, bits_of(words).sum((0, 1)))


@given(blocks())
def test_counts_are_the_bits_of_each_word(words: NDArray[np.uint64]) -> None:
    for _ in each(core):
        counts = np.full(words.shape, 7, np.int64)
        core.add_counts(words, counts)
        np.testing.assert_array_equal(counts - 7, bits_of(words).sum(0))


@given(blocks(), st.data())
def test_first_spikes_are_those_of_neurons_that_had_not_fired(
    words: NDArray[np.uint64], data: st.DataObject
) -> None:
    batch, neurons = words.shape
    clocks = st.lists(st.integers(0, 5), min_size=batch, max_size=batch)
    clock = np.array(data.draw(clocks), np.int64)
    flags = st.lists(st.booleans(), min_size=words.size, max_size=words.size)
    fired = np.array(data.draw(flags), np.bool_).reshape(words.shape)
    expected, first, after = np.zeros(69, np.int64), np.zeros(69, np.int64), fired.copy()
    for sample, neuron in np.ndindex(batch, neurons):
        spikes = bits_of(words[sample, neuron]).nonzero()[0]
        if len(spikes) and not fired[sample, neuron]:
            expected[spikes[0] + clock[sample]] += 1
            after[sample, neuron] = True
    core.add_first(words, fired, first, clock)
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(fired, after)


def test_a_first_spike_outside_the_steps_is_refused_before_anything_is_counted() -> None:
    words = np.array([[1 << 3], [1 << 4]], np.uint64)
    for clock, steps in [([0, 0], 4), ([0, 1], 5), ([0, -1], 9), ([0, 2**63 - 1], 9)]:
        fired, first = np.zeros((2, 1), np.uint8), np.zeros(steps, np.int64)
        with pytest.raises(ValueError, match="a spike lies at a step that first does not have"):
            core.add_first(words, fired, first, np.array(clock, np.int64))
        assert not fired.any()
        assert not first.any()
    first = np.zeros(5, np.int64)
    core.add_first(words, np.zeros((2, 1), np.uint8), first, np.array([1, 0]))
    assert first.tolist() == [0, 0, 0, 0, 2]


@st.composite
def sums_of_samples(draw: st.DrawFn) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Sums `[steps, batch]`, and how many steps of each sample count."""
    steps, batch = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    each_sum = st.integers(0, 9) | st.integers(0, 2**31 - 1)
    sums = draw(st.lists(each_sum, min_size=steps * batch, max_size=steps * batch))
    some = st.lists(st.integers(0, steps), min_size=batch, max_size=batch)
    lengths = draw(st.just([steps] * batch) | some)
    return np.array(sums, np.int32).reshape(steps, batch), np.array(lengths, np.int64)


@given(sums_of_samples(), st.integers(0, 3), st.data())
def test_steps_are_added_where_they_are_in_their_samples_sequences(
    given_sums: tuple[NDArray[np.int32], NDArray[np.int64]], start: int, data: st.DataObject
) -> None:
    sums, lengths = given_sums
    batch = sums.shape[1]
    apart = st.lists(st.integers(0, 6), min_size=batch, max_size=batch)
    clock = np.array(data.draw(st.just([start] * batch) | apart), np.int64)
    expected = np.zeros((3, 11), object)
    for step, sample in np.ndindex(sums.shape):
        if step < lengths[sample]:
            value = int(sums[step, sample])
            expected[:, clock[sample] + step] += np.array([value, value * value, 1], object)
    events, squares, observations = np.full((3, 11), 5, np.int64)
    core.add_steps(sums, clock, lengths, events, squares, observations)
    assert (events - 5).tolist() == expected[0].tolist()
    assert squares.tolist() == [(s + 5 + 2**63) % 2**64 - 2**63 for s in expected[1]]
    assert (observations - 5).tolist() == expected[2].tolist()


@pytest.mark.parametrize(
    ("clock", "lengths", "says"),
    [
        ([0, 2], [2, 2], "clock"),
        ([0, -1], [2, 2], "clock"),
        ([0, 2**63 - 1], [2, 2], "clock"),
        ([0, 0], [2, 3], "lengths"),
        ([0, 0], [2, -1], "lengths"),
    ],
)
def test_a_step_outside_its_sequence_is_refused_before_anything_is_counted(
    clock: list[int], lengths: list[int], says: str
) -> None:
    sums, totals = np.ones((2, 2), np.int32), [np.zeros(size, np.int64) for size in (5, 3, 4)]
    with pytest.raises(ValueError, match=says):
        core.add_steps(sums, np.array(clock), np.array(lengths), *totals)
    assert not any(total.any() for total in totals)
    core.add_steps(sums, np.array([0, 1]), np.array([2, 2]), *totals)
    assert [total.tolist() for total in totals] == [[1, 2, 1, 0, 0], [1, 2, 1], [1, 2, 1, 0]]


@given(sums_of_samples())
def test_a_histogram_counts_the_steps_of_each_samples_length(
    given_sums: tuple[NDArray[np.int32], NDArray[np.int64]],
) -> None:
    sums, lengths = given_sums[0] % 50, given_sums[1]
    found = [int(sums[k, b]) for b, end in enumerate(lengths) for k in range(end)]
    histogram = np.full(50, 2, np.int64)
    core.add_to_histogram(sums, lengths, histogram)
    np.testing.assert_array_equal(histogram - 2, np.bincount(found, minlength=50))


@pytest.mark.parametrize("wrong", [-1, 4, 2**31 - 1, -(2**31)])
def test_a_sum_without_a_bin_is_refused_before_anything_is_counted(wrong: int) -> None:
    sums, histogram = np.array([[1, wrong]], np.int32), np.zeros(4, np.int64)
    with pytest.raises(ValueError, match="the histogram has no bin for one"):
        core.add_to_histogram(sums, np.array([1, 1]), histogram)
    for lengths in ([1, 2], [1, -1]):
        with pytest.raises(ValueError, match="lengths"):
            core.add_to_histogram(sums, np.array(lengths), histogram)
    assert not histogram.any()
    core.add_to_histogram(sums, np.array([1, 0]), histogram)
    assert histogram.tolist() == [0, 1, 0, 0]


PER_NEURON = ("intervals", "sums", "squares", "pairs", "cv2", "lv")


def walked(trains: NDArray[np.int64], bins: int) -> dict[str, NDArray[np.int64]]:
    """What the intervals of whole spike trains, `[time, batch, neurons]`, add up to."""
    neurons = trains.shape[2]
    totals = {name: np.zeros(neurons, np.int64) for name in PER_NEURON}
    totals["histogram"] = np.zeros(bins, np.int64)
    for sample, neuron in np.ndindex(*trains.shape[1:]):
        found = np.diff(trains[:, sample, neuron].nonzero()[0]).tolist()
        for interval in found:
            totals["histogram"][interval] += 1
            totals["intervals"][neuron] += 1
            totals["sums"][neuron] += interval
            totals["squares"][neuron] += interval**2
        for one, other in pairwise(found):
            ratio = abs(one - other) / (one + other)
            totals["pairs"][neuron] += 1
            totals["cv2"][neuron] += round(ratio * 2.0 * 2.0**44)
            totals["lv"][neuron] += round(ratio * ratio * 3.0 * 2.0**44)
    return totals


def counted(
    trains: NDArray[np.int64], ends: NDArray[np.int64], cuts: list[int], bins: int
) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int64], NDArray[np.int64]]:
    """The same by the core, in blocks cut at `cuts`."""
    shape = trains.shape[1:]
    totals = {name: np.zeros(shape[1], np.int64) for name in PER_NEURON}
    histogram = np.zeros(bins, np.int64)
    age, last = np.zeros((2, *shape), np.int64)
    for start, end in pairwise(cuts):
        words = np.zeros(shape, np.uint64)
        for step in range(start, end):
            words |= trains[step].astype(np.uint64) << np.uint64(step - start)
        lengths = np.clip(ends - start, 0, end - start)
        core.add_intervals(words, lengths, age, last, histogram, *totals.values())
    return {**totals, "histogram": histogram}, age, last


@given(st.data())
def test_intervals_are_those_of_the_whole_train_wherever_it_is_cut(data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, 200), "steps")
    batch, neurons = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    seed, rate = data.draw(st.integers(0, 2**32)), data.draw(st.sampled_from([0.01, 0.1, 0.5, 1.0]))
    ends = np.array(data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch)))
    widths = data.draw(st.lists(st.integers(1, 64), min_size=200, max_size=200))
    cuts = [0, *(c for c in np.cumsum(widths).tolist() if c < steps)]
    drawn = np.random.default_rng(seed).random((steps, batch, neurons)) < rate
    trains = (drawn & (np.arange(steps)[:, None] < ends)[..., None]).astype(np.int64)
    if steps - cuts[-1] > 64:
        cuts = list(range(0, steps, 64))
    found, age, last = counted(trains, ends, [*cuts, steps], steps + 1)
    expected = walked(trains, steps + 1)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], name)
    for sample, neuron in np.ndindex(batch, neurons):
        spikes = trains[:, sample, neuron].nonzero()[0]
        since = ends[sample] - spikes[-1] if len(spikes) else 0
        assert age[sample, neuron] == since
        assert last[sample, neuron] == (spikes[-1] - spikes[-2] if len(spikes) > 1 else 0)


def interval_arguments(**changed: Any) -> list[Any]:
    """Spikes at bits 0 and 5; the neuron fired 4 steps before."""
    arguments = {
        "words": np.array([[0b100001]], np.uint64),
        "lengths": np.array([6]),
        "age": np.array([[4]]),
        "last": np.array([[0]]),
        "histogram": np.zeros(6, np.int64),
        **{name: np.zeros(1, np.int64) for name in PER_NEURON},
    }
    return list((arguments | changed).values())


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"histogram": np.zeros(5, np.int64)}, "too short"),
        ({"age": np.array([[6]])}, "too short"),
        ({"age": np.array([[2**63 - 1]])}, "age, last"),
        ({"age": np.array([[-1]])}, "age, last"),
        ({"last": np.array([[-1]])}, "age, last"),
        ({"lengths": np.array([5])}, "beyond the length"),
        ({"lengths": np.array([65])}, "0 to 64"),
        ({"lengths": np.array([-1])}, "0 to 64"),
        ({"lengths": np.array([6, 6])}, r"lengths: expected int64 \[1\]"),
        ({"cv2": np.zeros(2, np.int64)}, r"cv2: expected int64 \[1\], came format '[lq]' of \[2\]"),
        ({"words": np.zeros(1, np.uint64)}, r"words: expected uint64 \[any, any\]"),
        ({"age": np.zeros((1, 1))}, "age: expected int64"),
    ],
)
def test_impossible_intervals_are_refused_before_anything_is_counted(
    changed: Any, says: str
) -> None:
    arguments = interval_arguments(**changed)
    before = [np.copy(each_one) for each_one in arguments]
    with pytest.raises(ValueError, match=says):
        core.add_intervals(*arguments)
    for one, other in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(one, other)
    core.add_intervals(*interval_arguments())


@pytest.mark.parametrize(
    "arguments",
    [(), (None, None), (np.zeros((1, 1), np.uint64),), (1, 2, 3), ([[1]], [1])],
    ids=str,
)
def test_anything_but_arrays_is_refused(arguments: Any) -> None:
    for loop in (core.add_events, core.add_counts):
        with pytest.raises(TypeError):
            loop(*arguments)


def test_a_read_only_array_is_refused() -> None:
    fixed = np.zeros(1, np.int64)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        core.add_events(np.zeros((1, 1), np.uint64), fixed)


def test_unknown_instructions_are_not_used() -> None:
    before = core.instructions()
    for name in ("neon", "", None, 3):
        assert core.use_instructions(name) is False
    assert core.instructions() == before

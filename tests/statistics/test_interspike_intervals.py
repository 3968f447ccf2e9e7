"""`InterspikeIntervals` equals NumPy on the raw spike trains."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from with_core import with_core

from neuroact import InterspikeIntervals, SignalKind, SpikeChunk
from neuroact.errors import NoTimeStepError
from neuroact.quantiles import METHODS
from neuroact.statistics import InterspikeIntervalsResult
from neuroact.statistics.counting.interval_words import FRACTION_BITS, terms
from neuroact.testing.packing import block_of
from neuroact.testing.same import assert_same_state
from neuroact.testing.strategies import Stream, streams

LEVELS = {SignalKind.BINARY: (0.0, 1.0), SignalKind.GRADED: (0.0, -1.0, 3.0, 0.5)}
# Long enough for several blocks of steps, the last of them partly filled.
long_streams = streams(most_steps=100)


def result_of(stream: Stream, kind: SignalKind = SignalKind.BINARY) -> InterspikeIntervalsResult:
    statistic = InterspikeIntervals()
    for sequence in stream.sequences:
        statistic.update(SpikeChunk(torch.from_numpy(sequence), kind, starts_sequence=True))
    result = statistic.result()
    assert result is not None
    return result


def intervals_of(stream: Stream) -> Iterator[list[NDArray[np.int64]]]:
    """The intervals of each spike train, neuron by neuron."""
    for place in np.ndindex(stream.neurons):
        trains = [t for s in stream.sequences for t in s[(slice(None), slice(None), *place)].T]
        yield [np.diff(np.flatnonzero(train)) for train in trains]


def one_train(spikes: list[int]) -> InterspikeIntervalsResult:
    return result_of(Stream((np.array(spikes, dtype=float)[:, None, None],), (1,)))


@given(st.data(), st.sampled_from(list(LEVELS)))
def test_every_figure_equals_numpy_on_the_raw_trains(data: st.DataObject, kind: SignalKind) -> None:
    stream = data.draw(streams(LEVELS[kind], most_steps=100))
    result = result_of(stream, kind)
    every: list[int] = []
    figures = [getattr(result, n).ravel() for n in ("mean_interval", "cv", "cv2", "lv")]
    for number, trains in enumerate(intervals_of(stream)):
        pooled = np.concatenate([*trains, np.empty(0, dtype=np.int64)])
        every += pooled.tolist()
        assert result.intervals.ravel()[number] == len(pooled)
        assert result.sums.ravel()[number] == pooled.sum()
        assert result.squares.ravel()[number] == (pooled**2).sum()
        pairs = [(a, b) for train in trains for a, b in pairwise(train)]
        assert result.pairs.ravel()[number] == len(pairs)
        a, b = np.array(pairs, dtype=float).reshape(-1, 2).T
        expected = [
            pooled.mean() if len(pooled) else math.nan,
            pooled.std() / pooled.mean() if len(pooled) > 1 else math.nan,
            (2 * abs(a - b) / (a + b)).mean() if pairs else math.nan,
            (3 * ((a - b) / (a + b)) ** 2).mean() if pairs else math.nan,
        ]
        found = [figure[number] for figure in figures]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(result.histogram, np.bincount(np.array(every, dtype=np.int64)))
    if every:
        assert result.mean == pytest.approx(np.mean(every), rel=1e-14)
        assert result.std == pytest.approx(np.std(every), rel=1e-12, abs=1e-14)


@given(long_streams, st.floats(0, 1), st.sampled_from(METHODS))
def test_quantiles_are_numpys_of_all_intervals(stream: Stream, q: float, method: str) -> None:
    every = np.concatenate(
        [train for trains in intervals_of(stream) for train in trains] or [np.empty(0)]
    )
    expected = np.quantile(every, q, method=method) if len(every) else math.nan
    np.testing.assert_equal(result_of(stream).quantile(q, method), expected)


@given(st.integers(1, 2**40), st.integers(1, 2**40))
def test_a_terms_error_is_less_than_its_unit(one: int, other: int) -> None:
    lengths = torch.tensor([[one], [other]], dtype=torch.float64)
    ratio = Fraction(abs(one - other), one + other)
    for term, exact in zip(terms(*lengths), (2 * ratio, 3 * ratio**2), strict=True):
        assert abs(Fraction(int(term), 2**FRACTION_BITS) - exact) < Fraction(1, 2**FRACTION_BITS)


@pytest.mark.parametrize("in_blocks", [False, pytest.param(True, marks=with_core)])
def test_more_samples_than_sums_of_terms_hold_at_once(in_blocks: bool) -> None:
    train = np.array([1, 0, 1, 0, 0, 0, 1] * 9, dtype=float)
    many = np.tile(train[:, None, None], (1, 200_000, 1))
    one, statistic = one_train(train.tolist()), InterspikeIntervals()
    if in_blocks:
        statistic.count(block_of(many, starts=True))
    else:
        statistic.update(SpikeChunk(torch.from_numpy(many), SignalKind.BINARY, True))
    result = statistic.result()
    assert result is not None
    assert result.intervals == 200_000 * one.intervals
    for name in ("cv2", "lv"):
        units = [
            int(getattr(r, f"{name}_whole")[0]) * 2**44 + int(getattr(r, f"{name}_fraction")[0])
            for r in (result, one)
        ]
        assert units[0] == 200_000 * units[1]


def test_intervals_longer_than_float32_counts_are_exact() -> None:
    state = InterspikeIntervals()
    one = torch.ones(1, 1, 1)
    state.update(SpikeChunk(one, SignalKind.BINARY, True))
    far, far_on = 2**24 + 1, InterspikeIntervals()
    late = {"open_clock": torch.tensor([far]), "open_age": torch.tensor([[far]])}
    far_on.load_state_dict(state.state_dict() | late)
    far_on.update(SpikeChunk(one, SignalKind.BINARY, False))
    result = far_on.result()
    assert result is not None
    assert (result.max, result.sums.tolist(), result.squares.tolist()) == (far, [far], [far**2])


def test_the_variability_is_0_for_a_clock_and_1_for_a_poisson_train() -> None:
    clock = one_train([1, 0, 0] * 40)
    assert (clock.cv, clock.cv2, clock.lv) == (0, 0, 0)
    chance = np.random.default_rng(0).random((400_000, 1, 1)) < 0.01
    poisson = result_of(Stream((chance * 1.0,), (1,)))
    assert poisson.cv == pytest.approx(1, abs=0.05)
    assert poisson.cv2 == pytest.approx(1, abs=0.05)
    assert poisson.lv == pytest.approx(1, abs=0.05)


def test_intervals_do_not_cross_the_start_of_a_sequence() -> None:
    statistic = InterspikeIntervals()
    for starts in (True, True, False):
        chunk = SpikeChunk(torch.ones(1, 1, 1), SignalKind.BINARY, starts_sequence=starts)
        statistic.update(chunk)
    result = statistic.result()
    assert result is not None
    assert result.histogram.tolist() == [0, 1]


def test_what_does_not_exist_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for spikes, there in (
            ([], ()),
            ([0, 0, 0], ()),
            ([0, 1, 0], ()),  # one spike: no interval
            ([1, 1], ("mean_interval",)),  # one interval: no spread, no pair
            ([1, 1, 1], ("mean_interval", "cv", "cv2", "lv")),
        ):
            result = one_train(spikes)
            for figure in ("mean_interval", "cv", "cv2", "lv"):
                assert np.isnan(getattr(result, figure)).all() == (figure not in there)
            for figure in ("mean", "std", "median", "max"):
                assert math.isnan(getattr(result, figure)) == (not there)


def test_milliseconds_need_the_time_step() -> None:
    result = one_train([1, 0, 1, 0, 0, 0, 1])
    for ask in (
        lambda r: r.mean_ms,
        lambda r: r.mean_interval_ms,
        lambda r: r.quantile_ms(0.5),
    ):
        with pytest.raises(NoTimeStepError, match=r"dt=0\.001"):
            ask(result)
        assert ask(dataclasses.replace(result, dt=0.5)) == 1500


def test_figures_of_values_that_cannot_be_trusted_are_nan() -> None:
    result = one_train([1, 0, 1, 0, 0, 0, 1])
    bad = dataclasses.replace(result, unreliable="NaN was emitted")
    assert np.isnan([bad.mean_interval, bad.cv, bad.cv2, bad.lv]).all()
    assert math.isnan(bad.mean + bad.median)


def test_values_that_should_not_be_there_are_events() -> None:
    values = torch.tensor([0.0, 1.0, math.nan, math.inf, 1e30, -5.0, 0.3]).repeat(10, 1)
    others, plain = InterspikeIntervals(), InterspikeIntervals()
    others.update(SpikeChunk(values.unsqueeze(1), SignalKind.BINARY, True))
    plain.update(SpikeChunk(values.ne(0).unsqueeze(1), SignalKind.BINARY, True))
    assert_same_state(others, plain, "other values and ones")

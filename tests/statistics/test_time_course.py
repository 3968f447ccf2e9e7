"""`TimeCourse` equals NumPy on the raw spike trains."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroact import SignalKind, SpikeChunk, TimeCourse
from neuroact.errors import NoTimeStepError
from neuroact.quantiles import METHODS
from neuroact.statistics import TimeCourseResult
from neuroact.testing.strategies import Stream, streams

LEVELS = {SignalKind.BINARY: (0.0, 1.0), SignalKind.GRADED: (0.0, -1.0, 3.0, 0.5)}


def result_of(stream: Stream, kind: SignalKind = SignalKind.BINARY) -> TimeCourseResult:
    course = TimeCourse()
    for sequence in stream.sequences:
        course.update(SpikeChunk(torch.from_numpy(sequence), kind, starts_sequence=True))
    result = course.result()
    assert result is not None
    return result


def summed_over_sequences(stream: Stream, per_step: Any) -> NDArray[Any]:
    """The result of `per_step` at each step, `[steps]`, summed over sequences."""
    found = [per_step(s) for s in stream.sequences if s.shape[1]]
    length = max((len(f) for f in found), default=0)
    return sum((np.pad(f, (0, length - len(f))) for f in found), np.zeros(length))


def latencies(stream: Stream) -> tuple[NDArray[np.int64], int]:
    """Each (sequence, neuron) pair's step of its first spike; how many pairs have none."""
    first: list[int] = []
    never = 0
    for sequence in filter(len, stream.sequences):
        for train in (sequence != 0).reshape(len(sequence), -1).T:
            if train.any():
                first.append(int(train.argmax()))
            else:
                never += 1
    return np.array(first, dtype=np.int64), never


@given(st.data(), st.sampled_from(list(LEVELS)))
def test_every_figure_equals_numpy_on_the_raw_values(data: st.DataObject, kind: SignalKind) -> None:
    stream = data.draw(streams(LEVELS[kind]))
    result = result_of(stream, kind)

    def over_neurons(raw: NDArray[Any]) -> NDArray[Any]:
        return raw.reshape(len(raw), math.prod(raw.shape[1:])).sum(1)

    events = summed_over_sequences(stream, lambda s: over_neurons(s != 0))
    total = summed_over_sequences(stream, over_neurons)
    seen = summed_over_sequences(stream, lambda s: np.full(len(s), s.shape[1]))
    np.testing.assert_array_equal(result.events, events)
    np.testing.assert_array_equal(result.total, total)
    np.testing.assert_array_equal(result.observations, seen)
    neurons = math.prod(stream.neurons)
    assert (result.neurons, result.bins) == (neurons, len(seen))
    np.testing.assert_array_equal(result.activity, total / (seen * neurons))
    np.testing.assert_array_equal(result.active_share, events / (seen * neurons))
    fired = np.flatnonzero(events)
    assert result.onset == (fired[0] if len(fired) else None)


@given(st.data(), st.sampled_from(list(LEVELS)))
def test_the_spread_over_samples_is_numpys(data: st.DataObject, kind: SignalKind) -> None:
    stream = data.draw(streams(LEVELS[kind]))
    result, neurons = result_of(stream, kind), math.prod(stream.neurons)
    for step in range(result.bins):
        shares = [
            (sample != 0).sum() / neurons
            for sequence in stream.sequences
            if step < len(sequence)
            for sample in sequence[step]
        ]
        assert result.active_share_std[step] == pytest.approx(np.std(shares), abs=1e-12)


@given(st.data(), st.sampled_from(list(LEVELS)), st.floats(0, 1), st.sampled_from(METHODS))
def test_latencies_are_those_of_the_first_spikes(
    data: st.DataObject, kind: SignalKind, q: float, method: str
) -> None:
    stream = data.draw(streams(LEVELS[kind]))
    result, (first, never) = result_of(stream, kind), latencies(stream)
    assert result.never == never
    np.testing.assert_array_equal(
        result.first_spikes, np.bincount(first, minlength=len(result.first_spikes))
    )
    if len(first):
        assert result.latency_quantile(q, method) == np.quantile(first, q, method=method)
        assert result.latency_mean == pytest.approx(first.mean(), rel=1e-14)
    if len(first) + never:
        assert result.never_share == never / (len(first) + never)


def test_sequences_longer_than_a_block_of_sums_are_right() -> None:
    rng = np.random.default_rng(0)
    raw = (rng.random((700, 3, 4)) < 0.01).astype(float)
    stream = Stream((raw, raw[:600]), (4,))
    first, never = latencies(stream)
    result = result_of(stream)
    assert result.never == never
    np.testing.assert_array_equal(result.first_spikes, np.bincount(first, minlength=700))
    np.testing.assert_array_equal(result.observations, [6] * 600 + [3] * 100)


def test_what_does_not_exist_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        none = result_of(Stream((np.zeros((0, 2, 3)),), (3,)))
        assert (none.bins, none.never, none.onset) == (0, 0, None)
        assert all(map(math.isnan, (none.latency_mean, none.never_share)))
        assert math.isnan(none.latency_quantile(0.5))
        no_neurons = result_of(Stream((np.zeros((2, 1, 0)),), (0,)))
        assert np.isnan(no_neurons.activity).all()
        assert np.isnan(no_neurons.active_share_std).all()
        silent = result_of(Stream((np.zeros((2, 3, 4)),), (4,)))
        assert (silent.never, silent.never_share, silent.onset) == (12, 1.0, None)
        assert silent.activity.tolist() == silent.active_share_std.tolist() == [0, 0]
        assert math.isnan(silent.latency_mean)


def test_figures_of_values_that_cannot_be_trusted_are_nan() -> None:
    ones = np.ones(2, dtype=np.int64)
    bad = TimeCourseResult(
        ones, ones * 1.0, ones, ones, 0, 2, squares=ones, unreliable="NaN was emitted"
    )
    assert np.isnan([bad.activity, bad.active_share, bad.active_share_std]).all()
    assert math.isnan(bad.latency_mean + bad.never_share + bad.latency_quantile(0.5))
    assert bad.onset is None


def test_a_rate_in_hertz_needs_the_time_step() -> None:
    ones = np.ones(2, dtype=np.int64)
    result = TimeCourseResult(ones, ones * 1.0, ones, ones, 0, 2, squares=ones)
    assert result.times.tolist() == [0, 1]
    with pytest.raises(NoTimeStepError, match=r"rate is in ms or Hz.*dt=0\.001"):
        _ = result.rate
    timed = TimeCourseResult(ones, ones * 1.0, ones, ones, 0, 2, squares=ones, dt=0.001)
    assert timed.rate.tolist() == [500, 500]
    assert timed.times.tolist() == [0, 0.001]


def test_latencies_in_ms_need_the_time_step() -> None:
    spikes = np.zeros((9, 1, 2))
    spikes[3, 0, 0] = spikes[6, 0, 1] = 1
    result = result_of(Stream((spikes,), (2,)))
    for ask in (lambda r: r.latency_mean_ms, lambda r: r.latency_quantile_ms(0.5)):
        with pytest.raises(NoTimeStepError, match=r"latency_\w+_ms is in ms or Hz.*dt=0\.001"):
            ask(result)
        assert ask(dataclasses.replace(result, dt=0.002)) == 9.0

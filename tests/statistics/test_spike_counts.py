"""`SpikeCounts` equals NumPy on the raw spike trains."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroact import SignalKind, SpikeChunk, SpikeCounts
from neuroact.quantiles import METHODS
from neuroact.statistics import SpikeCountsResult
from neuroact.testing.strategies import Stream, streams

GRADED_LEVELS = (0.0, -1.0, 3.0, 0.5)


def result_of(stream: Stream, kind: SignalKind = SignalKind.BINARY) -> SpikeCountsResult:
    counts = SpikeCounts()
    for sequence in stream.sequences:
        counts.update(SpikeChunk(torch.from_numpy(sequence), kind, starts_sequence=True))
    result = counts.result()
    assert result is not None
    return result


def raw_counts(stream: Stream) -> NDArray[np.int64]:
    """Spikes per sequence and neuron, `[sequences, *neurons]`, for sequences that have a step."""
    return np.concatenate(
        [(s != 0).sum(0) for s in stream.sequences if len(s)]
        or [np.zeros((0, *stream.neurons), dtype=np.int64)]
    )


@given(st.one_of(streams(), streams(GRADED_LEVELS)))
def test_every_figure_equals_numpy_on_the_raw_counts(stream: Stream) -> None:
    result, raw = result_of(stream, SignalKind.GRADED), raw_counts(stream)
    np.testing.assert_array_equal(result.histogram, np.bincount(raw.ravel()))
    np.testing.assert_array_equal(result.sums, raw.sum(0))
    np.testing.assert_array_equal(result.squares, (raw**2).sum(0))
    assert result.sequences == len(raw)
    if not raw.size:
        return
    assert result.mean == pytest.approx(raw.mean(), rel=1e-14)
    assert result.variance == pytest.approx(raw.var(), rel=1e-12, abs=1e-15)
    assert result.std == pytest.approx(raw.std(), rel=1e-12, abs=1e-15)
    assert (result.min, result.max) == (raw.min(), raw.max())
    assert (result.median, result.q1, result.q3) == tuple(np.quantile(raw, [0.5, 0.25, 0.75]))
    np.testing.assert_allclose(result.mean_per_neuron, raw.mean(0), rtol=1e-15)
    np.testing.assert_allclose(result.variance_per_neuron, raw.var(0), rtol=1e-12, atol=1e-15)
    if len(raw) > 1:
        with np.errstate(invalid="ignore"):
            fano = raw.var(0) / raw.mean(0)
        np.testing.assert_allclose(result.fano_factor, fano, rtol=1e-12, atol=1e-15)


@given(streams().filter(lambda s: raw_counts(s).size), st.floats(0, 1), st.sampled_from(METHODS))
def test_quantiles_are_numpys_of_all_counts_to_the_bit(
    stream: Stream, q: float, method: str
) -> None:
    expected = np.quantile(raw_counts(stream), q, method=method)
    assert result_of(stream).quantile(q, method) == expected


@given(streams(), streams())
def test_quantiles_of_merged_counts_are_those_of_all_data(one: Stream, two: Stream) -> None:
    two = Stream(
        tuple(np.resize(s, (*s.shape[:2], *one.neurons)) for s in two.sequences), one.neurons
    )
    ours, theirs = SpikeCounts(), SpikeCounts()
    for statistic, stream in ((ours, one), (theirs, two)):
        for sequence in stream.sequences:
            chunk = SpikeChunk(torch.from_numpy(sequence), SignalKind.BINARY, True)
            statistic.update(chunk)
    ours.merge(theirs)
    result = ours.result()
    assert result is not None
    raw = np.concatenate([raw_counts(one), raw_counts(two)])
    for q in (0, 0.3, 0.5, 0.99, 1) if raw.size else ():
        assert result.quantile(q) == np.quantile(raw, q)


def test_what_does_not_exist_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        none = result_of(Stream((np.zeros((0, 2, 3)),), (3,)))
        assert (none.sequences, len(none.histogram)) == (0, 0)
        for figure in ("mean", "variance", "std", "min", "max", "median", "q1", "q3"):
            assert math.isnan(getattr(none, figure))
        for figure in ("mean_per_neuron", "variance_per_neuron", "fano_factor"):
            assert np.isnan(getattr(none, figure)).all()
        one = result_of(Stream((np.array([[[0.0, 1.0]]]),), (2,)))
        assert one.variance_per_neuron.tolist() == [0, 0]
        assert np.isnan(one.fano_factor).all()  # one sequence shows no variance
        silent = result_of(Stream((np.zeros((4, 2, 2)),), (2,)))
        assert (silent.mean, silent.max, silent.variance) == (0, 0, 0)
        assert np.isnan(silent.fano_factor).all()  # the mean of a silent neuron is 0


def test_figures_of_values_that_cannot_be_trusted_are_nan() -> None:
    sums = np.array([4, 4])
    bad = SpikeCountsResult(np.array([0, 2, 0, 2]), sums, sums**2, 2, unreliable="NaN was emitted")
    for figure in ("mean", "variance", "max", "median"):
        assert math.isnan(getattr(bad, figure))
    assert np.isnan([bad.mean_per_neuron, bad.variance_per_neuron, bad.fano_factor]).all()


def test_arrays_of_a_result_do_not_change_and_equal_content_is_equal() -> None:
    stream = Stream((np.ones((3, 2, 2)),), (2,))
    result = result_of(stream)
    assert result == result_of(stream)
    assert result != result_of(Stream((np.ones((4, 2, 2)),), (2,)))
    with pytest.raises(ValueError, match="read-only"):
        result.sums[0] = 1

"""`Synchrony` equals NumPy on the raw spike trains."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroact import SignalKind, SpikeChunk, Synchrony
from neuroact.quantiles import METHODS
from neuroact.statistics import SynchronyResult
from neuroact.testing.strategies import Stream, streams

LEVELS = {SignalKind.BINARY: (0.0, 1.0), SignalKind.GRADED: (0.0, -1.0, 3.0, 0.5)}


def result_of(stream: Stream, kind: SignalKind = SignalKind.BINARY) -> SynchronyResult:
    synchrony = Synchrony()
    for sequence in stream.sequences:
        synchrony.update(SpikeChunk(torch.from_numpy(sequence), kind, starts_sequence=True))
    result = synchrony.result()
    assert result is not None
    return result


def of_trains(*trains: list[int]) -> SynchronyResult:
    """The result of one sample, given a list of steps for each neuron."""
    values = np.array(trains, dtype=float).T[:, None]
    return result_of(Stream((values,), (len(trains),)))


@given(st.data(), st.sampled_from(list(LEVELS)))
def test_every_figure_equals_numpy_on_the_raw_values(data: st.DataObject, kind: SignalKind) -> None:
    stream = data.draw(streams(LEVELS[kind]))
    result = result_of(stream, kind)
    raw = (stream.flat != 0).reshape(len(stream.flat), -1 if len(stream.flat) else 1)
    population = raw.sum(1)
    np.testing.assert_array_equal(result.histogram, np.bincount(population))
    np.testing.assert_array_equal(result.events, (stream.flat != 0).sum(0))
    assert result.observations == len(raw)
    assert result.neurons == math.prod(stream.neurons)
    if not len(raw):
        assert math.isnan(result.chi)
        return
    assert result.mean == pytest.approx(population.mean(), rel=1e-14)
    varies = raw.var(0).mean()
    if varies > 0:
        chi = math.sqrt(raw.mean(1).var() / varies)
        assert result.chi == pytest.approx(chi, rel=1e-9, abs=1e-7)
        assert 0 <= result.chi <= 1
    else:
        assert math.isnan(result.chi)


@given(streams().filter(lambda s: len(s.flat)), st.floats(0, 1), st.sampled_from(METHODS))
def test_quantiles_are_numpys_of_the_population_counts(
    stream: Stream, q: float, method: str
) -> None:
    population = stream.flat.reshape(len(stream.flat), -1).sum(1)
    assert result_of(stream).quantile(q, method) == np.quantile(population, q, method=method)


def test_chi_is_1_together_0_in_turns_and_the_root_of_1_over_n_independently() -> None:
    assert of_trains([1, 0, 1, 0], [1, 0, 1, 0]).chi == 1
    assert of_trains([1, 0, 1, 0], [0, 1, 0, 1]).chi == 0
    independent = np.random.default_rng(0).random((100_000, 1, 25)) < 0.2
    assert result_of(Stream((independent * 1.0,), (25,))).chi == pytest.approx(0.2, rel=0.02)


def test_long_sequences_go_through_many_blocks_of_rows() -> None:
    raw = (np.random.default_rng(0).random((700, 3, 4)) < 0.3) * 1.0
    result = result_of(Stream((raw,), (4,)))
    np.testing.assert_array_equal(result.histogram, np.bincount(raw.sum(2).astype(int).ravel()))


def test_what_does_not_exist_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        none = result_of(Stream((np.zeros((0, 2, 3)),), (3,)))
        assert (none.observations, len(none.histogram)) == (0, 0)
        assert math.isnan(none.chi + none.mean + none.quantile(0.5))
        assert math.isnan(of_trains([0, 0], [0, 0]).chi)
        assert math.isnan(of_trains([1, 1], [1, 1]).chi)
        assert math.isnan(of_trains([0, 0], [1, 1]).chi)
        assert math.isnan(result_of(Stream((np.zeros((2, 1, 0)),), (0,))).chi)


def test_chi_is_exact_where_its_integers_pass_64_bits() -> None:
    observations, neurons = 10**10, 10**6
    together = np.zeros(neurons + 1, dtype=np.int64)
    together[0], together[-1] = observations - 10, 10
    events = np.full(neurons, 10, dtype=np.int64)
    assert SynchronyResult(together, events, observations, neurons).chi == 1


def test_figures_of_values_that_cannot_be_trusted_are_nan() -> None:
    bad = SynchronyResult(np.array([1, 1]), np.array([1]), 2, 1, unreliable="NaN was emitted")
    assert math.isnan(bad.chi + bad.mean)

"""The statistics equal those of elephant, neuroscience's library for spike trains, to 1e-12.

Where the definitions differ, a test shows by how much.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import elephant.statistics
import neo
import numpy as np
import pytest
import quantities as pq
import torch
from elephant.conversion import BinnedSpikeTrain
from numpy.typing import NDArray

from neuroact import (
    InterspikeIntervals,
    LayerActivity,
    Recording,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)

# elephant 1.2 still passes an argument that quantities now ignores.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity")

STEP_MS = 1.0  # whole milliseconds, so that times and bins of elephant are exact
SHAPES = [(300, 5, 6), (60, 1, 8), (40, 12, 3)]

close = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)
over_shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def raster(shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Spikes `[steps, samples, neurons]`: one neuron silent, one always firing, one a clock."""
    rng = np.random.default_rng(sum(shape))
    rates = np.linspace(0.02, 0.9, shape[2]) ** 2
    spikes = rng.random(shape) < rates
    spikes[..., 0], spikes[..., 1], spikes[..., 2] = False, True, False
    spikes[::3, :, 2] = True
    return spikes


def recorded(spikes: NDArray[np.bool_], statistics: Any = None) -> LayerActivity:
    every = [SpikeCounts, TimeCourse, InterspikeIntervals, Synchrony]
    recording = Recording(statistics=statistics or every, dt=STEP_MS / 1000)
    recording.observe("lif", torch.from_numpy(spikes))
    return recording.report()["lif"]


def trains(spikes: NDArray[np.bool_]) -> list[list[Any]]:
    """The spikes as `neo.SpikeTrain`, by sample and neuron."""
    steps, samples, neurons = spikes.shape
    return [
        [
            neo.SpikeTrain(
                np.flatnonzero(spikes[:, sample, neuron]) * STEP_MS * pq.ms,
                t_stop=steps * STEP_MS * pq.ms,
            )
            for neuron in range(neurons)
        ]
        for sample in range(samples)
    ]


@over_shapes
def test_the_rate_is_the_mean_firing_rate(shape: tuple[int, int, int]) -> None:
    spikes = raster(shape)
    rates = [
        [float(elephant.statistics.mean_firing_rate(train).rescale("Hz")) for train in sample]
        for sample in trains(spikes)
    ]
    close(recorded(spikes).rate, np.mean(rates, axis=0))


@over_shapes
def test_the_intervals_are_those_of_isi(shape: tuple[int, int, int]) -> None:
    spikes = raster(shape)
    found = [
        np.rint(elephant.statistics.isi(train).rescale("ms").magnitude / STEP_MS).astype(int)
        for sample in trains(spikes)
        for train in sample
    ]
    layer = recorded(spikes)
    expected = np.bincount(np.concatenate(found))
    np.testing.assert_array_equal(layer[InterspikeIntervals].histogram, expected)
    close(layer[InterspikeIntervals].mean_ms, np.concatenate(found).mean() * STEP_MS)


@over_shapes
def test_cv_is_that_of_the_intervals_of_all_trains_together(shape: tuple[int, int, int]) -> None:
    spikes = raster(shape)
    for neuron, cv in enumerate(recorded(spikes)[InterspikeIntervals].cv):
        intervals = np.concatenate(
            [elephant.statistics.isi(sample[neuron]).magnitude for sample in trains(spikes)]
        )
        close(cv, elephant.statistics.cv(intervals) if len(intervals) > 1 else math.nan)


@over_shapes
@pytest.mark.parametrize("figure", ["cv2", "lv"])
def test_cv2_and_lv_are_the_means_over_the_pairs_of_all_trains(
    figure: str, shape: tuple[int, int, int]
) -> None:
    spikes = raster(shape)
    for neuron, found in enumerate(getattr(recorded(spikes)[InterspikeIntervals], figure)):
        intervals = [elephant.statistics.isi(sample[neuron]).magnitude for sample in trains(spikes)]
        each = [
            (getattr(elephant.statistics, figure)(i), len(i) - 1) for i in intervals if len(i) > 1
        ]
        values, pairs = np.array(each).reshape(-1, 2).T
        close(found, np.average(values, weights=pairs) if len(each) else math.nan)


@over_shapes
def test_the_fano_factor_is_that_over_samples(shape: tuple[int, int, int]) -> None:
    spikes = raster(shape)
    by_sample = trains(spikes)
    for neuron, fano in enumerate(recorded(spikes)[SpikeCounts].fano_factor):
        expected = elephant.statistics.fanofactor([sample[neuron] for sample in by_sample])
        if shape[1] == 1:
            assert math.isnan(fano)  # the difference: elephant gives 0 for a single train
            assert math.isnan(expected) or expected == 0
        else:
            close(fano, expected)


@over_shapes
@pytest.mark.parametrize("output", ["counts", "mean", "rate"])
def test_the_time_course_is_the_time_histogram(output: Any, shape: tuple[int, int, int]) -> None:
    spikes = raster(shape)
    every = [train for sample in trains(spikes) for train in sample]
    course = recorded(spikes)[TimeCourse]
    histogram = elephant.statistics.time_histogram(every, STEP_MS * pq.ms, output=output)
    found = {"counts": course.events, "mean": course.activity, "rate": course.rate}[output]
    expected = histogram.rescale("Hz") if output == "rate" else histogram
    close(found, expected.magnitude.ravel())
    close(course.times, histogram.times.rescale("s").magnitude.ravel())


@over_shapes
@pytest.mark.parametrize("output", ["counts", "mean", "rate"])
def test_the_time_course_in_bins_is_the_time_histogram_of_wider_bins(
    output: Any, shape: tuple[int, int, int]
) -> None:
    spikes = raster(shape)
    every = [train for sample in trains(spikes) for train in sample]
    course = recorded(spikes, TimeCourse(bin_width=10))[TimeCourse]
    histogram = elephant.statistics.time_histogram(every, 10 * STEP_MS * pq.ms, output=output)
    mean = course.activity * course.bin_width
    found = {"counts": course.events, "mean": mean, "rate": course.rate}[output]
    expected = histogram.rescale("Hz") if output == "rate" else histogram
    close(found, expected.magnitude.ravel())
    close(course.times, histogram.times.rescale("s").magnitude.ravel())


@pytest.mark.filterwarnings("ignore:Binning discarded")
@over_shapes
def test_counts_in_windows_are_those_of_a_binned_spike_train(shape: tuple[int, int, int]) -> None:
    """Elephant leaves out what is left at the end of a train, too, and warns."""
    spikes, window = raster(shape), 7
    binned = [BinnedSpikeTrain(s, bin_size=window * STEP_MS * pq.ms) for s in trains(spikes)]
    counts = np.concatenate([each.to_array() for each in binned], axis=1)  # [neurons, windows]
    layer = recorded(spikes, [SpikeCounts(window=window), Synchrony(bin_width=window)])
    population, each = layer[Synchrony], layer[SpikeCounts]
    np.testing.assert_array_equal(each.histogram, np.bincount(counts.ravel()))
    np.testing.assert_array_equal(population.histogram, np.bincount(counts.sum(0)))
    with np.errstate(invalid="ignore"):
        close(each.fano_factor, counts.var(1) / counts.mean(1))
    close(population.chi, math.sqrt(counts.mean(0).var() / counts.var(1).mean()))


def test_the_fano_factor_in_windows_is_that_of_a_long_train_in_slices() -> None:
    spikes = raster((300, 1, 6))
    slices = [
        [train.time_slice(start * pq.ms, (start + 50 - 0.5) * pq.ms) for train in trains(spikes)[0]]
        for start in range(0, 300, 50)
    ]
    for neuron, fano in enumerate(
        recorded(spikes, SpikeCounts(window=50))[SpikeCounts].fano_factor
    ):
        close(fano, elephant.statistics.fanofactor([each[neuron] for each in slices]))


def test_the_population_count_is_elephants_complexity() -> None:
    spikes = raster((200, 1, 8))
    found = recorded(spikes)[Synchrony].histogram
    complexity = elephant.statistics.Complexity(
        trains(spikes)[0], sampling_rate=1 / (STEP_MS * pq.ms), bin_size=STEP_MS * pq.ms, spread=0
    )
    expected = complexity.complexity_histogram
    np.testing.assert_array_equal(found, np.trim_zeros(expected, "b"))
    close(found / found.sum(), complexity.pdf().magnitude.ravel()[: len(found)])


@over_shapes
def test_sparsity_is_one_minus_the_share_of_bins_with_a_spike(shape: tuple[int, int, int]) -> None:
    spikes = raster(shape)
    binned = BinnedSpikeTrain(
        [train for sample in trains(spikes) for train in sample], bin_size=STEP_MS * pq.ms
    )
    close(recorded(spikes).sparsity, 1 - binned.sparsity)


def test_one_interval_has_a_cv_of_0_in_elephant_and_none_here() -> None:
    spikes = np.zeros((10, 1, 1), dtype=bool)
    spikes[[2, 7]] = True
    intervals = elephant.statistics.isi(trains(spikes)[0][0]).magnitude
    assert elephant.statistics.cv(intervals) == 0
    assert math.isnan(recorded(spikes)[InterspikeIntervals].cv.item())


@pytest.mark.parametrize("figure", ["cv2", "lv"])
def test_one_interval_is_refused_by_elephants_cv2_and_lv_and_nan_here(figure: str) -> None:
    spikes = np.zeros((10, 1, 1), dtype=bool)
    spikes[[2, 7]] = True
    intervals = elephant.statistics.isi(trains(spikes)[0][0]).magnitude
    with pytest.raises(ValueError, match="Input size is too small"):
        getattr(elephant.statistics, figure)(intervals)
    assert math.isnan(getattr(recorded(spikes)[InterspikeIntervals], figure).item())


def test_sequences_of_unequal_length_are_refused_by_elephants_time_histogram_and_right_here() -> (
    None
):
    long, short = raster((9, 2, 5)), raster((4, 3, 5))
    every = [train for part in (long, short) for sample in trains(part) for train in sample]
    with pytest.raises(ValueError, match="must have the same t_stop"):
        elephant.statistics.time_histogram(every, STEP_MS * pq.ms, output="mean")
    recording = Recording(statistics=[TimeCourse])
    for part in (long, short):
        recording.observe("lif", torch.from_numpy(part))
    found = recording.report()["lif"][TimeCourse].activity
    close(found[:4], np.concatenate([long[:4], short], axis=1).mean((1, 2)))
    close(found[4:], long[4:].mean((1, 2)))

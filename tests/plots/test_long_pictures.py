"""Pictures of very many steps: binned to pixels, light, and still true."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from numpy.typing import NDArray

from neuroact import ActivityReport, Raster, Recording, Signal, TimeCourse
from neuroact.plots import FORMATS, draw, image_bytes, raster_plot, time_plot
from neuroact.plots.raster import spikes_in_pixels
from neuroact.plots.results import MOST_BINS
from neuroact.plots.time import rebinned


def recorded(
    spikes: NDArray[Any], *names: str, dt: float | None = 0.001, bin_width: int = 1
) -> ActivityReport:
    kept = [Raster(steps=len(spikes)), TimeCourse(bin_width=bin_width)]
    recording = Recording(statistics=kept, dt=dt)
    for name in names or ("v1",):
        recording.observe(name, spikes)
    return recording.report()


def drawn(axes: Axes) -> NDArray[np.float64]:
    (image,) = axes.images
    return np.asarray(image.get_array())


LONG_SPIKES = recorded(np.random.default_rng(0).random((100_000, 1, 50)) < 0.05)


def of_values() -> ActivityReport:
    recording = Recording(statistics=[Signal], dt=0.001)
    values = np.random.default_rng(0).random((100_000, 1, 50), dtype=np.float32)
    recording.observe("mem", values, kind="analog")
    return recording.report()


LONG_VALUES = of_values()


@pytest.mark.parametrize("kind", ["raster", "time", "signal-time"])
def test_a_picture_of_1e5_steps_of_50_neurons_takes_200_kilobytes(kind: str) -> None:
    axes = (LONG_VALUES if kind == "signal-time" else LONG_SPIKES).plot(kind=kind)
    for form in FORMATS:
        assert len(image_bytes(axes, form)) < 200_000


def test_values_of_many_steps_are_drawn_in_bins_with_their_mean_and_deviation() -> None:
    values = np.random.default_rng(1).normal(1e3, 1, (2 * MOST_BINS, 3, 4))
    recording = Recording(statistics=[Signal], dt=0.001)
    recording.observe("mem", values, kind="analog")
    axes = draw(recording.report(), "signal-time")
    line, band = (patch.get_data() for patch in axes.patches)
    pairs = values.reshape(MOST_BINS, -1)
    np.testing.assert_allclose(line.values, pairs.mean(1))
    np.testing.assert_allclose(band.values - line.values, pairs.std(1), rtol=1e-6)
    assert axes.get_title(loc="right").startswith("bins of 2 ms; band: one standard deviation")


@given(st.integers(1, 2000), st.integers(1, 1200), st.integers(0, 2**32))
def test_every_spike_is_in_the_pixel_of_its_step_and_neuron(
    steps: int, neurons: int, seed: int
) -> None:
    spikes = np.random.default_rng(seed).random((steps, 1, neurons)) < 0.01
    raster = recorded(spikes)["v1"][Raster]
    counts, (wide, high) = spikes_in_pixels(raster, 0)
    watched = spikes[:, 0, :: raster.every].T
    rows, columns = counts.shape
    padded = np.zeros((rows * high, columns * wide), dtype=int)
    padded[: len(watched), :steps] = watched
    expected = padded.reshape(rows, high, columns, wide).sum((1, 3))
    np.testing.assert_array_equal(counts, expected)
    assert (rows <= 500, columns <= 800) == (True, True)


def test_a_long_raster_shows_where_spikes_are_and_says_what_a_pixel_is() -> None:
    spikes = np.ones((1600, 1, 20), dtype=bool)
    spikes[:, 0, 7] = False
    spikes[800, 0, 7] = True
    axes = raster_plot(recorded(spikes)["v1"])
    shades = drawn(axes)
    assert shades.shape == (20, 800)
    assert np.flatnonzero(shades[7]).tolist() == [400]
    assert 0.3 < shades[7, 400] < 1
    assert (np.delete(shades, 7, axis=0) == 1).all()
    assert axes.get_title().endswith("\npixels of 2 ms: black for 2 spikes")
    assert axes.images[0].get_extent() == [0, 1.6, -0.5, 19.5]


def test_a_raster_of_many_neurons_says_how_many_share_a_pixel() -> None:
    axes = raster_plot(recorded(np.ones((40, 1, 1000), dtype=bool), dt=None)["v1"])
    assert axes.get_title().endswith("\npixels of 1 step of 2 neurons: black for 2 spikes")


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 12))
def test_activity_in_other_bins_is_numpys(steps: int, width: int, wide: int) -> None:
    spikes = np.random.default_rng(steps).random((steps, 2, 3)) < 0.4
    course = recorded(spikes, bin_width=width)["v1"][TimeCourse]
    edges = np.arange(0, steps + width * wide, width * wide)
    activity, _ = rebinned(course, edges)
    expected = [spikes[a:b].mean() for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(activity, expected, rtol=1e-12, atol=1e-12)


def test_a_long_line_is_the_mean_over_neighbouring_steps_and_says_so() -> None:
    spikes = np.random.default_rng(0).random((10 * MOST_BINS, 4, 5)) < 0.1
    axes = time_plot(recorded(spikes, dt=0.0001))
    line, band = (patch.get_data() for patch in axes.patches)
    np.testing.assert_allclose(line.values, spikes.reshape(-1, 10 * 20).mean(1) / 0.0001)
    np.testing.assert_allclose(line.edges, np.arange(MOST_BINS + 1) * 0.001)
    spread = np.sqrt((spikes.mean(2).std(1) ** 2).reshape(-1, 10).mean(1)) / 0.0001
    np.testing.assert_allclose(band.values - line.values, spread)
    assert axes.get_title(loc="right") == (
        "line: means over 1 ms\nband: one standard deviation over samples in 0.1 ms"
    )


def test_a_course_in_bins_is_drawn_in_them() -> None:
    spikes = np.random.default_rng(0).random((50, 4, 5)) < 0.3
    axes = time_plot(recorded(spikes, bin_width=20))
    line, band = (patch.get_data() for patch in axes.patches)
    expected = np.array([spikes[a : a + 20].mean() for a in (0, 20, 40)]) * 1000
    np.testing.assert_allclose(line.values, expected)
    assert line.edges.tolist() == [0, 20, 40, 60]
    of_samples = spikes[:20].mean((0, 2)) * 1000
    assert band.values[0] == pytest.approx(of_samples.mean() + of_samples.std())
    assert axes.get_title(loc="right").startswith("bins of 20 ms\nband: ")


def test_many_layers_of_many_steps_are_rows_of_as_many_columns_as_can_be_seen() -> None:
    spikes = np.random.default_rng(0).random((3 * MOST_BINS, 2, 4)) < 0.3
    axes = draw(recorded(spikes, *map(str, range(9)), dt=None), "time")
    values = drawn(axes)
    assert values.shape == (9, MOST_BINS)
    np.testing.assert_allclose(values[4], spikes.reshape(MOST_BINS, -1).mean(1))
    assert axes.get_xlabel() == "time (steps), in bins of 3 steps"

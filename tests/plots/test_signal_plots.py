"""The pictures of real values show what NumPy finds in the raw values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroact import ActivityReport, Recording, Signal
from neuroact.errors import MissingStatisticError, UnreliableLayerWarning
from neuroact.plots import signal_plot, signal_time_plot
from neuroact.plots.signal import value_silhouette
from neuroact.statistics.counting.real_bins import ERROR

RNG = np.random.default_rng(0)


def report(threshold: float | None = None, **layers: Any) -> ActivityReport:
    recording = Recording(statistics=Signal(threshold))
    for name, values in layers.items():
        recording.observe(name, values, kind="analog")
    return recording.report()


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=40),
    st.sampled_from([None, 0.01, 3.0]),
)
def test_a_silhouette_holds_every_value_near_its_place(values: list[float], linear: Any) -> None:
    raw = np.array(values).reshape(-1, 1, 1)
    found = report(layer=raw)["layer"][Signal]
    counts, edges = value_silhouette(found, linear)
    assert counts.sum() == pytest.approx(raw.size)
    assert edges[0] <= raw.min()
    assert edges[-1] >= raw.max()
    for edge in edges[1:-1]:  # up to an edge: the values below it, but for its own bin
        blur = 2.01 * ERROR * abs(edge) + 1e-30
        below = counts[: np.searchsorted(edges, edge)].sum()
        assert (raw < edge - blur).sum() - 1e-9 <= below <= (raw <= edge + blur).sum() + 1e-9


def test_the_picture_of_values_has_quartiles_thresholds_and_reasons() -> None:
    with pytest.warns(UnreliableLayerWarning):
        found = report(0.5, mem=RNG.standard_normal((5, 2, 4)), bad=np.full((1, 1, 2), np.nan))
    axes = signal_plot(found)
    (line,) = axes.lines
    assert line.get_xdata() == [found["mem"][Signal].median]
    dashed = [c for c in axes.collections if c.get_linestyle()[0][1] is not None]
    assert dashed[0].get_segments()[0][:, 0].tolist() == [0.5, 0.5]
    assert axes.get_title(loc="right").endswith("dashed: threshold")
    assert texts(axes) == ["no figures: NaN or infinity emitted"]
    assert axes.get_xscale() == "linear"


def test_layers_of_very_different_sizes_share_an_axis_that_turns_logarithmic() -> None:
    values = RNG.standard_normal((5, 2, 4))
    axes = signal_plot(report(a=values, b=1e-4 * values))
    assert axes.get_xscale() == "asinh"
    ticks = axes.get_xticks().tolist()
    assert 0.0 in ticks
    assert len(ticks) <= 5
    assert ticks == sorted(-tick for tick in ticks)


def test_the_mean_by_step_is_drawn_with_one_standard_deviation_around_it() -> None:
    values = RNG.standard_normal((6, 3, 4)) + np.arange(6).reshape(6, 1, 1)
    axes = signal_time_plot(report(mem=values))
    mean, band = (patch.get_data() for patch in axes.patches)
    np.testing.assert_allclose(mean.values, values.mean((1, 2)))
    np.testing.assert_allclose(band.values, values.mean((1, 2)) + values.std((1, 2)))
    np.testing.assert_allclose(band.baseline, values.mean((1, 2)) - values.std((1, 2)))
    many = signal_time_plot(report(**{f"l{n}": values + n for n in range(9)}))
    (image,) = many.images
    np.testing.assert_allclose(np.asarray(image.get_array())[3], values.mean((1, 2)) + 3)


def test_without_signal_it_is_said_how_to_record_it() -> None:
    recording = Recording()
    recording.observe("lif", np.ones((2, 1, 3)))
    for plot in (signal_plot, signal_time_plot):
        with pytest.raises(MissingStatisticError, match="Signal"):
            plot(recording.report())

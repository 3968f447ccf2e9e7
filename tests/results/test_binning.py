"""Every value has its bin, even if NumPy's own histogram raises an error."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroact import ActivityReport, LayerActivity, SignalKind
from neuroact.results.binning import binned
from neuroact.training import histograms, tensorboard

LARGEST = float(np.finfo(np.float64).max)
EXTREMES: dict[str, list[float]] = {
    "one ulp apart": [0.3, 0.1 + 0.2],
    "one ulp apart, below 0": [-0.3, -0.1 - 0.2],
    "subnormal": [0.0, 5e-324],
    "subnormal, more bins": [1e-320, 2e-320],
    "large and equal": [1e300, 1e300],
    "large, one ulp apart": [1e300, float(np.nextafter(1e300, np.inf))],
    "the largest": [LARGEST, LARGEST],
    "the largest and the next": [LARGEST, float(np.nextafter(LARGEST, 0))],
    "the lowest": [-LARGEST, -LARGEST],
    "from end to end": [-LARGEST, 0.0, LARGEST],
    "a whole number that float64 hardly holds": [2.0**53, 2.0**53 + 2],
}
extremes = pytest.mark.parametrize("values", EXTREMES.values(), ids=EXTREMES)


def assert_bins(values: Any, counts: Any, edges: Any, bins: int) -> None:
    """Counts by comparing each value with each edge. The last bin holds both of its edges."""
    assert (len(counts), len(edges)) == (bins, bins + 1)
    assert np.isfinite(edges).all()
    assert (edges[1:] > edges[:-1]).all()
    assert edges[0] <= min(values)
    assert max(values) <= edges[-1]
    expected = [
        sum(bool(low <= v < high or (n == bins - 1 and v == high)) for v in values)
        for n, (low, high) in enumerate(pairwise(edges))
    ]
    assert list(counts) == expected


@extremes
@pytest.mark.parametrize("bins", [1, 8, 10, 32, 1000])
def test_values_however_near_or_large_have_a_bin(values: list[float], bins: int) -> None:
    assert_bins(values, *binned(values, bins), bins)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
    st.integers(1, 40),
)
def test_all_finite_values_have_a_bin(values: list[float], bins: int) -> None:
    counts, edges = binned(values, bins)
    assert counts.sum() == len(values)
    assert np.isfinite(edges).all()
    assert (edges[1:] > edges[:-1]).all()


@given(st.lists(st.floats(-1e6, 1e6, width=32), max_size=20), st.integers(1, 40))
def test_where_numpy_has_bins_they_are_numpys(values: list[float], bins: int) -> None:
    try:
        expected = np.histogram(values, bins)
    except ValueError:
        return
    for ours, numpys in zip(binned(values, bins), expected, strict=True):
        np.testing.assert_array_equal(ours, numpys)


def test_a_range_edges_and_weights_are_as_in_numpy() -> None:
    values = [0.1, 0.2, 0.4]
    for options in ({"range": (0.0, 1.0)}, {"bins": np.array([0.0, 0.2, 0.5])}):
        for ours, numpys in zip(
            binned(values, weights=[1, 2, 3], **options),  # type: ignore[arg-type]
            np.histogram(values, weights=[1, 2, 3], **options),  # type: ignore[call-overload]
            strict=True,
        ):
            np.testing.assert_array_equal(ours, numpys)
    with pytest.raises(ValueError, match="max must be larger"):
        binned(values, range=(1.0, 0.0))
    with pytest.raises(ValueError, match="positive"):
        binned(values, 0)


class Writer:
    """Stands in for TensorBoard's writer."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        self.written.append(tag)

    def add_histogram_raw(self, tag: str, **values: Any) -> None:
        self.written.append(tag)


@pytest.mark.parametrize(
    "values", [v for v in EXTREMES.values() if max(np.abs(v)) < LARGEST], ids=str
)
def test_whatever_shows_a_report_shows_such_activities(values: list[float], tmp_path: Path) -> None:
    layer = LayerActivity(
        "lif", "toy", "Neuron", SignalKind.GRADED, 1, 1,
        events=np.ones(len(values), np.int64), total=np.array(values),
    )  # fmt: skip
    report = ActivityReport([layer])
    assert_bins(values, *layer.histogram(), 10)
    assert layer.mean == pytest.approx(values[0] / 2 + values[1] / 2, rel=1e-12)
    assert layer.std == pytest.approx(abs(values[0] / 2 - values[1] / 2), rel=1e-12, abs=1e285)
    assert "lif" in str(report)
    assert "lif" in report._repr_html_()
    assert "lif" in report.to_html()
    assert histograms(report)["activity/lif"][0].sum() == len(values)
    writer = Writer()
    tensorboard(writer)(report, 0)
    assert "activity/lif" in writer.written
    for kind in ("box", "violin", "curve", "neurons"):
        report.plot(tmp_path / f"{kind}.png", kind=kind)

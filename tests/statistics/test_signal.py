"""`Signal` equals exact fractions and NumPy on the raw values, in any order."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroact import ActivityReport, Recording, Signal, SignalKind, SpikeChunk
from neuroact.errors import MergeError, ReportFileError
from neuroact.quantiles import METHODS
from neuroact.statistics import SignalResult
from neuroact.statistics.counting.exact_sums import digits, scale, squares_of, top_of
from neuroact.statistics.counting.real_bins import BINS, ERROR, ZERO, bins_of, edges_of
from neuroact.statistics.states import check_state, working_memory
from neuroact.testing.same import assert_same_result, assert_same_state

ANALOG = SignalKind.ANALOG
Values = NDArray[np.float64]
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
OF_ALL_VALUES = (
    *("mean", "std", "min", "max", "median", "q1", "zeros_share", "density", "l0", "norm"),
    *("above_share", "distance_mean", "distance_min"),
)

# Wide apart, so that small values are rounded beside large ones, and the order would matter.
wide = st.floats(-1e300, 1e300) | st.floats(width=32, allow_nan=False, allow_infinity=False)
near = st.floats(-4, 4, width=32)


def signal_of(values: Any, threshold: float | None = None, valid: Any = None) -> Signal:
    signal = Signal(threshold)
    signal.update(SpikeChunk(torch.as_tensor(values), ANALOG, True, valid))
    return signal


def result_of(values: Any, threshold: float | None = None) -> SignalResult:
    result = signal_of(values, threshold).result()
    assert result is not None
    return result


def exact(values: Any) -> tuple[float, float]:
    """Mean and standard deviation by fractions: only the last division and the root round."""
    found = [Fraction(value) for value in np.ravel(values).tolist()]
    mean = sum(found, Fraction()) / len(found)
    variance = sum((value - mean) ** 2 for value in found) / len(found)
    return float(mean), math.sqrt(variance)


@st.composite
def sequences(draw: st.DrawFn, elements: st.SearchStrategy[float], most: int = 4) -> Values:
    """Float64 `[time, batch, neurons]`, at least one value."""
    steps, batch, neurons = (draw(st.integers(1, most)) for _ in range(3))
    size = steps * batch * neurons
    drawn = draw(st.lists(elements, min_size=size, max_size=size))
    return np.array(drawn).reshape(steps, batch, neurons)


@given(sequences(near.filter(lambda x: x == 0 or abs(x) > 2**-20)), st.sampled_from(DTYPES))
def test_means_and_deviations_are_exact_where_no_value_is_rounded(
    drawn: Values, dtype: torch.dtype
) -> None:
    values = torch.from_numpy(drawn).to(dtype)
    result, raw = result_of(values), values.double().numpy()
    for neuron in range(raw.shape[2]):
        mean, std = exact(raw[:, :, neuron])
        assert result.mean_per_neuron[neuron] == mean
        assert result.std_per_neuron[neuron] == pytest.approx(std, rel=4e-16, abs=0)
    for step in range(len(raw)):
        mean, std = exact(raw[step])
        assert result.mean_by_step[step] == mean
        assert result.std_by_step[step] == pytest.approx(std, rel=4e-16, abs=0)


@given(sequences(wide))
def test_means_and_deviations_are_within_the_stated_bounds(raw: Values) -> None:
    result = result_of(raw)
    unit = 2.0 ** math.frexp(float(np.abs(raw).max()))[1]  # at most twice the largest magnitude
    for neuron in range(raw.shape[2]):
        mean, std = exact(raw[:, :, neuron] / unit)
        came = result.mean_per_neuron[neuron] / unit, result.std_per_neuron[neuron] / unit
        assert came[0] == pytest.approx(mean, rel=2**-52, abs=2**-100)
        assert came[1] == pytest.approx(std, rel=2**-51, abs=2**-48)


@given(st.floats(-1e150, 1e150), st.integers(1, 50))
def test_equal_values_of_full_precision_have_no_spread(value: float, number: int) -> None:
    result = result_of(np.full((number, 1, 1), value))
    assert result.std_per_neuron.tolist() == [0.0]
    assert result.mean_per_neuron.tolist() == [value]


def test_a_small_spread_around_a_large_mean_is_not_lost() -> None:
    raw = 1000 + 1e-9 * np.random.default_rng(0).standard_normal((50, 2, 3))
    mean, std = exact(raw)
    assert result_of(raw).mean == pytest.approx(mean, rel=1e-15)
    assert result_of(raw).std == pytest.approx(std, rel=1e-6)
    assert result_of(raw).std_by_step[7] == pytest.approx(exact(raw[7])[1], rel=1e-12)


@given(st.data(), sequences(wide, most=5))
def test_any_split_order_and_merge_gives_the_same_bits(data: st.DataObject, raw: Values) -> None:
    whole = signal_of(raw, threshold=0.5)
    parts = []
    for sample in data.draw(st.permutations(range(raw.shape[1]))):
        parts.append(Signal(threshold=0.5))
        cut = data.draw(st.integers(0, len(raw)))
        for number, piece in enumerate((raw[:cut], raw[cut:])):
            values = torch.from_numpy(piece[:, [sample]])
            parts[-1].update(SpikeChunk(values, ANALOG, number == 0))
    while len(parts) > 1:
        ours, theirs = data.draw(st.permutations(range(len(parts))))[:2]
        parts[ours].merge(parts[theirs])
        del parts[theirs]
    for signal in (whole, parts[0]):  # which sequences are open does not matter
        signal._sequences.close()
    assert_same_state(parts[0], whole, "samples merged and the whole")
    assert parts[0].result() == whole.result()


@given(st.data(), sequences(wide))
def test_padding_of_any_value_counts_for_nothing(data: st.DataObject, raw: Values) -> None:
    filler = data.draw(st.sampled_from([0.0, 1e308, math.nan, -math.inf]))
    valid = np.array(
        data.draw(
            st.lists(
                st.booleans(), min_size=raw.shape[1] * len(raw), max_size=raw.shape[1] * len(raw)
            )
        )
    ).reshape(raw.shape[:2])
    filled = np.where(valid[:, :, None], raw, filler)
    padded = signal_of(filled, -1.0, torch.from_numpy(valid))
    plain = Signal(-1.0)
    plain.update(SpikeChunk(torch.from_numpy(raw[:0, :0]), ANALOG, True))
    for sample in range(raw.shape[1]):
        own = torch.from_numpy(raw[valid[:, sample], sample][:, None])
        plain.update(SpikeChunk(own, ANALOG, True))
    for signal in (padded, plain):
        signal._sequences.close()
    assert_same_state(padded, plain, "padded and not")


@given(sequences(wide), st.floats(0, 1), st.sampled_from(METHODS))
def test_a_quantile_is_within_the_stated_error(raw: Values, q: float, method: str) -> None:
    raw = np.where(np.abs(raw) < 2.0**127, raw, np.sign(raw))
    came, ordered = result_of(raw).quantile(q, method), np.sort(raw.ravel())
    expected = float(np.quantile(raw, q, method=method))
    at = int(np.searchsorted(ordered, expected))
    around = ordered[max(at - 1, 0) : at + 2]  # a quantile lies between two of them
    assert came == pytest.approx(
        expected, rel=0, abs=ERROR * np.abs(around).max() * 1.0001 + 2**-127
    )


def test_quantiles_of_zeros_and_at_the_ends_are_exact() -> None:
    raw = np.array([0.0, -0.0, 0.0, 0.3, 7.7]).reshape(5, 1, 1)
    result = result_of(raw)
    assert (result.min, result.median, result.max) == (0.0, 0.0, 7.7)
    assert (result.quantile(0.0), result.quantile(1.0)) == (0.0, 7.7)
    assert not math.isfinite(result_of(np.array([[[1e200], [2.0], [3.0]]])).quantile(0.9))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_bin_holds_the_values_between_its_edges(value: float) -> None:
    bins = bins_of(torch.tensor([value, -value], dtype=torch.float64)).numpy()
    low, high = edges_of(bins)
    assert bins.sum() == 2 * ZERO
    assert low[0] <= value <= high[0]
    assert (low[0], high[0]) == (-high[1], -low[1])
    if 2.0**-128 <= abs(value) < 2.0**128:
        assert high[0] - low[0] <= 2 * ERROR * abs(value)


def test_bins_of_what_is_not_finite_are_within_the_histogram() -> None:
    odd = torch.tensor([math.nan, math.inf, -math.inf, 1e308, 5e-324], dtype=torch.float64)
    assert int(bins_of(odd).min()) >= 0
    assert int(bins_of(odd).max()) < BINS


@given(st.floats(-1e308, 1e308), st.integers(0, 3))
def test_the_digits_of_a_value_do_not_depend_on_the_largest_one(value: float, by: int) -> None:
    def at(top: torch.Tensor) -> list[float]:
        scaled = torch.tensor([value], dtype=torch.float64)
        scale(scaled, top)
        return [float(digit) for digit in digits(scaled, 9)]

    top = top_of(torch.tensor(abs(value), dtype=torch.float64))
    assert at(top + by) == [0.0] * by + at(top)[: 9 - by]


@given(st.floats(-0.5, 0.5))
def test_a_square_is_the_sum_of_its_parts_exactly(value: float) -> None:
    value = value if abs(value) > 2.0**-200 else 0.25
    parts = squares_of(torch.tensor([value], dtype=torch.float64), wide=True)
    assert sum((Fraction(float(part)) for part in parts), Fraction()) == Fraction(value) ** 2


@given(sequences(near), st.floats(-2, 2))
def test_distances_to_a_threshold_are_numpys(raw: Values, threshold: float) -> None:
    result = result_of(raw, threshold)
    np.testing.assert_array_equal(result.above, (raw >= threshold).sum((0, 1)))
    assert result.above_share == (raw >= threshold).mean()
    np.testing.assert_array_equal(result.above_share_per_neuron, (raw >= threshold).mean((0, 1)))
    assert result.distance_min == threshold - raw.max()
    assert result.distance_mean == pytest.approx((threshold - raw).mean(), abs=1e-14)


@given(sequences(near | st.just(0.0)))
def test_figures_of_all_values_are_numpys(raw: Values) -> None:
    result = result_of(raw)
    assert result.mean == pytest.approx(raw.mean(), rel=1e-14, abs=1e-15)
    assert result.std == pytest.approx(raw.std(), rel=1e-12, abs=1e-14)
    assert (result.min, result.max) == (raw.min(), raw.max())
    assert result.zeros_share == (raw == 0).mean()
    assert result.density == pytest.approx((raw != 0).mean())
    assert result.l0 == np.count_nonzero(raw, axis=2).mean()
    np.testing.assert_array_equal(result.zeros_share_per_neuron, (raw == 0).mean((0, 1)))
    expected = np.sqrt((raw**2).sum(2).mean())
    assert result.norm == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert result.beyond_share(-math.inf, math.inf) == 0
    assert (result.observations, result.steps) == (raw.shape[0] * raw.shape[1], len(raw))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["first", "last", "merged"])
def test_after_a_value_that_is_not_finite_every_figure_is_nan_and_it_is_said(
    bad: float, place: str
) -> None:
    raw = np.ones((3, 2, 2))
    signal, ill = signal_of(raw, 0.5), np.ones((3, 2, 2))
    ill[1, 0, 1] = bad
    if place == "first":
        signal = signal_of(ill, 0.5)
        signal.update(SpikeChunk(torch.from_numpy(raw), ANALOG, True))
    elif place == "last":
        signal.update(SpikeChunk(torch.from_numpy(ill), ANALOG, True))
    else:
        signal.merge(signal_of(ill, 0.5))
    again = Signal()
    again.load_state_dict(signal.state_dict())
    for result in (signal.result(), again.result()):
        assert result is not None
        assert result.unreliable == "NaN or infinite values were emitted"
        for name in (
            "mean_per_neuron",
            "std_per_neuron",
            "min_per_neuron",
            "max_per_neuron",
            "mean_by_step",
            "std_by_step",
            "zeros_share_per_neuron",
        ):
            assert np.isnan(getattr(result, name)).all()
        for name in OF_ALL_VALUES:
            assert math.isnan(getattr(result, name))
        assert result.step_observations.tolist() == again.result().step_observations.tolist()  # type: ignore[union-attr]


@given(st.data())
def test_a_layer_with_nan_merges_to_the_same_bits_in_any_order(data: st.DataObject) -> None:
    raws = [np.ones((2, 1, 2)), np.full((2, 1, 2), 3.0), np.array([[[1.0, math.nan]]])]
    orders = [data.draw(st.permutations(raws)) for _ in range(2)]
    merged = []
    for order in orders:
        merged.append(Signal())
        for raw in order:
            merged[-1].merge(signal_of(raw))
    assert_same_state(*merged, "in two orders")


def test_what_does_not_exist_is_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shape in ((0, 2, 3), (4, 0, 3), (4, 2, 0)):
            result = result_of(np.zeros(shape), 1.0)
            for name in OF_ALL_VALUES:
                assert math.isnan(getattr(result, name)), (shape, name)
        plain = result_of(np.ones((2, 1, 2)))
        assert math.isnan(plain.above_share)
        assert math.isnan(plain.distance_mean)
        assert np.isnan(plain.above_share_per_neuron).all()


def test_extreme_values_do_not_overflow() -> None:
    raw = np.array([1.7e308, -1.7e308, 0.0, 5e-324]).reshape(4, 1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = result_of(raw)
        assert result.mean_per_neuron.tolist() == [0.0]
        assert result.std == pytest.approx(1.7e308 / math.sqrt(2), rel=1e-15)
    small = result_of(np.full((2, 1, 1), 5e-324))
    assert (small.mean, small.min, small.std) == (5e-324, 5e-324, 0.0)


def test_other_thresholds_and_other_neurons_are_not_merged() -> None:
    signal = signal_of(np.ones((1, 1, 2)), 1.0)
    with pytest.raises(MergeError, match=r"shape \[2\] with threshold=0\.5 to .*threshold=1\.0"):
        signal.merge(signal_of(np.ones((1, 1, 2)), 0.5))
    with pytest.raises(MergeError, match=r"shape \[3\]"):
        signal.merge(signal_of(np.ones((1, 1, 3)), 1.0))
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite number"):
            Signal(threshold=bad)


def test_it_is_recorded_by_name_and_keeps_its_figures_in_json_and_in_a_recording_file(
    tmp_path: Any,
) -> None:
    raw = np.random.default_rng(3).standard_normal((6, 2, 3, 2)).astype(np.float32)
    recording = Recording(statistics=["Signal"])
    recording.observe("mem", raw, kind="analog")
    report = recording.report()
    recording.save(tmp_path / "signal.nact")
    loaded = Recording.load(tmp_path / "signal.nact")
    assert loaded.report() == report
    recording.merge(loaded)
    assert recording.report()["mem"][Signal].observations == 24
    frame = report.to_frame(per="neuron")
    for name in ("mean_per_neuron", "std_per_neuron", "max_per_neuron", "zeros_share_per_neuron"):
        found = getattr(report["mem"][Signal], name).ravel()
        np.testing.assert_array_equal(frame[name], found)
    again = type(report).from_json(report.to_json())
    assert again == report
    assert_same_result(again["mem"][Signal], report["mem"][Signal], "read and written")
    assert again["mem"][Signal].std_per_neuron.shape == (3, 2)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("bin_counts", torch.tensor([5]), "bin_counts: another number of values"),
        ("bin_counts", torch.tensor([0]), "a bin without a value"),
        ("bins", torch.tensor([BINS]), "below 32771, ascending"),
        ("top", torch.tensor(53), "expected top from -50 to 52"),
        ("zeros", torch.full((2,), 9), "zeros, above: a neuron has more"),
        ("threshold", torch.tensor(math.nan, dtype=torch.float64), "not a finite number"),
        ("open_clock", torch.tensor([2**40]), "more steps than were observed"),
        ("step_sums", torch.zeros(6, 9, dtype=torch.int64), "expected step_sums"),
    ],
)
def test_a_state_that_no_signal_can_have_given_is_refused(key: str, value: Any, said: str) -> None:
    state = signal_of(np.ones((3, 1, 2)), 0.5).state_dict()
    check_state(Signal(), state, torch.Size([2]))
    with pytest.raises(ValueError, match=said):
        check_state(Signal(), {**state, key: value}, torch.Size([2]))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("bin_counts", [3, 1], "expected 6 values, came 4"),
        ("bins", [24578, 16385], "ascending"),
        ("bins", [16385, 99999], "below 32771"),
        ("bin_counts", [3], "number of values for each"),
        ("zeros", [0, 0], "zeros: another number"),
        ("zeros", [7, 0], "zeros, above: more than"),
        ("above", [0, 4], "zeros, above: more than"),
        ("min_per_neuron", [2.0, 0.0], "not the ends of a range"),
        ("max_per_neuron", [None, 0.0], "not the ends of a range"),
        ("std_per_neuron", [-1.0, 0.0], "below 0"),
        ("threshold", None, "above no threshold"),
    ],
)
def test_figures_of_a_file_that_contradict_each_other_are_refused(
    key: str, value: Any, said: str
) -> None:
    recording = Recording(statistics=Signal(1.0))
    recording.observe("mem", np.array([[[0.0, 1.0]]] * 3), kind="analog")
    document = recording.report().to_dict()
    document["layers"][0]["results"]["Signal"][key] = value
    with pytest.raises(ReportFileError, match=said):
        ActivityReport.from_dict(document)


def test_the_memory_of_a_loaded_histogram_is_known_before_it_is_loaded() -> None:
    state = signal_of(np.ones((3, 1, 2))).state_dict()
    assert working_memory(Signal(), state) == 8 * BINS
    assert working_memory(Signal(), {}) == 0


@pytest.mark.parametrize("threshold", [None, 1.0])
def test_a_report_comes_back_from_json_with_and_without_a_threshold(
    threshold: float | None,
) -> None:
    recording = Recording(statistics=Signal(threshold=threshold))
    recording.observe("lif", np.array([[[0.5, -1.0]], [[2.0, 0.0]]]), kind="analog")
    report = recording.report()
    assert ActivityReport.from_json(report.to_json()) == report


def test_the_norm_by_step_is_the_root_mean_square_over_samples_of_the_l2_norm() -> None:
    values = np.random.default_rng(0).normal(size=(5, 4, 3)) * np.logspace(0, -8, 5)[:, None, None]
    recording = Recording(statistics=Signal)
    recording.observe("lif", values, kind="analog")
    signal = recording.report()["lif"][Signal]
    norms = np.linalg.norm(values, axis=2)
    assert np.allclose(signal.norm_by_step, np.sqrt((norms**2).mean(1)), rtol=1e-9)

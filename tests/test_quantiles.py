"""Quantiles equal, to the last bit, what numpy gives for the repeated values."""

from __future__ import annotations

import math
import random
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuroact.quantiles import METHODS, quantile, tally
from neuroact.testing.strategies import extended, finite, histograms, samples, some_levels

eighths = st.integers(0, 8).map(lambda count: count / 8)

Histogram = list[tuple[float, int]]

# Older versions round type 3 to odd ranks, unlike the paper (numpy issue 26656).
rounds_as_the_paper = np.lib.NumpyVersion(np.__version__) >= "2.0.1"
NUMPYS = [name for name in METHODS if rounds_as_the_paper or name != "closest_observation"]

PICKING = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")


def numpys(values: Any, q: Any, method: Any) -> Any:
    """What numpy gives, without its warnings about infinities."""
    with np.errstate(all="ignore"):
        return np.quantile(np.asarray(values), np.asarray(q, np.float64), method=method)


def assert_equal(ours: Any, expected: Any, method: str) -> None:
    """Equal by ==; NaN equals NaN."""
    np.testing.assert_array_equal(ours, np.asarray(expected, np.float64), err_msg=method)


def columns(histogram: Histogram) -> tuple[list[float], list[int]]:
    """Values and counts."""
    return [value for value, _ in histogram], [count for _, count in histogram]


# Equality with numpy, to the last bit.


@given(values=samples(extended), q=some_levels)
@example(values=[-1.7e308, 1.7e308], q=[0.0, 0.25, 0.75, 1.0])
def test_equals_numpy(values: list[float], q: list[float]) -> None:
    """Ties, infinities and differences that overflow included."""
    for method in NUMPYS:
        assert_equal(quantile(values, q, method=method), numpys(values, q, method), method)


@given(histogram=histograms(extended), q=some_levels)
def test_counts_equal_numpy_on_the_repeated_values(histogram: Histogram, q: list[float]) -> None:
    """Counts of zero, and one value counted in two places, included."""
    values, counts = columns(histogram)
    repeated = np.repeat(values, counts)
    for method in NUMPYS:
        result = quantile(values, q, counts=counts, method=method)
        assert_equal(result, numpys(repeated, q, method), method)


@pytest.mark.parametrize("many", [1, 5, 300])
@pytest.mark.parametrize("method", NUMPYS)
def test_equals_numpy_on_many_values(method: str, many: int) -> None:
    """A few ranks are selected and many are sorted for; both give the same."""
    rng = np.random.default_rng(many)
    values, q = rng.normal(size=6007), rng.random(many)
    assert_equal(quantile(values, q, method=method), numpys(values, q, method), method)


@pytest.mark.parametrize("size", [99_991, 100_000])
@pytest.mark.parametrize("method", NUMPYS)
def test_positions_round_as_numpys_do(method: str, size: int) -> None:
    """Levels k / n and k / (n - 1) give whole positions, or miss them by a rounding error."""
    k = np.random.default_rng(size).integers(0, size, 400)
    q = np.concatenate([k / size, k / (size - 1), (k + 0.5) / size]).clip(0, 1)
    values, once = np.arange(size) * 0.1, np.ones(size, int)
    expected = numpys(values, q, method)
    assert_equal(quantile(values, q, method=method), expected, method)
    assert_equal(quantile(values, q, counts=once, method=method), expected, method)


@given(
    values=st.one_of(
        hnp.arrays(np.int64, st.integers(1, 20), elements=st.integers(-(2**62), 2**62 - 1)),
        hnp.arrays(np.int64, st.integers(1, 20), elements=st.integers(0, 9)),
        hnp.arrays(np.int64, st.integers(1, 20), elements=st.integers(2**53, 2**53 + 99)),
        hnp.arrays(np.uint64, st.integers(1, 20), elements=st.integers(2**63, 2**63 + 9)),
        hnp.arrays(np.uint64, st.integers(1, 20)),
        hnp.arrays(np.uint8, st.integers(1, 20)),
    ),
    q=some_levels,
)
def test_integers_equal_numpy(values: Any, q: list[float]) -> None:
    """Also where float64 cannot tell them apart."""
    once = np.ones(values.shape, np.uint8)
    for method in NUMPYS:
        expected = numpys(values, q, method)
        assert_equal(quantile(values, q, method=method), expected, method)
        assert_equal(quantile(values, q, counts=once, method=method), expected, method)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
@pytest.mark.parametrize("repeats", [1, 400])
def test_integers_far_apart_do_not_wrap(dtype: type[np.signedinteger[Any]], repeats: int) -> None:
    """Unlike numpy's difference: there the median of the int8 -100 and 100 is 128."""
    limits = np.iinfo(dtype)
    assert quantile(np.array([limits.max, limits.min] * repeats, dtype), 0.5) == -0.5


def test_integers_as_far_apart_as_int64_reaches_do_not_wrap() -> None:
    """Their difference does not fit into int64."""
    limits = np.iinfo(np.int64)
    assert quantile(np.array([limits.max, limits.min]), 0.25) == -(2.0**62)


@given(values=hnp.arrays(np.bool_, st.integers(1, 20)), q=some_levels)
def test_bool_is_zero_and_one(values: Any, q: list[float]) -> None:
    """With and without counts."""
    once = np.ones(values.shape, int)
    for method in NUMPYS:
        expected = numpys(values.astype(float), q, method)
        assert_equal(quantile(values, q, method=method), expected, method)
        assert_equal(quantile(values, q, counts=once, method=method), expected, method)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_narrow_floats_are_computed_in_float64(dtype: type[np.floating[Any]]) -> None:
    """As numpy computes them once they are converted."""
    values: Any = np.random.default_rng(1).normal(size=99).astype(dtype)
    q = np.linspace(0, 1, 40)
    for method in NUMPYS:
        expected = numpys(values.astype(float), q, method)
        assert_equal(quantile(values, q, method=method), expected, method)


# Independent of numpy: the definitions in rational numbers, for counts too large to repeat.


def order_statistic(histogram: Histogram, rank: int) -> Fraction:
    """The value at a rank, counted from one; beyond either end, the value at that end."""
    left = min(max(rank, 1), sum(count for _, count in histogram))
    for value, count in sorted(histogram):
        left -= count
        if left <= 0:
            return Fraction(value)
    raise AssertionError


def interpolated(histogram: Histogram, position: Fraction) -> Fraction:
    """On the line between the values at the two ranks around a position, counted from one."""
    rank = math.floor(position)
    lower, upper = order_statistic(histogram, rank), order_statistic(histogram, rank + 1)
    return lower + (position - rank) * (upper - lower)


def mean_of_ranks(histogram: Histogram, *ranks: int) -> Fraction:
    """The mean of the values at these ranks, counted from one."""
    return sum((order_statistic(histogram, rank) for rank in ranks), Fraction(0)) / len(ranks)


# Hyndman and Fan: the k-th of n values is the quantile at (k - alpha) / (n + 1 - alpha - beta).
PLOTTING = {
    "interpolated_inverted_cdf": (Fraction(0), Fraction(1)),
    "hazen": (Fraction(1, 2), Fraction(1, 2)),
    "weibull": (Fraction(0), Fraction(0)),
    "linear": (Fraction(1), Fraction(1)),
    "median_unbiased": (Fraction(1, 3), Fraction(1, 3)),
    "normal_unbiased": (Fraction(3, 8), Fraction(3, 8)),
}


def by_definition(histogram: Histogram, q: Fraction, method: str) -> Fraction:
    """The paper's definitions of types 1 to 9, and numpy's of the other four methods."""
    n = sum(count for _, count in histogram)
    if method in PLOTTING:
        alpha, beta = PLOTTING[method]
        return interpolated(histogram, alpha + q * (n + 1 - alpha - beta))
    rank, last = n * q, 1 + (n - 1) * q
    ranks = {
        "inverted_cdf": [math.ceil(rank)],
        "averaged_inverted_cdf": [math.ceil(rank), math.floor(rank) + 1],
        "closest_observation": [round(rank)],
        "lower": [math.floor(last)],
        "higher": [math.ceil(last)],
        "midpoint": [math.floor(last), math.ceil(last)],
        # numpy rounds a half to the even rank, counted from zero.
        "nearest": [1 + round(last - 1)],
    }
    return mean_of_ranks(histogram, *ranks[method])


@given(histogram=histograms(st.integers(-(2**20), 2**20), most=2**40), q=eighths)
def test_huge_counts_follow_the_definition(histogram: Histogram, q: float) -> None:
    """Exactly: float64 holds eighths of totals below 2**44, and the weights, but no thirds."""
    values, counts = columns(histogram)
    for method in METHODS:
        result = quantile(values, q, counts=counts, method=method)
        error = abs(Fraction(result) - by_definition(histogram, Fraction(q), method))
        rounding = Fraction(max(values) - min(values)) * sum(counts) / 2**50
        assert error <= (rounding if method == "median_unbiased" else 0), method


@given(histogram=histograms(finite, most=10**14), q=eighths)
def test_ranks_up_to_ten_to_the_fifteen_are_exact(histogram: Histogram, q: float) -> None:
    """For the methods that pick one value."""
    values, counts = columns(histogram)
    for method in PICKING:
        result = quantile(values, q, counts=counts, method=method)
        assert result == by_definition(histogram, Fraction(q), method), method


@given(histogram=histograms(finite), q=some_levels, doublings=st.integers(1, 46))
def test_multiplying_all_counts_leaves_the_inverse_of_the_cdf(
    histogram: Histogram, q: list[float], doublings: int
) -> None:
    """It depends on the proportions alone; for powers of two to the last bit."""
    values, counts = columns(histogram)
    more = [count * 2**doublings for count in counts]
    for method in ("inverted_cdf", "averaged_inverted_cdf"):
        expected = quantile(values, q, counts=counts, method=method)
        assert_equal(quantile(values, q, counts=more, method=method), expected, method)


def test_memory_does_not_grow_with_counts() -> None:
    """10**15 values take the memory of a hundred."""
    values, counts = np.arange(100) * 0.1, np.full(100, 10**13)
    tracemalloc.start()
    result = quantile(values, [0.0, 0.5, 1.0], counts=counts, method="lower")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.tolist() == [values[0], values[49], values[99]]
    assert peak < 100_000


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.uint64])
def test_counts_of_any_integer_type_do_not_wrap(dtype: type[np.integer[Any]]) -> None:
    """Also where their sum is too large for the type."""
    most = min(np.iinfo(dtype).max, 10**12)
    counts = np.array([most, most, most], dtype)
    assert quantile([1, 2, 3], [0.3, 0.5, 0.7], counts=counts).tolist() == [1.0, 2.0, 3.0]


def test_the_largest_total_is_the_last_whose_ranks_are_all_floats() -> None:
    """At 2**53, the last two values are still told apart."""
    assert quantile([3, 5], [0.0, 1.0], counts=[2**53 - 1, 1]).tolist() == [3.0, 5.0]
    assert quantile([3, 5], 1 - 2**-53, counts=[2**53 - 1, 1], method="lower") == 3.0


# Laws.


@given(histogram=histograms(finite), q=some_levels, seed=st.integers(0, 99))
def test_order_changes_nothing(histogram: Histogram, q: list[float], seed: int) -> None:
    """Not a single bit: zeros of either sign give the same zero."""
    values, counts = columns(histogram)
    others, other_counts = columns(random.Random(seed).sample(histogram, len(histogram)))
    for method in METHODS:
        plain, again = quantile(values, q, method=method), quantile(others, q, method=method)
        assert plain.tobytes() == again.tobytes(), method
        plain = quantile(values, q, counts=counts, method=method)
        again = quantile(others, q, counts=other_counts, method=method)
        assert plain.tobytes() == again.tobytes(), method


@given(one=histograms(finite), other=histograms(finite), q=some_levels)
def test_histograms_together_are_the_data_together(
    one: Histogram, other: Histogram, q: list[float]
) -> None:
    """Two recordings' counts can be concatenated, neither sorted nor merged."""
    values, counts = columns(one + other)
    together = np.concatenate([np.repeat(*columns(one)), np.repeat(*columns(other))])
    for method in METHODS:
        result = quantile(values, q, counts=counts, method=method)
        assert_equal(result, quantile(together, q, method=method), method)


@given(values=samples(finite))
def test_ends_are_the_smallest_and_the_largest(values: list[float]) -> None:
    """By every method."""
    for method in METHODS:
        ends = quantile(values, [0.0, 1.0], method=method)
        assert ends.tolist() == [min(values), max(values)], method


@given(value=finite, q=some_levels, count=st.integers(1, 2**53))
def test_one_value_is_every_quantile(value: float, q: list[float], count: int) -> None:
    """However often it is counted."""
    for method in METHODS:
        assert (quantile([value], q, method=method) == value).all(), method
        assert (quantile([value], q, counts=[count], method=method) == value).all(), method


@given(values=samples(finite.filter(lambda value: abs(value) < 1e307)), q=some_levels)
def test_never_falls_as_q_grows(values: list[float], q: list[float]) -> None:
    """Not by a bit, also half way between neighbours, where the nearer end changes."""
    halves = (np.arange(len(values)) + 0.5) / max(1, len(values) - 1)
    near = np.concatenate([q, halves, np.nextafter(halves, 0), np.nextafter(halves, 1)])
    for method in METHODS:
        found = quantile(values, np.sort(near.clip(0, 1)), method=method)
        assert (found[1:] >= found[:-1]).all(), method


@given(values=st.lists(st.floats(-4, 4), min_size=2, max_size=2))
def test_linear_does_not_fall_half_way(values: list[float]) -> None:
    """With two values the level is the weight, so all its last bits can be tried."""
    found = quantile(values, 0.5 + np.arange(-8, 9) * 2.0**-54)
    assert (found[1:] >= found[:-1]).all()


@given(
    values=samples(finite.filter(lambda value: value == 0 or 1e-50 < abs(value) < 1e50)),
    q=st.lists(eighths, min_size=1),
    doublings=st.integers(-99, 99),
)
def test_scaling_by_a_power_of_two_is_exact(
    values: list[float], q: list[float], doublings: int
) -> None:
    """If nothing overflows and no difference becomes subnormal."""
    scaled = np.ldexp(values, doublings)
    for method in METHODS:
        expected = np.ldexp(quantile(values, q, method=method), doublings)
        assert_equal(quantile(scaled, q, method=method), expected, method)


@given(
    values=st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=30),
    q=st.lists(eighths, min_size=1),
    shift=st.integers(-(2**20), 2**20),
)
def test_shifting_is_exact_where_the_sums_are(
    values: list[int], q: list[float], shift: int
) -> None:
    """Integers and binary weights; median_unbiased has thirds, which are rounded."""
    shifted = np.array(values) + shift
    for method in set(METHODS) - {"median_unbiased"}:
        expected = quantile(values, q, method=method) + shift
        assert_equal(quantile(shifted, q, method=method), expected, method)
        assert_equal(quantile(shifted.astype(float), q, method=method), expected, method)


@given(values=samples(finite), q=st.lists(eighths, min_size=1))
def test_lower_is_higher_seen_from_above(values: list[float], q: list[float]) -> None:
    """As of negated values at levels 1 - q."""
    mirrored = quantile([-value for value in values], [1 - level for level in q], method="higher")
    assert_equal(quantile(values, q, method="lower"), -mirrored, "lower")


# Shapes, types, and values that are not numbers.


def test_one_level_gives_a_float_and_many_an_array_of_their_shape() -> None:
    """Whatever the shape and type of the values."""
    values = np.arange(12.0).reshape(3, 4)
    assert type(quantile(values, 0.5)) is float
    assert type(quantile(values, 1)) is float
    assert type(quantile(values, 0.5, counts=np.ones((3, 4), int), method="lower")) is float
    assert quantile(values, [[0.0, 0.5, 1.0]]).tolist() == [[0.0, 5.5, 11.0]]
    assert quantile(values.astype(int), [0, 1], method="lower").dtype == np.float64
    assert quantile(values, []).shape == (0,)


def test_the_data_is_left_as_it_was() -> None:
    """Selecting reorders a copy."""
    values, counts = np.array([3.0, 1.0, 2.0] * 50), np.arange(150)
    before = values.copy(), counts.copy()
    quantile(values, 0.5)
    quantile(values, 0.5, counts=counts)
    assert (values == before[0]).all()
    assert (counts == before[1]).all()


@given(values=samples(extended), q=some_levels, place=st.integers(0, 30))
def test_nan_makes_every_quantile_nan(values: list[float], q: list[float], place: int) -> None:
    """Wherever it is, even where neither neighbour is NaN."""
    values.insert(place, math.nan)
    once = np.ones(len(values), int)
    for method in METHODS:
        assert np.isnan(quantile(values, q, method=method)).all(), method
        assert np.isnan(quantile(values, q, counts=once, method=method)).all(), method


def test_values_counted_zero_times_are_ignored() -> None:
    """Even NaN."""
    values, counts = [math.nan, 7.0, 1.0, math.inf, 3.0, -math.inf], [0, 0, 1, 0, 1, 0]
    assert quantile(values, [0, 0.5, 1], counts=counts).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("method", METHODS)
def test_infinities_are_picked_but_not_interpolated(method: str) -> None:
    """Their difference is NaN, so the result is NaN, as in numpy, and never a number."""
    result = quantile([-math.inf, math.inf], [0.0, 1.0], method=method)
    if method in PICKING:
        assert result.tolist() == [-math.inf, math.inf]
    else:
        assert np.isnan(result).all()


@pytest.mark.parametrize(
    ("values", "q", "options", "error", "message"),
    [
        ([], 0.5, {}, ValueError, "values= to hold at least one value, came none"),
        ([], 0.5, {"counts": []}, ValueError, "none of them counted"),
        ([1, 2], 0.5, {"counts": [0, 0]}, ValueError, "came 2, none of them counted"),
        ([1, 2], 1.5, {}, ValueError, r"q= to lie in \[0, 1\], came 1.5; divide percentages"),
        ([1, 2], [0.5, -1e-9], {}, ValueError, "came -1e-09"),
        ([1, 2], math.nan, {}, ValueError, "came nan"),
        ([1, 2], "half", {}, TypeError, "q= to be real numbers"),
        ([1, 2], 0.5, {"counts": [1, -3]}, ValueError, "zero or more, came -3"),
        ([1, 2], 0.5, {"counts": [1.0, 3.0]}, TypeError, "integers, came float64; convert"),
        ([1, 2], 0.5, {"counts": [True, False]}, TypeError, "integers, came bool"),
        ([1, 2], 0.5, {"counts": [1, 10**30]}, TypeError, "integers, came object"),
        ([1, 2], 0.5, {"counts": [1, 2, 3]}, ValueError, r"\(2,\), came \(3,\)"),
        ([1, 2], 0.5, {"counts": [[1, 2]]}, ValueError, r"\(2,\), came \(1, 2\); give one"),
        ([1, 2], 0.5, {"counts": 3}, ValueError, r"\(2,\), came \(\)"),
        ([1, 2], 0.5, {"counts": [2**53, 1]}, ValueError, r"at most 2\*\*53"),
        ([1, 2], 0.5, {"counts": np.array([9, 2**64 - 4], np.uint64)}, ValueError, "2.*53"),
        (range(4), 0.5, {"counts": [2**62] * 4}, ValueError, "divide them"),
        (range(4096), 0.5, {"counts": [2**52] * 4096}, ValueError, "divide them"),
        ([1, 2], 0.5, {"method": "median"}, ValueError, "one of inverted_cdf, .*came 'median'"),
        ([1j, 2], 0.5, {}, TypeError, "values= to be real numbers.*came complex128"),
        (["1", "2"], 0.5, {}, TypeError, "values= to be real numbers"),
        ([None, 2], 0.5, {}, TypeError, "came object"),
    ],
)
def test_what_makes_no_sense_is_refused(
    values: Any, q: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """With what was expected, what came, and what to do."""
    with pytest.raises(error, match=message):
        quantile(values, q, **options)


# Tallies.

integers = st.one_of(
    hnp.arrays(np.int64, st.integers(0, 30), elements=st.integers(0, 20)),
    hnp.arrays(
        st.sampled_from([bool, np.int8, np.uint8, np.int64, np.uint64]), st.integers(0, 300)
    ),
    hnp.arrays(np.int64, (5, 4), elements=st.integers(-(2**63), -(2**63) + 9)),
    hnp.arrays(np.uint64, (5, 4), elements=st.integers(2**64 - 9, 2**64 - 1)),
)


@given(values=st.one_of(integers, samples(extended).map(np.array)))
@example(values=np.arange(-128, 128).repeat(2).astype(np.int8))
def test_a_tally_repeated_is_the_sorted_data(values: Any) -> None:
    """In its own type, each value once."""
    distinct, counts = tally(values)
    assert (np.repeat(distinct, counts) == np.sort(values, axis=None)).all()
    assert distinct.dtype == values.dtype
    assert counts.dtype == np.int64
    assert (distinct[1:] > distinct[:-1]).all()
    assert (counts > 0).all()


def test_all_nan_are_one_value_of_a_tally() -> None:
    """It is the last value."""
    distinct, counts = tally([math.nan, 1.0, math.nan])
    assert_equal(distinct, [1.0, math.nan], "tally")
    assert counts.tolist() == [1, 2]


@given(
    spikes=hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 30)),
    observations=st.integers(1, 10**6),
    q=some_levels,
)
def test_a_tally_divided_is_all_values_divided(
    spikes: Any, observations: int, q: list[float]
) -> None:
    """A report computes the quantiles of activity in this way."""
    distinct, counts = tally(spikes)
    for method in NUMPYS:
        result = quantile(distinct / observations, q, counts=counts, method=method)
        assert_equal(result, numpys(spikes / observations, q, method), method)

"""The spread of operations over samples is what NumPy says of the samples' own numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroact.errors import SamplesUnknownError
from neuroact.results.operations import LayerOperations, Operations
from neuroact.results.spread import (
    MOST_VALUES,
    OperationSpread,
    check_spread,
    known_spread,
)

numbers = st.lists(st.integers(0, 2**50) | st.integers(0, 40), max_size=40)


@given(numbers, st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_figures_of_few_values_are_those_of_numpy(operations: list[int], q: float) -> None:
    spread = OperationSpread.of(operations)
    assert spread.samples == len(operations)
    assert spread.sum == sum(operations)
    if not operations:
        assert np.isnan([spread.mean, spread.median, spread.quantile(q)]).all()
        return
    assert (spread.least, spread.most) == (min(operations), max(operations))
    assert spread.quantile(q) == np.quantile(operations, q)
    assert spread.median == np.median(operations)
    assert spread.mean == sum(operations) / len(operations)


@given(st.lists(numbers, max_size=4), st.randoms(use_true_random=False))
def test_any_split_and_order_gives_the_same(parts: list[list[int]], random: Any) -> None:
    whole = OperationSpread.of([each for part in parts for each in part])
    random.shuffle(parts)
    added = OperationSpread()
    for part in parts:
        added = added.plus(OperationSpread.of(part))
    assert added == whole


def many(seed: int) -> np.ndarray[Any, Any]:
    """More numbers than are kept exactly, from few to very many operations."""
    random = np.random.default_rng(seed)
    return (2 ** random.uniform(0, 62, 3 * MOST_VALUES)).astype(np.int64)


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "inverted_cdf", "hazen"])
def test_quantiles_of_many_values_are_too_small_by_less_than_a_256th(method: str) -> None:
    operations = many(0)
    spread = OperationSpread.of(operations)
    assert not spread.exact
    assert len(spread.values) <= 512 + 54 * 256
    assert (spread.least, spread.most) == (operations.min(), operations.max())
    assert spread.sum == sum(operations.tolist())
    assert spread.quantile(0) == operations.min()
    assert spread.quantile(1) == operations.max()
    for q in np.linspace(0, 1, 101):
        true: Any = np.quantile(operations, q, method=method)  # type: ignore[call-overload]
        assert (
            spread.quantile(q, method=method)
            <= true
            < spread.quantile(q, method=method) * 257 / 256 + 1e-9
        )
        if true < 512:
            assert spread.quantile(q, method=method) == true


def test_what_is_put_in_bins_does_not_depend_on_the_split_either() -> None:
    operations = many(1)
    whole = OperationSpread.of(operations)
    parts = [OperationSpread.of(part) for part in np.array_split(operations, 7)]
    assert parts[0].exact
    one = OperationSpread()
    for part in parts:
        one = one.plus(part)
    other = OperationSpread()
    for part in parts[::-1]:
        other = part.plus(other)
    assert one == other == whole


def test_values_at_and_above_the_limit_go_over_to_bins() -> None:
    at = OperationSpread.of(np.arange(MOST_VALUES) * 1000)
    assert at.exact
    assert at.plus(at).exact
    assert not at.plus(OperationSpread.of([1])).exact


@given(numbers)
def test_a_spread_that_was_counted_passes_the_check(operations: list[int]) -> None:
    spread = OperationSpread.of(operations)
    assert check_spread(spread) is spread
    binned = OperationSpread.of(many(2)).plus(spread)
    assert check_spread(binned) is binned


GOOD = OperationSpread.of([3, 5, 5])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"counts": (1,)}, "one count above 0"),
        ({"counts": (1, 0)}, "one count above 0"),
        ({"values": (5, 3)}, "ascending values"),
        ({"values": (-3, 5), "least": -3}, "ascending values"),
        ({"counts": (2**53, 1)}, "too many samples"),
        ({"least": 2}, "none of the values"),
        ({"most": 6}, "none of the values"),
        ({"sum": 14}, "the sum is not"),
        ({"values": (3, 513), "most": 513, "sum": 2000, "exact": False}, "no end of a bin"),
    ],
)
def test_a_spread_that_no_samples_have_is_refused(change: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_spread(replace(GOOD, **change))


def layer(by_sample: OperationSpread | str) -> LayerOperations:
    return LayerOperations(
        name="fc", framework="torch", layer_type="Linear", shape=(4,), observations=3, events=13,
        connections=4, dense=12, unpruned=13, acs=13, macs=0, weighted=13, by_sample=by_sample,
            ones=13, bias_additions=0, output_shape=(1,), parameters=4,
    )  # fmt: skip


def test_a_spread_of_other_samples_than_the_sequences_is_not_given() -> None:
    good = Operations([layer(GOOD)], samples={"lif": 3}, by_sample=GOOD)
    assert good["fc"].spread is good.spread is GOOD
    other = Operations([layer(GOOD)], samples={"lif": 3, "lif2": 4}, by_sample=GOOD)
    match = 'layer "fc": .* called with 3 samples, .* these numbers of sequences: "lif" 3, "lif2" 4'
    with pytest.raises(SamplesUnknownError, match=match) as caught:
        _ = other["fc"].spread
    assert caught.value.layer == "fc"
    with pytest.raises(SamplesUnknownError, match=r"all layers together: .* called with 3 samples"):
        _ = other.spread


def test_a_reason_in_place_of_a_spread_is_said() -> None:
    with pytest.raises(ValueError, match=r'layer "fc": which .* is not known: nobody looked'):
        known_spread("nobody looked", "fc")
    assert layer("one reason") == layer("another")

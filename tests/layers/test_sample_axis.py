"""Repetitions go to the samples that they are of, or the reason is said why nobody knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroact.layers.sample_axis import sums_per_sample

sizes = st.integers(2, 5)


def found(values: Any, batch: int, steps: set[int], order: str | None) -> list[int]:
    order_is: Any = order
    result: list[int] = sums_per_sample(
        torch.from_numpy(values), batch, steps, lambda: order_is
    ).tolist()
    return result


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 1000, shape)


@given(sizes, sizes, st.lists(st.sampled_from([1, 7, 11]), max_size=2), st.data())
def test_every_layout_of_a_sequence_is_read(
    steps: int, batch: int, tokens: list[int], data: Any
) -> None:
    values = numbers(batch, steps, *tokens)
    expected = values.reshape(batch, -1).sum(1).tolist()
    time_first, flat = np.swapaxes(values, 0, 1), (steps * batch, *tokens)
    assert found(time_first, batch, {steps}, "TB") == expected
    assert found(time_first.reshape(flat), batch, {steps}, "TB") == expected
    assert found(values, batch, {steps}, "BT") == expected
    assert found(values.reshape(flat), batch, {1, steps}, "BT") == expected
    if steps != batch:
        order = data.draw(st.sampled_from([None, "TB", "BT"]))
        assert found(time_first, batch, {steps}, order) == expected
        assert found(values, batch, {steps}, order) == expected


@given(sizes, st.lists(st.sampled_from([1, 7, 11]), max_size=2))
def test_a_step_is_read_by_the_size_of_the_batch(batch: int, tokens: list[int]) -> None:
    values = numbers(batch, *tokens)
    assert found(values, batch, {1}, None) == values.reshape(batch, -1).sum(1).tolist()
    tokens_first = np.moveaxis(values, 0, -1)
    assert found(tokens_first, batch, {1}, None) == values.reshape(batch, -1).sum(1).tolist()


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (4, 1, 2)])
def test_one_sample_has_everything(shape: tuple[int, ...]) -> None:
    values = numbers(*shape)
    assert found(np.asarray(values), 1, {1, 5}, None) == [values.sum()]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (4, 0)])
def test_no_sample_has_nothing(shape: tuple[int, ...]) -> None:
    assert found(numbers(*shape), 0, {4}, "TB") == []


@pytest.mark.parametrize(
    ("shape", "batch", "steps", "order"),
    [
        ((), 2, {1}, None),
        ((3,), 2, {1}, None),
        ((4, 4), 4, {1}, None),  # tokens before or behind the batch
        ((8, 4), 4, {1}, None),  # windows of the batch, then tokens
        ((6,), 2, {1}, None),  # steps flattened, of layers that are called step by step
        ((6,), 2, {3}, None),  # of layers that do not say their order
        ((6,), 2, {3, 6}, "TB"),  # of layers that do not agree on the steps
        ((4, 4), 4, {4}, None),
        ((4, 8), 4, {4}, "TB"),  # steps, and then windows of the batch
    ],
)
def test_dimensions_that_can_be_read_in_two_ways_are_an_error(
    shape: tuple[int, ...], batch: int, steps: set[int], order: str | None
) -> None:
    with pytest.raises(ValueError, match=r"leading dimensions \[.*it is not clear where the"):
        found(np.asarray(numbers(*shape)), batch, steps, order)

"""What arrives at a layer is counted in whole numbers, the same however it is split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroact import SignalKind, SpikeChunk
from neuroact.native import without_core
from neuroact.statistics.arrivals import Arrivals
from neuroact.testing import StatisticContract
from neuroact.testing.same import assert_same_state
from neuroact.testing.strategies import Stream

LEVELS = [
    [0.0, 1.0],
    [0.0, -1.0, 1.0],
    [0.0, 2.0, 3.0],
    [0.5, -0.25],
    [0.0, float("nan")],
    [float("inf")],
]


class TestArrivals(StatisticContract):
    statistic = Arrivals

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        sizes = np.abs(stream.flat)
        whole = bool((np.floor(sizes) == sizes).all())
        return {
            "ones": (sizes == 1).sum(0),
            "others": ((sizes != 0) & (sizes != 1)).sum(0),
            "magnitude": (sizes.sum(0) * whole).astype(np.int64),
            "observations": len(stream.flat),
            "whole": whole,
            "nonfinite": False,
        }


@given(st.data(), st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int8]))
def test_the_core_and_torch_leave_the_same_state(data: st.DataObject, dtype: torch.dtype) -> None:
    with_core, without, in_turn = Arrivals(), Arrivals(), Arrivals()
    for levels in data.draw(st.lists(st.sampled_from(LEVELS), min_size=1, max_size=4)):
        shape = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 300)), 4, 2
        at = data.draw(st.integers(0, 2**31))
        drawn = torch.randint(len(levels), shape, generator=torch.Generator().manual_seed(at))
        values = torch.tensor(levels)[drawn].to(dtype)
        if data.draw(st.booleans()):  # another order in memory
            values = values.transpose(2, 3).contiguous().transpose(2, 3)
        chunk = SpikeChunk(values, SignalKind.GRADED, starts_sequence=True)
        with_core.update(chunk)
        with without_core():
            without.update(chunk)
        if data.draw(st.booleans()):
            in_turn.update(chunk)
        else:
            with without_core():
                in_turn.update(chunk)
    assert_same_state(with_core, without, "with and without the core")
    assert_same_state(in_turn, without, "by turns and without the core")


def counted(values: torch.Tensor) -> Any:
    arrivals = Arrivals()
    arrivals.update(SpikeChunk(values.reshape(1, -1, 1), SignalKind.GRADED, starts_sequence=True))
    return arrivals.result()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_values_of_every_float_are_told_apart(dtype: torch.dtype) -> None:
    values = torch.tensor([0.0, 1, -1, 2, -3, 0.5], dtype=dtype)
    result = counted(values[:5])
    assert (result.ones, result.others, result.magnitude) == ([2], [2], [7])
    assert result.whole
    result = counted(values)
    assert (result.ones, result.others, result.magnitude) == ([2], [3], [0])
    assert not result.whole


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_the_least_integer_has_its_magnitude(dtype: torch.dtype) -> None:
    result = counted(torch.tensor([-1, torch.iinfo(dtype).min, 1], dtype=dtype))
    assert (result.ones, result.others) == ([2], [1])
    bits = torch.iinfo(dtype).bits
    assert result.whole is (bits < 32)
    assert result.magnitude == [2 + 2 ** (bits - 1) if bits < 32 else 0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_said(value: float) -> None:
    result = counted(torch.tensor([value, 1.0]))
    assert result.nonfinite
    assert not result.whole
    assert (result.ones, result.others) == ([1], [1])


def test_many_values_of_half_precision_are_counted_exactly() -> None:
    assert counted(torch.ones(200_001, dtype=torch.float16)).magnitude == [200_001]


def test_counts_that_move_in_inference_mode_can_be_added_to_outside_of_it() -> None:
    arrivals, shape = Arrivals(), torch.Size([1])
    arrivals._admit(shape, torch.device("cpu"))
    with torch.inference_mode():
        moved = arrivals._admit(shape, torch.device("meta"))
    assert not moved.is_inference()

"""The core counts what arrives as NumPy does, with every set of instructions, or not at all."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cores import DTYPES, array_of, compiled, each, find_core, load, needs_compiler
from numpy.typing import NDArray
from torch import Tensor

core = find_core()

# Elements at and beyond what is counted together, and repetitions beyond what an int32 sums up.
SHAPES = [(1, 1), (3, 1), (1, 7), (300, 5), (2, 4, 33), (128, 3), (2, 1024), (3, 1025), (130, 1030)]
TOLD_APART = (torch.float32, torch.float64)


def values_of(shape: tuple[int, ...], levels: list[float], dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(len(levels))
    drawn = torch.randint(len(levels), shape, generator=generator)
    return torch.tensor(levels, dtype=torch.float64)[drawn].to(dtype)


def by_numpy(values: NDArray[Any], elements: int) -> NDArray[np.int64]:
    """What the counts have to be; magnitudes are 0 if a value was not whole."""
    sizes = np.abs(values.astype(np.float64).reshape(-1, elements))
    whole = bool((np.floor(sizes) == sizes).all() and (sizes <= 2**24).all())
    counted = [
        (sizes == 1).sum(0),
        ((sizes != 0) & (sizes != 1)).sum(0),
        sizes.sum(0).astype(np.int64) if whole else np.zeros(elements, np.int64),
        [len(sizes), not whole, not np.isfinite(sizes).all()],
    ]
    return np.concatenate(counted).astype(np.int64)


def assert_counted(values: Tensor, elements: int, tested: Any = core) -> None:
    counts = torch.full((3 * elements + 3,), 5, dtype=torch.int64)
    counts[-2:] = 0
    assert tested.add_arrivals(values, counts) is True
    came, expected = counts.numpy(), by_numpy(array_of(values), elements)
    if expected[-2]:  # magnitudes without meaning
        came[2 * elements : -3] = 5
    expected[:-2] += 5
    np.testing.assert_array_equal(came, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_spikes_of_every_dtype_and_size_are_counted(dtype: torch.dtype) -> None:
    for shape, _ in product(SHAPES, each(core)):
        assert_counted(values_of(shape, [0, 0, 1], dtype), shape[-1])


@pytest.mark.parametrize("dtype", TOLD_APART)
@pytest.mark.parametrize(
    "levels",
    [
        [0.0, -0.0, 1.0, -1.0],
        [0.0, 1.0, 2.0, -3.0, 2.0**24, -(2.0**24)],
        [0.0, 1.0, 2.0**24 + 2],
        [0.5, -1.25, 3.0],
        [1.0000001, 5e-324, 1e-40, 1.0],
        [0.0, 1.0, float("nan")],
        [float("inf"), 2.0],
        [float("-inf"), 1e30],
    ],
)
def test_values_are_told_apart(levels: list[float], dtype: torch.dtype) -> None:
    for shape, _ in product(SHAPES, each(core)):
        assert_counted(values_of(shape, levels, dtype), shape[-1])


def test_one_value_among_spikes_is_told_apart_wherever_it_lies() -> None:
    for at in (0, 1023, 1024, 1029, 1030, 130 * 1030 - 1):
        values = values_of((130, 1030), [0, 1], torch.float32)
        values.view(-1)[at] = 7
        assert_counted(values, 1030)


def test_elements_may_have_several_dimensions() -> None:
    assert_counted(values_of((2, 3, 4, 5), [0, 1, 2], torch.float32), 20)


def test_the_sum_of_the_largest_magnitudes_is_exact() -> None:
    assert_counted(torch.full((1000, 2), 2.0**24), 2)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in TOLD_APART and d != torch.bool])
def test_other_values_of_other_dtypes_are_left_alone(dtype: torch.dtype) -> None:
    values, counts = torch.zeros(3, 1025, dtype=dtype), torch.zeros(3 * 1025 + 3, dtype=torch.int64)
    values[2, 1024] = 2
    assert core.add_arrivals(values, counts) is False
    assert not counts.any()


@pytest.mark.parametrize(
    "values",
    [
        torch.ones(4, 4).T,
        torch.ones(3),
        torch.ones(0, 4),
        torch.ones(2, 4, device="meta"),
        torch.ones(2, 4, dtype=torch.complex64),
        np.ones((2, 4), np.float32),
        None,
    ],
    ids=["transposed", "no multiple", "none", "meta", "complex", "array", "nothing"],
)
def test_what_cannot_be_read_is_left_alone(values: Any) -> None:
    counts = torch.zeros(15, dtype=torch.int64)
    assert core.add_arrivals(values, counts) is False
    assert not counts.any()


@pytest.mark.parametrize(
    "counts",
    [
        torch.zeros(3, dtype=torch.int64),
        torch.zeros(7, dtype=torch.int64),
        torch.zeros(15),
        torch.zeros(30, dtype=torch.int64)[::2],
        torch.zeros(15, dtype=torch.int64, device="meta"),
        np.zeros(15, np.int64),
    ],
    ids=["no element", "no three", "float", "strided", "meta", "array"],
)
def test_counts_of_another_form_are_refused(counts: Any) -> None:
    with pytest.raises(ValueError, match=r"expected int64 \[3 \* elements \+ 3\]"):
        core.add_arrivals(torch.ones(2, 4), counts)


@needs_compiler
def test_the_plain_loops_count_alike(tmp_path: Path) -> None:
    compiled(tmp_path / "_core.so", "-DNEUROACT_PLAIN", "-O1")
    plain = load(tmp_path / "_core.so")
    for shape, levels in product(SHAPES, ([0.0, 1.0], [0.0, 1.0, -2.5])):
        assert_counted(values_of(shape, levels, torch.float32), shape[-1], plain)

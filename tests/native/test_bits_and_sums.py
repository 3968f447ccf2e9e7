"""Counted steps equal NumPy on the raw values, with every set of instructions."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cores import (
    DTYPES,
    FLOATS,
    array_of,
    compiled,
    each,
    find_core,
    load,
    needs_compiler,
    taken,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neuroact.testing.packing import block_of

core = find_core()

# Sizes at, below and above those that are packed at once: a line of 16 values, a group of 512.
SHAPES = [
    (1,),
    (7,),
    (1, 1),
    (2, 15),
    (3, 16),
    (4, 17),
    (5, 5, 5),
    (1, 511),
    (2, 256),
    (3, 171),
    (9, 63),
    (9, 65),
    (2, 1, 1025),
    (70, 3),
]
NOT_BINARY = [-1.0, 2.0, 0.5, -0.5, float("nan"), float("inf"), float("-inf"), 1.0000001, 5e-324]


def random_steps(
    shape: tuple[int, ...], steps: int, dtype: torch.dtype, seed: int = 0
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rates = torch.rand(steps, *(1,) * len(shape), generator=generator)
    drawn = torch.rand(steps, *shape, generator=generator) < rates
    return list(drawn.to(dtype))


def filled(shape: tuple[int, ...], steps: list[Tensor]) -> Any:
    bits = core.Bits(shape)
    assert all(bits.add(step) for step in steps)
    return bits


def assert_counted(shape: tuple[int, ...], steps: list[Tensor], tested: Any = core) -> None:
    """Bits and sums equal those of NumPy."""
    came = np.stack([array_of(step) for step in steps])
    expected = block_of(came, starts=True)
    bits, events = tested.Bits(shape), tested.Sums(shape)
    for number, step in enumerate(steps):
        assert (bits.steps, events.steps) == (number, number)
        assert bits.add(step) is True
        assert events.add(step) is True
    told = (len(steps), expected.nonfinite, expected.not_binary)
    *found, found_words, found_sums = taken(bits)
    assert tuple(found) == told
    np.testing.assert_array_equal(found_words, expected.words)
    np.testing.assert_array_equal(found_sums, expected.sums)
    neurons = np.full(expected.neurons.numel(), 5, np.int64)
    assert events.take(neurons) == told
    np.testing.assert_array_equal(neurons - 5, (came != 0).reshape(-1, len(neurons)).sum(0))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bits_and_sums_are_numpys_for_every_shape_and_number_of_steps(shape: Any) -> None:
    for _, steps in product(each(core), (1, 2, 31, 32, 33, 63, 64)):
        assert_counted(shape, random_steps(shape, steps, torch.float32, steps))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (2, 517)], ids=str)
def test_bits_and_sums_are_numpys_for_every_dtype(dtype: torch.dtype, shape: Any) -> None:
    for _ in each(core):
        assert_counted(shape, random_steps(shape, 64, dtype))


@given(st.data())
def test_bits_and_sums_are_numpys_whatever_the_values(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES), "dtype")
    shape = tuple(data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4), "shape"))
    width = torch.empty((), dtype=dtype).element_size()
    numel = int(np.prod(shape))
    steps = []
    for _ in range(data.draw(st.integers(1, 4), "steps")):
        if dtype is torch.bool:
            drawn = st.binary(min_size=numel, max_size=numel).map(lambda b: bytes(x & 1 for x in b))
        else:
            one = torch.ones(1, dtype=dtype).view(torch.uint8).numpy().tobytes()
            plain = st.sampled_from([bytes(width), one])
            either = st.one_of(plain, plain, st.binary(min_size=width, max_size=width))
            drawn = st.lists(either, min_size=numel, max_size=numel).map(b"".join)
        steps.append(torch.frombuffer(bytearray(data.draw(drawn)), dtype=dtype).reshape(shape))
    for _ in each(core):
        assert_counted(shape, steps)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d is not torch.bool], ids=str)
def test_a_value_that_is_not_binary_is_seen_at_every_place(dtype: torch.dtype) -> None:
    shape = (3, 179)  # more than a group, and less than a line left over
    others = [3.0] if dtype not in FLOATS else [3.0, float("nan")]
    for place, value, name in product(range(3 * 179), others, ["baseline", "best"]):
        best = core.instructions()
        core.use_instructions("baseline" if name == "baseline" else best)
        step = torch.zeros(3 * 179, dtype=dtype)
        step[place] = value
        bits, sums = core.Bits(shape, 1), core.Sums(shape)
        assert bits.add(step.view(shape))
        assert sums.add(step.view(shape))
        told = (1, value != value, value == value)
        *found, words, _ = taken(bits)
        assert tuple(found) == told
        assert words.ravel().nonzero()[0].tolist() == [place]
        events = np.zeros(179, np.int64)
        assert sums.take(events) == told
        assert events.nonzero()[0].tolist() == [place % 179]
        core.use_instructions(best)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("value", NOT_BINARY, ids=str)
def test_nonfinite_and_not_binary_are_told_apart_and_events_are_the_values_not_zero(
    dtype: torch.dtype, value: float
) -> None:
    shape = (2, 33)
    for _, ones in product(each(core), (False, True)):
        step = torch.ones(shape, dtype=dtype) if ones else torch.zeros(shape, dtype=dtype)
        step[1, 7] = value
        assert_counted(shape, [step, torch.zeros(shape, dtype=dtype)])


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_minus_zero_is_a_plain_zero(dtype: torch.dtype) -> None:
    for _ in each(core):
        bits = filled((2, 40), [-torch.zeros(2, 40, dtype=dtype)])
        *told, words, sums = taken(bits)
        assert (told, words.any(), sums.any()) == ([1, False, False], False, False)


def test_a_nan_is_found_whatever_its_other_bits_are() -> None:
    patterns = [0x7F800001, 0x7FFFFFFF, 0xFF800001, 0xFFC00000, 0x7FC00001]
    for _, bits in product(each(core), patterns):
        step = torch.tensor([bits], dtype=torch.uint32).view(torch.float32).reshape(1, 1)
        assert taken(filled((1, 1), [step]))[:3] == (1, True, False)


def test_a_bool_is_true_whatever_its_byte_is() -> None:
    step = torch.arange(4, dtype=torch.uint8).view(torch.bool).reshape(2, 2)
    for _ in each(core):
        *told, words, _ = taken(filled((2, 2), [step]))
        assert told == [1, False, False]
        assert words.tolist() == [[0, 1], [1, 1]]


def test_nonfinite_and_not_binary_may_come_in_one_step_and_are_told_once() -> None:
    bits = filled((1, 2), [torch.tensor([[2.0, float("nan")]])])
    assert taken(bits)[:3] == (1, True, True)
    assert bits.add(torch.ones(1, 2))
    assert taken(bits)[:3] == (1, False, False)


def test_a_full_block_changes_nothing_and_an_empty_one_can_be_filled_again() -> None:
    bits = core.Bits((2, 3), 3)
    ones, zeros = torch.ones(2, 3), torch.zeros(2, 3)
    assert [bits.add(ones) for _ in range(3)] == [True] * 3
    assert bits.add(torch.full((2, 3), float("nan"))) is False
    assert bits.steps == 3
    *told, words, _ = taken(bits)
    assert (told, words.tolist()) == ([3, False, False], [[7] * 3] * 2)
    assert bits.steps == 0
    assert bits.add(zeros)
    *told, words, sums = taken(bits)
    assert (told, words.any(), sums.any()) == ([1, False, False], False, False)


def test_nothing_is_taken_from_an_empty_one() -> None:
    bits, sums = core.Bits((2, 3)), core.Sums((2, 3))
    *told, words, _ = taken(bits)
    assert (told, words.any()) == ([0, False, False], False)
    events = np.arange(3)
    assert sums.take(events) == (0, False, False)
    assert events.tolist() == [0, 1, 2]


def test_sums_are_full_before_a_number_could_overflow() -> None:
    batch = 2**27
    sums = core.Sums((batch, 1))
    step = torch.ones(batch, 1, dtype=torch.bool)
    assert [sums.add(step) for _ in range(17)] == [True] * 15 + [False] * 2
    events = np.zeros(1, np.int64)
    assert sums.take(events) == (15, False, False)
    assert events[0] == 15 * batch
    assert sums.add(step)


def test_a_sample_is_padding_once_its_steps_have_come() -> None:
    generator = np.random.default_rng(0)
    for shape in [(4, 3), (5, 200), (3, 600), (1, 1)]:
        batch, steps = shape[0], 70
        remaining = generator.integers(-1, 75, batch)
        came = [(generator.random(shape) < 0.4).astype(np.float32) for _ in range(steps)]
        for step, values in enumerate(came):
            values[remaining <= step] = np.nan
        wanted = [np.where(np.isnan(values), 0, values) for values in came]
        for _ in each(core):
            bits = core.Bits(shape)
            given_of = remaining.copy()
            bits.until(given_of)
            given_of[:] = 0  # it was copied
            for some in (slice(0, 64), slice(64, None)):  # it lasts beyond `take`
                assert all(bits.add(torch.from_numpy(values)) for values in came[some])
                *told, words, sums = taken(bits)
                assert told == [len(came[some]), False, False]
                expected = block_of(np.stack(wanted[some]), starts=True)
                np.testing.assert_array_equal(words, expected.words)
                np.testing.assert_array_equal(sums, expected.sums)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_value_that_is_not_binary_is_seen_in_a_valid_sample_and_not_in_padding(
    dtype: torch.dtype,
) -> None:
    for _, (valid, seen) in product(each(core), [(0, True), (1, False)]):
        step = torch.ones(2, 700, dtype=dtype)
        if dtype is not torch.bool:
            step[0, 650] = 3
        bits = core.Bits((2, 700))
        remaining = np.zeros(2, np.int64)
        remaining[valid] = 1
        bits.until(remaining)
        assert bits.add(step)
        *told, words, sums = taken(bits)
        assert told == [1, False, seen and dtype is not torch.bool]
        assert sums.tolist() == [[700 * (valid == 0), 700 * (valid == 1)]]
        assert (words != 0).sum(1).tolist() == sums[0].tolist()


def test_until_none_no_sample_ends() -> None:
    bits = core.Bits((2, 2))
    bits.until(np.array([0, 1]))
    bits.until(None)
    assert all(bits.add(torch.ones(2, 2)) for _ in range(3))
    assert taken(bits)[4].tolist() == [[2, 2]] * 3


@pytest.mark.parametrize(
    "shape", [(), (0,), (2, 0), (-1, 3), (2**20, 2**20, 2), (2**63 - 1, 2)], ids=str
)
def test_a_shape_that_no_step_has_is_refused(shape: Any) -> None:
    for make in (core.Bits, core.Sums):
        with pytest.raises(ValueError, match=r"expected \[batch, \*neurons\], none of them 0"):
            make(shape)


def test_a_wrong_shape_or_room_is_refused() -> None:
    for shape in ([2, 3], torch.Size([2]).numel(), None):
        with pytest.raises(TypeError):
            core.Bits(shape)
    with pytest.raises(TypeError):
        core.Sums((2.0, 3))
    with pytest.raises(OverflowError):
        core.Sums((2**64, 3))
    for room in (0, 65, -1):
        with pytest.raises(ValueError, match=f"expected 1 to 64 steps, came {room}"):
            core.Bits((2, 3), room)
    assert core.Bits(torch.Size([2, 3])).shape == (2, 3)


@pytest.mark.parametrize(
    ("words", "sums"),
    [
        (np.zeros(5, np.uint64), np.zeros((2, 2), np.int32)),
        (np.zeros(6, np.int64), np.zeros((2, 2), np.int32)),
        (np.zeros(6, np.uint32), np.zeros((2, 2), np.int32)),
        (np.zeros((6, 2), np.uint64)[:, 0], np.zeros((2, 2), np.int32)),
        (np.zeros(6, np.uint64), np.zeros((1, 2), np.int32)),
        (np.zeros(6, np.uint64), np.zeros((2, 3), np.int32)),
        (np.zeros(6, np.uint64), np.zeros(4, np.int32)),
        (np.zeros(6, np.uint64), np.zeros((2, 2), np.int64)),
        (np.zeros(6, np.uint64), np.zeros((2, 4), np.int32)[:, ::2]),
        (np.zeros(6, ">u8"), np.zeros((2, 2), np.int32)),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_nothing_is_taken(words: Any, sums: Any) -> None:
    bits = filled((2, 3), [torch.ones(2, 3)] * 2)
    with pytest.raises(ValueError):  # noqa: PT011 -- NumPy's own, or ours
        bits.take(words, sums)
    assert bits.steps == 2
    assert taken(bits)[3].tolist() == [[3] * 3] * 2


def test_anything_but_an_array_is_refused_and_nothing_is_taken() -> None:
    bits, sums = filled((2, 3), [torch.ones(2, 3)]), core.Sums((2, 3))
    sums.add(torch.ones(2, 3))
    fixed = np.zeros(3, np.int64)
    fixed.flags.writeable = False
    for arguments in [(), (None,), (1, 2, 3), (np.zeros(6, np.uint64),), (None, None)]:
        with pytest.raises(TypeError):
            bits.take(*arguments)
    for events in [fixed, np.zeros(4, np.int64), np.zeros(3), b"123456789012345678901234"]:
        with pytest.raises((ValueError, BufferError)):
            sums.take(events)
    assert (bits.steps, sums.steps) == (1, 1)
    with pytest.raises(ValueError, match=r"remaining: expected int64 \[2\], came format"):
        bits.until(np.zeros(3, np.int64))


@needs_compiler
def test_a_compiler_without_vectors_gives_the_same_bits(tmp_path: Path) -> None:
    library = tmp_path / "_core.so"
    compiled(library, "-O1", "-DNEUROACT_PLAIN")
    plain = load(library)
    assert plain.instructions() == "baseline"
    for dtype, shape in product(DTYPES, SHAPES):
        assert_counted(shape, random_steps(shape, 64, dtype), plain)
    for value in NOT_BINARY:
        for dtype in FLOATS:
            assert_counted((1, 70), [torch.full((1, 70), value, dtype=dtype)], plain)

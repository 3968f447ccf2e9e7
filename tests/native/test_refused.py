"""What cannot be read from memory as it is, is refused: no error, no crash, and nothing counted."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cores import DTYPES, array_of, find_core, taken
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from layers import run_at_once
from neuroact.testing.packing import block_of

core = find_core()

SHAPE = (4, 6)
ones = torch.ones(SHAPE)


class Subclass(torch.Tensor):
    """A tensor that is more than its memory."""


class Wrapper(torch.Tensor):
    """A tensor that has no memory of its own, and says in Python what it is."""

    @staticmethod
    def __new__(cls, of: Tensor) -> Any:
        return torch.Tensor._make_wrapper_subclass(cls, of.shape, dtype=of.dtype)

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise AssertionError(f"it was asked for {function}")


def fake() -> Tensor:
    with FakeTensorMode():
        return torch.ones(SHAPE)


def given_back(offset: int = 0) -> Tensor:
    """Its storage was resized to nothing."""
    memory = torch.ones(offset + 24)
    step = memory[offset:].view(SHAPE)
    memory.untyped_storage().resize_(0)
    return step


def made(what: str) -> Any:
    """One of `REFUSED`, without PyTorch's notes on what is young or old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return REFUSED[what]()


def misaligned() -> Tensor:
    return torch.frombuffer(bytearray(97), dtype=torch.float32, count=24, offset=1).view(SHAPE)


class Meta(type):
    """A class whose objects say that they are tensors."""

    @property
    def __class__(cls) -> type:  # type: ignore[override]
        return type(torch.Tensor)


REFUSED: dict[str, Callable[[], Any]] = {
    "sparse": ones.to_sparse,
    "sparse rows": ones.to_sparse_csr,
    "blocks of one tensor": lambda: torch.ones(4, 6).to_sparse_bsr((2, 2)),
    "of the meta device": lambda: torch.ones(SHAPE, device="meta"),
    "fake": fake,
    "a subclass": lambda: ones.as_subclass(Subclass),
    "a wrapper": lambda: Wrapper(ones),
    "without memory": given_back,
    "without memory, further on": lambda: given_back(1000),
    "all zero, and not in memory": lambda: torch._efficientzerotensor(SHAPE),
    "expanded": lambda: torch.ones(1, 1).expand(SHAPE),
    "expanded samples": lambda: torch.ones(1, 6).expand(SHAPE),
    "transposed": lambda: torch.ones(6, 4).T,
    "every other one": lambda: torch.ones(4, 12)[:, ::2],
    "of other memory": lambda: torch.ones(4, 7)[:, :6],
    "misaligned": misaligned,
    "complex": lambda: torch.ones(SHAPE, dtype=torch.complex64),
    "conjugate": lambda: torch.ones(SHAPE, dtype=torch.complex64).conj(),
    "an imaginary part": lambda: torch.imag(torch.ones(SHAPE, dtype=torch.complex64).conj()),
    "of 8 bits": lambda: ones.to(torch.float8_e4m3fn),
    "of another 8 bits": lambda: ones.to(torch.float8_e5m2),
    "quantised": lambda: torch.quantize_per_tensor(ones, 1.0, 0, torch.qint8),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(6)] * 4),
    "of another shape": lambda: torch.ones(6, 4),
    "of one dimension more": lambda: torch.ones(1, 4, 6),
    "of one dimension": lambda: torch.ones(24),
    "of none": lambda: torch.ones(()),
    "of no values": lambda: torch.ones(0, 6),
    "functional": lambda: torch._to_functional_tensor(ones.clone()),
    "None": lambda: None,
    "an array": lambda: np.ones(SHAPE, np.float32),
    "a number": lambda: 1.0,
    "a class": lambda: torch.Tensor,
    "a list": lambda: ones.tolist(),
    "what says that it is one": lambda: Meta("Other", (), {})(),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused(what: str) -> None:
    step = made(what)
    for make in (core.Bits, core.Sums):
        target = make(SHAPE)
        assert target.add(step) is False
        assert target.steps == 0
        assert target.add(ones) is True


READ: dict[str, Callable[[], Tensor]] = {
    "a parameter": lambda: nn.Parameter(ones.clone()),
    "one that requires a gradient": lambda: ones.clone().requires_grad_(),
    "a result that has one": lambda: nn.Parameter(ones.clone()) * 1,
    "a part of other memory": lambda: torch.ones(9, 6)[2:6],
    "of another memory format": lambda: torch.ones(6, 4).T.contiguous(),
    "NumPy's": lambda: torch.from_numpy(np.ones(SHAPE, np.float32)),
    "shared": lambda: ones.clone().share_memory_(),
    "a detached one": lambda: ones.detach(),
}


@pytest.mark.parametrize("what", READ)
def test_it_is_read(what: str) -> None:
    bits = core.Bits(SHAPE)
    step = READ[what]()
    assert bits.add(step)
    assert taken(bits)[4].tolist() == [[6] * 4]


def test_tensors_made_where_no_gradient_is_known_are_read() -> None:
    for mode in (torch.inference_mode(), torch.no_grad()):
        with mode:
            sums = core.Sums(SHAPE)
            assert sums.add(torch.ones(SHAPE))
        assert sums.add(torch.ones(SHAPE))


def test_strides_of_sizes_of_1_are_of_no_matter() -> None:
    step = torch.ones(1, 6).as_strided((1, 6, 1), (100, 1, 77))
    assert core.Sums((1, 6, 1)).add(step)
    assert not core.Sums((6, 1, 1)).add(step)


def test_one_value_that_is_negated_when_it_is_read_is_refused() -> None:
    value = torch.tensor([[1 + 1j]])
    assert core.Sums((1, 1)).add(torch.imag(value.conj())) is False
    assert core.Sums((1, 1)).add(torch.imag(value)) is True
    assert core.Sums((1, 1)).add(torch.ones(1, 1)) is True


def test_one_value_without_memory_is_refused() -> None:
    value = torch.ones(1, 1)
    value.untyped_storage().resize_(0)
    assert core.Sums((1, 1)).add(value) is False


def test_the_tensors_of_functional_transforms_are_refused() -> None:
    sums, found = core.Sums(SHAPE), []

    def total(values: Tensor) -> Tensor:
        found.append(sums.add(values))
        return values.sum()

    torch.func.vmap(total)(torch.ones(3, *SHAPE))
    torch.func.grad(total)(ones.clone())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch's own, the first time
        torch.func.jvp(total, (ones.clone(),), (ones.clone(),))
    torch.func.functionalize(total)(ones.clone())
    assert (found, sums.steps) == ([False] * 4, 0)


def test_a_batched_tensor_of_the_very_shape_is_refused() -> None:
    sums, found = core.Sums(SHAPE), []

    def twice(values: Tensor) -> Tensor:
        found.append(sums.add(values))
        return values * 2

    torch.func.vmap(twice, in_dims=0)(torch.ones(3, *SHAPE))
    assert (found, sums.steps) == ([False], 0)


@given(st.data())
def test_whatever_view_comes_it_is_read_right_or_refused(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    sizes = st.integers(1, 4)
    memory = torch.arange(4**4 * 2).remainder(3).clamp(max=1).to(dtype)
    shape = tuple(data.draw(st.lists(sizes, min_size=1, max_size=4)))
    strides = data.draw(st.lists(st.integers(0, 20), min_size=len(shape), max_size=len(shape)))
    if data.draw(st.booleans()):
        strides = list(torch.empty(shape).stride())
    step = memory.as_strided(shape, strides, data.draw(st.integers(0, 30)))
    bits = core.Bits(shape)
    assert bits.add(step) is step.is_contiguous()
    if bits.steps:
        expected = block_of(array_of(step)[None], starts=True)
        *_, words, sums = taken(bits)
        np.testing.assert_array_equal(words, expected.words)
        np.testing.assert_array_equal(sums, expected.sums)


def test_refusing_leaves_no_error_and_keeps_nothing() -> None:
    sums = core.Sums(SHAPE)
    for step in [found for found in map(made, REFUSED) if isinstance(found, Tensor)]:
        before = sys.getrefcount(step)
        for _ in range(20):
            assert sums.add(step) is False
        assert sys.getrefcount(step) == before


def test_threads_add_to_one_block_and_none_is_lost() -> None:
    sums, bits = core.Sums((64, 100)), core.Bits((64, 100))
    step, full = torch.ones(64, 100), []
    words, counts = np.zeros((64, 100), np.uint64), np.zeros((64, 64), np.int32)

    def work() -> None:
        for _ in range(500):
            assert sums.add(step)
            while not bits.add(step):
                full.append(bits.take(words, counts)[0])

    run_at_once(work)
    events = np.zeros(100, np.int64)
    assert sums.take(events) == (2000, False, False)
    assert (events == 2000 * 64).all()
    assert sum(full) + bits.steps == 2000

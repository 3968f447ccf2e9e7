"""`SpikeChunk` checks its tensors when it is made, and does not copy a dense one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from neuroact import SignalKind, SpikeChunk
from neuroact.errors import ChunkError, NeuroactError

BINARY = SignalKind.BINARY
NESTED = torch.nested.nested_tensor([torch.ones(2, 3)], layout=torch.jagged)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((), (1, 1)), ((3,), (1, 1, 3)), ((2, 3), (1, 2, 3)), ((2, 3, 4, 5), (1, 2, 3, 4, 5))],
)
def test_one_step_gets_the_axes_that_it_lacks(shape: Any, axes: Any) -> None:
    chunk = SpikeChunk.of_step(torch.zeros(shape), BINARY, starts_sequence=True)
    assert chunk.values.shape == axes


@pytest.mark.parametrize(
    ("shape", "batch_first", "axes"),
    [
        ((7,), False, (7, 1)),
        ((7, 3), False, (7, 1, 3)),
        ((7, 3), True, (7, 1, 3)),
        ((7, 2, 3), False, (7, 2, 3)),
        ((2, 7, 3), True, (7, 2, 3)),
        ((2, 7, 3, 4), True, (7, 2, 3, 4)),
    ],
)
def test_a_sequence_gets_its_axes_in_order(shape: Any, batch_first: bool, axes: Any) -> None:
    values = torch.zeros(shape)
    chunk = SpikeChunk.of_sequence(values, BINARY, starts_sequence=True, batch_first=batch_first)
    assert chunk.values.shape == axes
    assert (chunk.steps, chunk.batch, chunk.neurons) == (axes[0], axes[1], axes[2:])


def test_values_are_dense() -> None:
    values = torch.eye(3)
    chunk = SpikeChunk(values.to_sparse(), BINARY, starts_sequence=True)
    assert chunk.values.layout is torch.strided
    assert torch.equal(chunk.values, values)


def test_values_are_a_detached_view() -> None:
    values = torch.ones(2, 3, requires_grad=True) * 1
    for chunk in (
        SpikeChunk.of_step(values, BINARY, starts_sequence=True),
        SpikeChunk.of_sequence(values, BINARY, starts_sequence=True),
        SpikeChunk(values, BINARY, starts_sequence=True),
    ):
        assert chunk.values.data_ptr() == values.data_ptr()
        assert not chunk.values.requires_grad


@pytest.mark.parametrize(
    ("values", "valid", "message"),
    [
        (torch.zeros(3), None, r"\[time, batch, \*neurons\], came torch.float32 of shape \(3,\)"),
        (torch.zeros(2, 3, dtype=torch.complex64), None, "expected real values"),
        (torch.zeros(2, 3), torch.ones(3, 2, dtype=torch.bool), r"\(2, 3\) \[time, batch\]"),
        (torch.zeros(2, 3), torch.ones(2, 3), "came torch.float32"),
        (NESTED, None, "came a nested tensor"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(values: Any, valid: Any, message: str) -> None:
    with pytest.raises(ChunkError, match=message) as caught:
        SpikeChunk(values, BINARY, True, valid)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, NeuroactError)


def test_a_chunk_is_frozen() -> None:
    chunk = SpikeChunk(torch.zeros(1, 1), BINARY, True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        chunk.values = torch.ones(1, 1)  # type: ignore[misc]

"""Norse: the state that is passed and the one last returned tell where a sequence starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import norse.torch as snn
import pytest
import torch
from norse.torch.functional.izhikevich import tonic_spiking
from torch import Tensor, nn

import neuroact
from neuroact.errors import LayerShapeError

INPUTS, BATCH = 5, 3

CELLS: dict[str, Callable[[], nn.Module]] = {
    "flat state": snn.LIFCell,
    "one tensor of state": snn.LIFBoxCell,
    "recurrent": lambda: snn.LIFRecurrentCell(INPUTS, INPUTS),
    "nested": snn.LIFRefracCell,
    "nested and recurrent": lambda: snn.LIFAdExRefracRecurrentCell(INPUTS, INPUTS),
    "state shared by all instances": lambda: snn.IzhikevichCell(tonic_spiking),
}
SEQUENCES: dict[str, Callable[[], nn.Module]] = {
    "flat state": snn.LIF,
    "recurrent": lambda: snn.LSNNRecurrent(INPUTS, INPUTS),
    "nested and recurrent": lambda: snn.LIFRefracRecurrent(INPUTS, INPUTS),
}
every_cell = pytest.mark.parametrize("build", CELLS.values(), ids=CELLS.keys())
every_sequence_module = pytest.mark.parametrize(
    "build", SEQUENCES.values(), ids=[name + ", whole" for name in SEQUENCES]
)


def each(change: Callable[[Tensor], Tensor], state: Any) -> Any:
    """The state with each of its tensors changed, nested or not."""
    if isinstance(state, Tensor):
        return change(state)
    return type(state)(*(each(change, part) for part in state))


def step(batch: int = BATCH) -> Tensor:
    return torch.rand(batch, INPUTS) * 40


def sequences_of(layer: nn.Module, calls: Iterable[tuple[Any, ...]]) -> list[int]:
    """Number of samples' sequences that each call begins; `calls` yields its arguments."""
    begun: list[int] = []
    with neuroact.record(layer) as recording:
        for args in calls:
            layer(*args)
            begun.append(recording.report()["model"].sequences - sum(begun))
    return begun


@every_cell
def test_a_state_returned_and_passed_on_goes_on(build: Callable[[], nn.Module]) -> None:
    layer, state = build(), None
    with neuroact.record(layer) as recording:
        for _ in range(4):
            _, state = layer(step(), state)
    assert recording.report()["model"].sequences == BATCH


@every_cell
def test_a_detached_state_goes_on(build: Callable[[], nn.Module]) -> None:
    layer, state = build(), None
    with neuroact.record(layer) as recording:
        for way in (Tensor.detach, Tensor.detach_, lambda t: t.data):
            _, state = layer(step().requires_grad_(), state)
            state = each(way, state)
        layer(step(), state)
    assert recording.report()["model"].sequences == BATCH


@every_sequence_module
def test_a_sequence_module_goes_on_from_the_state_of_its_last_call(
    build: Callable[[], nn.Module],
) -> None:
    """Truncated backpropagation through time: each part has its own graph."""
    layer, state = build(), None
    with neuroact.record(layer) as recording:
        for _ in range(3):
            spikes, state = layer(torch.stack([step(), step()]).requires_grad_(), state)
            spikes.sum().backward()
            state = each(Tensor.detach, state)
    figures = recording.report()["model"]
    assert (figures.sequences, figures.observations) == (BATCH, BATCH * 6)


@every_cell
def test_a_state_made_by_hand_starts_a_sequence(build: Callable[[], nn.Module]) -> None:
    layer = build()
    _, returned = build()(step())
    made = each(torch.zeros_like, returned)
    calls = [(step(), made), (step(), made), (step(), each(torch.clone, made))]
    assert sequences_of(layer, calls) == [BATCH, BATCH, BATCH]


@every_cell
def test_a_copied_state_starts_a_sequence(build: Callable[[], nn.Module]) -> None:
    """A copy has its own memory, so nothing distinguishes it from a state made by hand."""
    layer = build()
    with neuroact.record(layer) as recording:
        _, state = layer(step())
        layer(step(), each(torch.clone, state))
    assert recording.report()["model"].sequences == 2 * BATCH


def test_an_older_state_starts_a_sequence() -> None:
    """Two continuations of the same state: the second does not continue the first."""
    layer = snn.LIFCell()
    with neuroact.record(layer) as recording:
        _, past = layer(step())
        layer(step(), past)
        layer(step(), past)
    assert recording.report()["model"].sequences == 2 * BATCH


def test_a_state_of_another_batch_size_starts_a_sequence() -> None:
    """Norse broadcasts the state of one sample to three."""
    layer = snn.LIFBoxCell()
    with neuroact.record(layer) as recording:
        _, state = layer(step(1))
        spikes, state = layer(step(3), state)
        layer(step(3), state)
    assert spikes.shape == (3, INPUTS)
    assert recording.report()["model"].sequences == 1 + 3


def test_a_sequence_begun_by_hand_wins() -> None:
    layer, state = snn.LIFCell(), None
    with neuroact.record(layer) as recording:
        for _ in range(3):
            recording.new_sequence()
            _, state = layer(step(), state)
    assert recording.report()["model"].sequences == 3 * BATCH


@pytest.mark.parametrize("build", [snn.LIF, snn.LIFEx], ids=["flat state", "exponential"])
def test_with_recorded_states_the_last_step_carries_on(build: Callable[..., nn.Module]) -> None:
    layer, state = build(record_states=True), None
    with neuroact.record(layer) as recording:
        for _ in range(3):
            _, states = layer(torch.stack([step(), step()]), state)
            assert states.v.shape == (2, BATCH, INPUTS)
            state = each(lambda recorded: recorded[-1], states)
        assert recording.report()["model"].sequences == BATCH
        layer(step()[None], each(lambda recorded: recorded[0], states))
    assert recording.report()["model"].sequences == 2 * BATCH


def test_nested_recorded_states_carry_on_too() -> None:
    layer, state = snn.LIFRefracRecurrent(INPUTS, INPUTS, record_states=True), None
    with neuroact.record(layer) as recording:
        for _ in range(2):
            _, states = layer(torch.stack([step(), step()]), state)
            state = each(lambda recorded: recorded[-1].detach(), states)
    assert recording.report()["model"].sequences == BATCH


def test_recorded_states_passed_back_whole_are_an_error() -> None:
    """Norse broadcasts their time axis into a batch, so the neurons are not the same."""
    layer = snn.LIF(record_states=True)
    sequence = torch.stack([step(), step()])
    with neuroact.record(layer) as recording:
        _, states = layer(sequence)
        assert snn.LIF()(sequence, states)[0].shape == (2, 2, BATCH, INPUTS)
        with pytest.raises(LayerShapeError, match='layer "model"'):
            layer(sequence, states)
    assert recording.report()["model"].observations == 2 * BATCH

"""Beside SpikingJelly's SynOpCounter: equal for spikes and full weights; and where it differs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from drawn_layers import layers
from hypothesis import given
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.op_counter import (
    DispatchCounterMode,
    MACCounter,
    SynOpCounter,
)
from torch import Tensor, nn

import neuroact
from neuroact.results.operations import LayerOperations


def both(module: nn.Module, x: Tensor, mode: Any = torch.no_grad) -> tuple[int, LayerOperations]:
    """SpikingJelly's SynOps of a layer, and neuroact's operations of the same run."""
    net, counter = nn.Sequential(module, neuron.IFNode()), SynOpCounter()
    with mode(), neuroact.record(net, operations=True) as recording, DispatchCounterMode([counter]):
        net(x)
    return counter.get_total(), recording.report().operations["0"]


def macs(module: nn.Module, x: Tensor) -> int:
    counter = MACCounter()
    with torch.no_grad(), DispatchCounterMode([counter]):
        module(x)
    total: int = counter.get_total()
    return total


@given(layers(pruned=False))
def test_acs_of_spikes_are_spikingjellys(drawn: Any) -> None:
    module, shape = drawn
    theirs, ours = both(module, (torch.rand(3, *shape) < 0.5).float())
    assert ours.acs == ours.unpruned == theirs


def test_acs_of_a_network_are_spikingjellys_of_its_layers_that_take_spikes() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Conv2d(2, 4, 3, padding=1, stride=2),
        neuron.IFNode(v_threshold=0.3),
        layer.MaxPool2d(2),
        layer.Flatten(),
        layer.Linear(16, 3),
        neuron.LIFNode(v_threshold=0.3),
    )
    functional.set_step_mode(net, "m")
    x, counter = torch.rand(5, 3, 2, 8, 8) * 3, SynOpCounter()
    counting = DispatchCounterMode([counter])
    with torch.no_grad(), neuroact.record(net, operations=True) as recording, counting:
        net(x)
    total = recording.report().operations.total
    assert total.acs == counter.get_total() > 0
    assert total.macs > 0  # of the image


@pytest.mark.parametrize("spikes", [(1.0, 1.0), (1.0, 0.0)])
def test_acs_of_a_transposed_convolution_are_spikingjellys(spikes: Any) -> None:
    conv, x = nn.ConvTranspose2d(1, 2, 3, stride=2, padding=1), torch.zeros(1, 1, 4, 4)
    x[0, 0, 0, 0], x[0, 0, 1, 2] = spikes
    theirs, ours = both(conv, x)
    assert ours.acs == theirs > 0


@pytest.mark.parametrize("value", [2.0, 0.5, -1.0])
def test_there_one_value_that_is_no_spike_leaves_no_synops_of_the_whole_call(value: float) -> None:
    fc, x = nn.Linear(2, 3), torch.tensor([[1.0, 1.0], [1.0, value]])
    theirs, ours = both(fc, x)
    assert theirs == 0
    assert (ours.acs, ours.macs) == ((12, 0) if value == -1 else (9, 3))


def test_there_macs_of_a_call_are_dense_and_on_the_padding_too() -> None:
    conv, x = nn.Conv2d(1, 4, 3, padding=1), torch.zeros(1, 1, 6, 6)
    x[0, 0, 0, 0] = 2
    theirs, ours = both(conv, x)
    assert (theirs, macs(conv, x)) == (0, 4 * 36 * 9)
    assert (ours.acs, ours.macs, ours.dense) == (0, 16, 4 * 16 * 16)


def test_there_inference_mode_leaves_nothing() -> None:
    fc, x = nn.Linear(2, 3), torch.ones(1, 2)
    theirs, ours = both(fc, x, torch.inference_mode)
    assert (theirs, ours.acs) == (0, 6)
    assert both(fc, x)[0] == 6


def test_there_zero_weights_work() -> None:
    fc = nn.Linear(4, 3)
    with torch.no_grad():
        fc.weight[:, ::2] = 0
    theirs, ours = both(fc, torch.ones(1, 4))
    assert theirs == ours.unpruned == 12
    assert ours.acs == 6


def test_there_weights_of_0_and_1_make_synops_of_real_values() -> None:
    fc = nn.Linear(2, 3, bias=False)
    with torch.no_grad():
        fc.weight.fill_(1)
    theirs, ours = both(fc, torch.tensor([[0.5, 0.25]]))
    assert theirs == 6
    assert (ours.acs, ours.macs) == (0, 6)


def test_a_pool_is_folded_the_same_of_all_steps_at_once_as_step_by_step() -> None:
    steps = (torch.rand(4, 3, 2, 6, 6, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    found: list[Any] = []
    for mode in "ms":
        net = nn.Sequential(
            layer.AvgPool2d(2), layer.Conv2d(2, 3, 1), neuron.IFNode(v_threshold=0.1)
        )
        functional.set_step_mode(net, mode)
        with neuroact.record(net, operations=True) as recording, torch.no_grad():
            for x in [steps] if mode == "m" else steps:
                net(x)
        found.append(recording.report().operations["1"].folded)
    assert found[0] == found[1]
    assert found[0].acs == 3 * int(steps.sum())  # windows do not overlap, and each has 3 outputs

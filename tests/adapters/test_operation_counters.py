"""Beside PyTorch's FLOP counter and sinabs' analyser: equal where right; and where they differ."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from brute import counted
from drawn_layers import layers
from hypothesis import given
from hypothesis import strategies as st
from sinabs.synopcounter import SNNAnalyzer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import neuroact
from neuroact.results.operations import LayerOperations


def ours(module: nn.Module, *inputs: Tensor) -> LayerOperations:
    """What neuroact counts in a layer."""
    net = nn.Sequential(module, nn.ReLU())
    with torch.no_grad(), neuroact.record(net, layers="1", operations=True) as recording:
        for x in inputs:
            net(x)
    return recording.report().operations["0"]


def multiplications(module: nn.Module, x: Tensor) -> int:
    """Half of the FLOPs that PyTorch counts: a multiplication and an addition are two."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(x)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


@given(layers(padded=False))
def test_dense_is_what_a_flop_counter_has_where_there_is_no_padding(drawn: Any) -> None:
    module, shape = drawn
    x = torch.rand(3, *shape)
    assert ours(module, x).dense == multiplications(module, x)


@given(layers())
def test_dense_is_never_more_than_a_flop_counter_has(drawn: Any) -> None:
    module, shape = drawn
    x = torch.rand(2, *shape)
    assert ours(module, x).dense <= multiplications(module, x)


@pytest.mark.parametrize("size", [32, 16, 8, 4, 2])
def test_a_flop_counter_takes_the_padding_for_inputs(size: int) -> None:
    conv, x = nn.Conv2d(2, 3, 3, padding=1), torch.rand(1, 2, size, size)
    # Along an axis 3 · size taps lie on the image or its padding, all but 2 on the image.
    assert multiplications(conv, x) == 6 * (3 * size) ** 2
    assert ours(conv, x).dense == 6 * (3 * size - 2) ** 2


def test_a_flop_counter_is_right_for_a_transposed_convolution_without_padding() -> None:
    x = torch.rand(2, 2, 4, 4)
    whole = nn.ConvTranspose2d(2, 3, 3, stride=2)
    assert ours(whole, x).dense == multiplications(whole, x) == 2 * 2 * 3 * 16 * 9
    cut = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    assert multiplications(cut, x) == multiplications(whole, x)  # also of outputs that are cut off
    assert ours(cut, x).dense == counted(cut, cut.weight, x).dense == 2 * 2 * 3 * 100


def analysed(module: nn.Module, *inputs: Tensor, average: bool = True) -> float:
    """Synaptic operations per sample by sinabs, of a layer by itself."""
    net = nn.Sequential(module)
    with pytest.warns(DeprecationWarning, match="sinabs.hooks"):
        analyser = SNNAnalyzer(net)
    with torch.no_grad():
        for x in inputs:
            net(x)
    return float(analyser.get_model_statistics(average=average)["synops"])


@given(layers(pruned=False, dims=(0, 2)), st.integers(1, 3))
def test_operations_per_sample_are_sinabs_for_spikes_in_equal_batches(
    drawn: Any, batches: int
) -> None:
    module, shape = drawn
    x = (torch.rand(batches, 4, *shape) < 0.5).float()
    # sinabs takes means in float32.
    assert analysed(module, *x) == pytest.approx(ours(module, *x).acs / (4 * batches), rel=1e-6)


LINEAR = nn.Linear(2, 5)
SPIKES = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])


def test_in_sinabs_a_short_last_batch_weighs_as_much_as_a_whole_one() -> None:
    assert ours(LINEAR, SPIKES).acs == 15  # 5 a sample
    assert analysed(LINEAR, SPIKES[:2], SPIKES[2:]) == 3.75
    assert analysed(LINEAR, SPIKES[:1], SPIKES[1:]) == 6.25
    assert analysed(LINEAR, SPIKES[:2], SPIKES[2:], average=False) == 0  # the last batch alone


def test_in_sinabs_values_are_added_up_so_that_signs_cancel() -> None:
    x = torch.tensor([[1.0, -1.0]])
    assert analysed(LINEAR, x) == 0
    assert ours(LINEAR, x).acs == 10


@pytest.mark.parametrize(("value", "theirs"), [(0.5, 2.5), (2.0, 10.0)])
def test_in_sinabs_a_value_is_as_many_spikes(value: float, theirs: float) -> None:
    x = torch.tensor([[value, 0.0]])
    assert analysed(LINEAR, x) == theirs
    found = ours(LINEAR, x)
    assert (found.acs, found.macs) == (0, 5)
    assert found.weighted == (10 if value == 2 else None)  # that figure is here too


def test_in_sinabs_zero_weights_work() -> None:
    fc = nn.Linear(4, 3)
    with torch.no_grad():
        fc.weight[:, ::2] = 0
    found = ours(fc, torch.ones(1, 4))
    assert analysed(fc, torch.ones(1, 4)) == 12
    assert (found.acs, found.unpruned) == (6, 12)


def test_in_sinabs_a_model_called_step_by_step_has_the_mean_of_its_steps() -> None:
    x = torch.ones(1, 4, 2)  # [batch, time, inputs]
    assert analysed(LINEAR, x) == ours(LINEAR, x).acs == 40
    assert analysed(LINEAR, *x.unbind(1)) == 10


def test_in_sinabs_other_layers_and_paddings_are_not_known() -> None:
    assert analysed(nn.Conv1d(1, 4, 3), torch.ones(1, 1, 6)) == 0
    assert ours(nn.Conv1d(1, 4, 3), torch.ones(1, 1, 6)).acs == 48
    circular, x = nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), torch.zeros(1, 1, 6, 6)
    x[0, 0, 0, 0] = 1
    assert analysed(circular, x) == 8
    assert ours(circular, x).acs == 18  # each tap takes the corner once

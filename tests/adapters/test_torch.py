"""PyTorch's own layers, recorded when named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import AdapterReadError, NoSpikingLayersError

TIME, BATCH, INPUTS, FEATURES = 6, 4, 5, 3
RECURRENT = [nn.RNN, nn.LSTM, nn.GRU]


def summed(values: torch.Tensor, over: Any) -> Any:
    return values.detach().double().sum(over).numpy()


@pytest.mark.parametrize("cls", RECURRENT)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_are_read_along_time(
    cls: type[nn.RNNBase], batch_first: bool, bidirectional: bool
) -> None:
    layer = cls(INPUTS, FEATURES, batch_first=batch_first, bidirectional=bidirectional)
    shape = (BATCH, TIME, INPUTS) if batch_first else (TIME, BATCH, INPUTS)
    with neuroact.record(layer, layers="model") as recording:
        output, _ = layer(torch.randn(shape))
    found = recording.report()["model"]
    assert (found.observations, found.sequences) == (TIME * BATCH, BATCH)
    assert (found.kind, found.framework) == (SignalKind.ANALOG, "torch")
    np.testing.assert_allclose(found.total, summed(output, (0, 1)), rtol=1e-15)


@pytest.mark.parametrize("cls", RECURRENT)
def test_a_sequence_goes_on_where_the_hidden_state_does(cls: type[nn.RNNBase]) -> None:
    layer, x = cls(INPUTS, FEATURES), torch.randn(TIME, BATCH, INPUTS)
    with neuroact.record(layer, layers="model") as recording:
        _, hidden = layer(x)
        _, hidden = layer(x, hidden)
        layer(x, hx=hidden)
        layer(x)
    assert recording.report()["model"].sequences == 2 * BATCH


def test_an_unbatched_sequence_is_a_batch_of_one() -> None:
    layer = nn.GRU(INPUTS, FEATURES)
    with neuroact.record(layer, layers="model") as recording:
        layer(torch.randn(TIME, INPUTS))
    found = recording.report()["model"]
    assert (found.shape, found.observations, found.sequences) == ((FEATURES,), TIME, 1)


def test_packed_sequences_are_refused() -> None:
    layer = nn.LSTM(INPUTS, FEATURES)
    packed = nn.utils.rnn.pack_padded_sequence(torch.randn(TIME, 2, INPUTS), torch.tensor([6, 3]))
    with (
        neuroact.record(layer, layers="model"),
        pytest.raises(AdapterReadError, match="packed sequences are not read"),
    ):
        layer(packed)


@pytest.mark.parametrize("cls", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_cells_are_read_step_by_step(cls: type[nn.RNNCellBase]) -> None:
    cell, state, hidden = cls(INPUTS, FEATURES), None, []
    with neuroact.record(cell, layers="model") as recording:
        for x in torch.randn(TIME, BATCH, INPUTS):
            state = cell(x, state)
            hidden.append(state[0] if isinstance(state, tuple) else state)
    found = recording.report()["model"]
    assert (found.observations, found.sequences) == (TIME * BATCH, BATCH)
    np.testing.assert_allclose(found.total, summed(torch.stack(hidden), (0, 1)), rtol=1e-14)


@pytest.mark.parametrize("batch_first", [False, True])
def test_attention_is_read_without_its_weights(batch_first: bool) -> None:
    layer = nn.MultiheadAttention(FEATURES, 1, batch_first=batch_first)
    x = torch.randn((BATCH, TIME, FEATURES) if batch_first else (TIME, BATCH, FEATURES))
    with neuroact.record(layer, layers="model") as recording:
        output, _ = layer(x, x, x)
    found = recording.report()["model"]
    assert (found.observations, found.sequences) == (TIME * BATCH, BATCH)
    np.testing.assert_allclose(found.total, summed(output, (0, 1)), rtol=1e-15)


@pytest.mark.parametrize(
    "cls", [nn.ReLU, nn.Sigmoid, nn.Tanh, nn.ReLU6, nn.GELU, nn.LeakyReLU, nn.SiLU]
)
def test_activations_are_read_when_named(cls: type[nn.Module]) -> None:
    net = nn.Sequential(nn.Linear(INPUTS, FEATURES), cls())
    with pytest.raises(NoSpikingLayersError):
        neuroact.record(net)
    with neuroact.record(net, layers="1") as recording:
        output = net(torch.randn(BATCH, INPUTS))
    found = recording.report()["1"]
    assert (found.kind, found.observations) == (SignalKind.ANALOG, BATCH)
    np.testing.assert_allclose(found.total, summed(output, 0), rtol=1e-15)


def test_an_inner_layer_of_a_layer_is_not_taken_by_a_glob() -> None:
    class Block(nn.GRU):
        def __init__(self) -> None:
            super().__init__(INPUTS, FEATURES)
            self.cell = nn.GRUCell(INPUTS, FEATURES)
            self.act = nn.ReLU()

    net = nn.ModuleDict({"block": Block(), "act": nn.ReLU()})
    with neuroact.record(net, layers="*") as recording:
        assert list(recording.layers) == ["block", "act"]
    with neuroact.record(net, layers=["block.cell"]) as recording:
        assert list(recording.layers) == ["block.cell"]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.GRU(INPUTS, FEATURES), (TIME, BATCH, INPUTS)),
        (nn.GRU(INPUTS, FEATURES, batch_first=True), (BATCH, TIME, INPUTS)),
    ],
)
def test_what_goes_in_is_read_in_the_layers_own_order(layer: nn.Module, shape: Any) -> None:
    with neuroact.record(layer, layers="model", of="input") as recording:
        layer(torch.ones(shape))
    found = recording.report()["model"]
    assert (found.shape, found.observations, found.sequences) == ((INPUTS,), TIME * BATCH, BATCH)

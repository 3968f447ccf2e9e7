"""SpikingJelly: the state, held or passed, tells where a sequence starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from raw import assert_true_figures
from spikingjelly.activation_based import functional, neuron, rnn, surrogate
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind
from neuroact_adapters.spikingjelly import SpikingJellyAdapter

OLDER = not hasattr(neuron, "PSN")

every_mode = pytest.mark.parametrize("mode", ["s", "m"])


def stateful_nodes() -> dict[str, Callable[[], Any]]:
    """One class for each way to hold state: v; v and another; other names; a queue."""
    nodes: dict[str, Callable[[], Any]] = {
        "IFNode": neuron.IFNode,
        "LIFNode with v_seq": lambda: neuron.LIFNode(store_v_seq=True),
        "IzhikevichNode": neuron.IzhikevichNode,
    }
    if OLDER:
        return nodes
    return nodes | {
        "CUBALIFNode": neuron.CUBALIFNode,
        "ComplementaryLIFNode": neuron.ComplementaryLIFNode,
        "SimpleIFNode": neuron.SimpleIFNode,
        "STBIFNode": lambda: neuron.STBIFNode(0.5, level=8),
        "FlexSN": lambda: neuron.FlexSN(lambda x, v: ((v + x >= 1).to(x), v + x), 1),
        "ActivationAwareIFNode": neuron.ActivationAwareIFNode,
    }


every_stateful_node = pytest.mark.parametrize(
    "build", stateful_nodes().values(), ids=stateful_nodes().keys()
)


class Starts:
    """Which calls of a module start a sequence, according to the number of sequences counted."""

    def __init__(self, module: nn.Module) -> None:
        self.recording = neuroact.record(nn.Sequential(module), layers="0")
        self._counted = 0

    def after(self, call: Callable[[], object]) -> bool:
        """Whether this call, of one sample or more, started a sequence."""
        call()
        counted = self.recording.report()["0"].sequences
        started, self._counted = counted > self._counted, counted
        return started


@every_mode
@every_stateful_node
def test_a_call_goes_on_until_the_state_is_reset(build: Callable[[], Any], mode: str) -> None:
    node = build()
    node.step_mode = mode
    shape = (2, 5) if mode == "s" else (4, 2, 5)
    starts = Starts(node)
    assert starts.after(lambda: node(torch.rand(shape)))
    assert not starts.after(lambda: node(torch.rand(shape)))
    functional.reset_net(node)
    assert starts.after(lambda: node(torch.rand(shape)))
    functional.detach_net(node)
    assert not starts.after(lambda: node(torch.rand(shape)))
    assert not starts.after(lambda: node(torch.rand(shape)))


@pytest.mark.parametrize("gradients", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@every_mode
def test_starts_are_the_same_with_and_without_gradients(mode: str, gradients: Any) -> None:
    node = neuron.LIFNode(step_mode=mode)
    starts = Starts(node)
    found = []
    with gradients():
        for _ in range(2):
            found += [starts.after(lambda: node(torch.rand(3, 2, 5))) for _ in range(3)]
            functional.reset_net(node)
    assert found == [True, False, False] * 2


def test_the_membrane_is_a_number_until_the_first_call_and_after_a_reset() -> None:
    """The framework's behaviour behind the rule."""
    node = neuron.IFNode()
    assert isinstance(node.v, float)
    node(torch.rand(2, 5))
    assert isinstance(node.v, Tensor)
    functional.reset_net(node)
    assert isinstance(node.v, float)


def test_sequences_of_any_length_go_on_in_step_mode_m() -> None:
    """With `store_v_seq` the record of membrane potentials has another shape after each call."""
    node = neuron.LIFNode(step_mode="m", store_v_seq=True)
    starts = Starts(node)
    inputs = [torch.rand(steps, 2, 5) for steps in (3, 7, 1, 4)]
    found = [starts.after(partial(node, x)) for x in inputs]
    assert found == [True, False, False, False]


def test_a_sequence_goes_on_when_the_step_mode_changes() -> None:
    node = neuron.LIFNode(step_mode="m")
    starts = Starts(node)
    assert starts.after(lambda: node(torch.rand(3, 2, 5)))
    node.step_mode = "s"
    assert not starts.after(lambda: node(torch.rand(2, 5)))


@every_mode
def test_another_input_shape_without_a_reset(mode: str) -> None:
    """2.0.0 makes the state anew, silently; 0.0.0.0.14 refuses, and recording goes on after."""
    node = neuron.LIFNode(step_mode=mode)
    starts = Starts(node)
    assert starts.after(lambda: node(torch.rand(4, 4, 5)))
    if OLDER:
        with pytest.raises(RuntimeError, match="must match"):
            node(torch.rand(4, 3, 5) if mode == "m" else torch.rand(3, 4, 5))
        functional.reset_net(node)
    assert starts.after(lambda: node(torch.rand(4, 3, 5) if mode == "m" else torch.rand(3, 4, 5)))


def test_a_state_set_by_hand_starts_a_sequence() -> None:
    node = neuron.LIFNode()
    starts = Starts(node)
    assert starts.after(lambda: node(torch.rand(2, 5)))
    node.v = torch.zeros(2, 5)
    assert starts.after(lambda: node(torch.rand(2, 5)))


def test_a_layer_that_ran_while_the_recording_paused_starts_a_sequence() -> None:
    node = neuron.LIFNode()
    starts = Starts(node)
    assert starts.after(lambda: node(torch.rand(2, 5)))
    starts.recording.pause()
    node(torch.rand(2, 5))
    starts.recording.resume()
    assert starts.after(lambda: node(torch.rand(2, 5)))


def test_new_sequence_wins() -> None:
    node = neuron.LIFNode()
    starts = Starts(node)
    assert starts.after(lambda: node(torch.rand(2, 5)))
    starts.recording.new_sequence()
    assert starts.after(lambda: node(torch.rand(2, 5)))


if not OLDER:

    def test_the_trace_of_a_training_step_says_nothing_of_where_a_sequence_starts() -> None:
        node = neuron.OTTTLIFNode().eval()
        starts = Starts(node)
        assert starts.after(lambda: node(torch.rand(2, 5)))
        node.train()
        assert node.trace is None
        assert not starts.after(lambda: node(torch.rand(2, 5)))
        assert isinstance(node.trace, Tensor)
        node.eval()
        assert not starts.after(lambda: node(torch.rand(2, 5)))

    def test_a_queue_of_past_inputs_goes_on_while_it_grows_and_when_it_is_full() -> None:
        node = neuron.SlidingPSN(k=3)
        starts = Starts(node)
        found = []
        for _ in range(2):
            found += [starts.after(lambda: node(torch.rand(2, 5))) for _ in range(5)]
            functional.reset_net(node)
        assert found == [True, False, False, False, False] * 2

    @pytest.mark.parametrize(
        "build",
        [lambda: neuron.SlidingPSN(k=2), lambda: neuron.MaskedPSN(k=2, T=4, lambda_init=1.0)],
        ids=["SlidingPSN", "MaskedPSN"],
    )
    def test_a_queue_that_steps_left_is_not_used_by_sequences(build: Callable[[], Any]) -> None:
        node = build()
        node(torch.rand(2, 5))
        node.step_mode = "m"
        starts = Starts(node)
        x = torch.rand(4, 2, 5)
        first, second = node(x), node(x)
        assert torch.equal(first, second), "nothing is carried from call to call"
        assert starts.after(lambda: node(x))
        assert starts.after(lambda: node(x))


RNNS = {
    "SpikingVanillaRNN": rnn.SpikingVanillaRNN,
    "SpikingGRU": rnn.SpikingGRU,
    "SpikingLSTM": rnn.SpikingLSTM,
}
CELLS = {
    "SpikingVanillaRNNCell": rnn.SpikingVanillaRNNCell,
    "SpikingGRUCell": rnn.SpikingGRUCell,
    "SpikingLSTMCell": rnn.SpikingLSTMCell,
}
every_rnn = pytest.mark.parametrize("build", RNNS.values(), ids=RNNS.keys())
every_cell = pytest.mark.parametrize("build", CELLS.values(), ids=CELLS.keys())


def passable(states: Any) -> Any:
    """Returned states in the form that the framework accepts.

    0.0.0.0.14's LSTM returns each with a first dimension that it does not take back.
    """
    if OLDER and isinstance(states, tuple):
        return tuple(state.squeeze(0) for state in states)
    return states


def detached(states: Any) -> Any:
    return tuple(s.detach() for s in states) if isinstance(states, tuple) else states.detach()


@pytest.mark.parametrize("bidirectional", [False, True])
@every_rnn
def test_figures_of_a_recurrent_layer_equal_numpy(build: Any, bidirectional: bool) -> None:
    """Two sequences, the second in two parts; its inner cells are not counted again."""
    torch.manual_seed(2)
    layer = build(4, 8, 1 if OLDER else 2, bidirectional=bidirectional)
    outputs: list[Tensor] = []
    layer.register_forward_hook(lambda m, args, output: outputs.append(output[0].clone()))
    net = nn.Sequential(layer)
    with neuroact.record(net) as recording:
        assert list(recording.layers) == ["0"]
        layer(torch.randn(5, 3, 4) * 3)
        _, states = layer(torch.randn(4, 2, 4) * 3)
        _, states = layer(torch.randn(6, 2, 4) * 3, passable(states))
        layer(torch.randn(2, 2, 4) * 3, states=detached(passable(states)))
    values = np.concatenate(
        [output.detach().double().numpy().reshape(-1, output.shape[-1]) for output in outputs]
    )
    assert set(values.flat) == {0.0, 1.0}
    figures = recording.report()["0"]
    assert_true_figures(figures, values, sequences=3 + 2)
    assert figures.shape == (16 if bidirectional else 8,)
    assert figures.kind is SignalKind.BINARY


def test_axes_of_what_goes_into_recurrent_layers_and_cells() -> None:
    adapter = SpikingJellyAdapter()
    assert {adapter.input_axes(build(4, 8, 1)) for build in RNNS.values()} == {"TBN"}
    assert {adapter.input_axes(build(4, 8)) for build in CELLS.values()} == {"BN"}


@every_rnn
def test_a_recurrent_layer_that_is_passed_no_states_starts_with_each_call(build: Any) -> None:
    layer = build(4, 8, 1)
    starts = Starts(layer)
    assert all(starts.after(lambda: layer(torch.rand(5, 2, 4))) for _ in range(3))


@pytest.mark.parametrize("by_name", [False, True])
@every_cell
def test_figures_of_a_cell_equal_numpy(build: Any, by_name: bool) -> None:
    torch.manual_seed(4)
    cell = build(4, 8)
    lstm = build is rnn.SpikingLSTMCell
    name = "hc" if lstm else "h"
    spikes: list[Tensor] = []
    cell.register_forward_hook(
        lambda m, args, output: spikes.append((output[0] if lstm else output).clone())
    )
    with neuroact.record(nn.Sequential(cell)) as recording:
        for batch in (3, 2):
            state = None
            for x in torch.randn(6, batch, 4) * 3:
                state = cell(x, **{name: state}) if by_name else cell(x, state)
    values = torch.cat(spikes).detach().double().numpy()
    assert set(values.flat) == {0.0, 1.0}
    assert_true_figures(recording.report()["0"], values, sequences=5)


@every_rnn
def test_the_kind_of_a_recurrent_layer_is_that_of_its_surrogate_functions(build: Any) -> None:
    name = "surrogate_function" if build is rnn.SpikingVanillaRNN else "surrogate_function1"
    layer = build(4, 8, 1, **{name: surrogate.Erf(spiking=False)})
    with neuroact.record(nn.Sequential(layer), layers="0") as recording:
        output = layer(torch.randn(5, 2, 4))[0]
    assert len(output.unique()) > 8
    assert recording.report()["0"].kind is SignalKind.ANALOG

"""SpikingJelly 0.0.0.0.12, from before step modes, which published spiking transformers pin."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import torch
from raw import RawCalls, assert_true_figures
from spikingjelly.clock_driven import functional, layer, neuron, rnn
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import AdapterReadError, NoSpikingLayersError
from neuroact_adapters.spikingjelly import SpikingJellyAdapter

STEPS, BATCH = 6, 3
STEPWISE = {"IFNode", "LIFNode", "ParametricLIFNode", "QIFNode", "EIFNode"}
MULTI_STEP = {"MultiStepIFNode", "MultiStepLIFNode", "MultiStepParametricLIFNode"}
MULTI_STEP |= {"MultiStepEIFNode"}
NODES = sorted(STEPWISE | MULTI_STEP)

every_node = pytest.mark.parametrize("name", NODES)


def build(name: str) -> Any:
    return getattr(neuron, name)()


def feed(node: Any, x: Tensor) -> Tensor:
    """What a node emits over a sequence, in as many calls as its class takes."""
    many = type(node).__name__.startswith("MultiStep")
    return node(x) if many else torch.stack([node(step) for step in x])


def drive(batch: int = BATCH) -> Tensor:
    return torch.rand(STEPS, batch, 5) * 2


def test_every_node_of_the_release_is_tested() -> None:
    assert version("spikingjelly") == "0.0.0.0.12"
    ours = {
        name
        for name, cls in vars(neuron).items()
        if inspect.isclass(cls) and issubclass(cls, neuron.BaseNode)
    }
    assert ours - {"BaseNode", "AdaptiveBaseNode"} == {
        *NODES,
        "LIAFNode",  # see below
        *("GeneralNode", "MultiStepGeneralNode"),  # cannot be called
    }
    with pytest.raises(TypeError):
        neuron.GeneralNode(0.5, 1.0)(torch.rand(2, 5))


@every_node
def test_figures_of_a_node_equal_numpy_on_the_raw_outputs(name: str) -> None:
    """Three sequences, one a smaller batch, the last in two parts; each after a reset."""
    torch.manual_seed(0)
    node = build(name)
    net, raw = nn.Sequential(node), RawCalls(node)
    with neuroact.record(net) as recording, torch.no_grad():
        for batch in (BATCH, 2):
            functional.reset_net(net)
            feed(node, drive(batch))
        functional.reset_net(net)
        feed(node, drive())
        feed(node, drive())
    values = raw.values(lambda output: output, sequence=name in MULTI_STEP)
    found = recording.report()["0"]
    assert set(values.flat) == {0.0, 1.0}
    assert_true_figures(found, values, sequences=2 * BATCH + 2)
    assert (found.framework, found.layer_type) == ("spikingjelly", name)


@every_node
def test_a_sequence_goes_on_until_the_state_is_reset(name: str) -> None:
    node, found = build(name), []
    with neuroact.record(node) as recording:
        for between in (list, list, node.reset, node.detach):
            between()
            feed(node, drive())
            found.append(recording.report()["model"].sequences)
    assert found == [BATCH, BATCH, 2 * BATCH, 2 * BATCH]


@every_node
def test_a_membrane_potential_is_that_of_the_node(name: str) -> None:
    node, kept = build(name), []
    with neuroact.record(node, of="v") as recording:
        if name in MULTI_STEP:
            with pytest.raises(AdapterReadError, match="only the last step"):
                node(drive())
            return
        for x in drive():
            node(x)
            kept.append(node.v.detach().double().numpy())
    np.testing.assert_allclose(recording.report()["model"].total, np.sum(kept, (0, 1)), rtol=1e-12)


def test_an_analog_node_is_recorded_by_request() -> None:
    node = neuron.LIAFNode(torch.relu, threshold_related=False)
    with pytest.raises(NoSpikingLayersError, match="emit real values"):
        neuroact.record(node)
    with neuroact.record(node, layers="model") as recording:
        feed(node, drive())
    assert recording.report()["model"].kind is SignalKind.ANALOG


def test_a_recurrent_layer_is_recorded_by_request_with_its_axes_stated() -> None:
    """Their LSTM emits up to as many levels as there are steps, unlike that of later releases."""
    torch.manual_seed(0)
    net = nn.Sequential(rnn.SpikingLSTM(5, 8, 1))
    raw = RawCalls(net[0])
    with pytest.raises(NoSpikingLayersError):
        neuroact.record(net)
    with neuroact.record(net, layers="0", axes="TBN", kind="graded", values=0) as recording:
        net(drive() * 3)
    values = raw.values(lambda output: output[0], sequence=True)
    assert values.max() > 1
    assert_true_figures(recording.report()["0"], values, sequences=BATCH)


def test_steps_in_a_container_of_steps_are_one_sequence() -> None:
    torch.manual_seed(0)
    node = neuron.LIFNode()
    net = layer.MultiStepContainer(nn.Linear(5, 7), node)
    raw = RawCalls(node)
    with neuroact.record(net) as recording:
        net(drive() * 3)
    assert list(recording.layers) == ["1"]
    values = raw.values(lambda output: output)
    assert_true_figures(recording.report()["1"], values, sequences=BATCH)


def test_a_node_in_a_container_that_takes_the_time_away_is_refused() -> None:
    net = layer.SeqToANNContainer(nn.Linear(5, 7), neuron.LIFNode())
    with (
        neuroact.record(net),
        pytest.raises(AdapterReadError, match="takes the time axis away from it"),
    ):
        net(drive())


class Attention(nn.Module):
    """Spiking self-attention over `[time, batch, tokens, size]`, as Spikformer has it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(size, size) for _ in range(3))
        self.q_lif, self.k_lif, self.v_lif, self.out_lif = (lif() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.q_lif(self.q(x)), self.k_lif(self.k(x)), self.v_lif(self.v(x))
        return self.out_lif(q @ k.transpose(-2, -1) @ v)


class Patches(nn.Module):
    """Images as patches: a convolution of all steps at once, and neurons over the sequence."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.conv = layer.SeqToANNContainer(nn.Conv2d(1, size, 2, 2), nn.BatchNorm2d(size))
        self.lif = lif()

    def forward(self, x: Tensor) -> Tensor:
        return self.lif(self.conv(x)).flatten(3).transpose(-2, -1)


class Spikformer(nn.Module):
    def __init__(self, size: int = 5) -> None:
        super().__init__()
        self.patches, self.attention = Patches(size), Attention(size)
        self.mlp = nn.Sequential(nn.Linear(size, 7), lif(), nn.Linear(7, size), lif())
        self.head = nn.Linear(size, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x)
        x = x + self.attention(x)
        x = x + self.mlp(x)
        return self.head(x.mean((0, 2)))


def lif() -> Any:
    return neuron.MultiStepLIFNode(tau=2.0, detach_reset=True, backend="torch")


def test_all_neurons_of_a_spiking_transformer_are_counted_in_training() -> None:
    torch.manual_seed(0)
    net = Spikformer()
    raws: dict[str, Callable[..., Any]] = {}
    for name, module in net.named_modules():
        if isinstance(module, neuron.BaseNode):
            raws[name] = RawCalls(module).values
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    with neuroact.record(net) as recording:
        for _ in range(2):
            functional.reset_net(net)
            optimiser.zero_grad()
            net(torch.randn(4, 2, 1, 4, 4) * 3).square().sum().backward()
            optimiser.step()
    report = recording.report()
    assert sorted(report) == sorted(raws)
    assert len(report) == 7
    for name, values in raws.items():
        assert_true_figures(report[name], values(lambda output: output, sequence=True), 4)
    assert report["patches.lif"].events.sum() > 0


@pytest.mark.parametrize("adapters", [None, [SpikingJellyAdapter()]])
def test_a_copy_in_another_package_is_found_and_has_the_same_figures(
    src: str, adapters: Any
) -> None:
    """As repositories of published models have it; the copy is of the installed files."""
    copied = importlib.import_module(f"{src}.spikingjelly.clock_driven.neuron")
    assert copied.LIFNode is not neuron.LIFNode
    x, reports = drive(), []
    for module in (neuron, copied):
        nodes = {name: getattr(module, name)() for name in NODES}
        net = nn.ModuleDict(nodes)
        with neuroact.record(net, adapters=adapters) as recording:
            for node in nodes.values():
                feed(node, x)
        reports.append(recording.report())
    theirs, ours = reports
    assert list(ours) == list(theirs) == NODES
    for name in NODES:
        assert ours[name].framework == "spikingjelly"
        np.testing.assert_array_equal(ours[name].events, theirs[name].events)
    assert sum(layer.events.sum() for layer in ours.values()) > 0

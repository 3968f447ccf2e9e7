"""BindsNET: every class of neurons is read, with the spikes that its own Monitor keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from bindsnet.conversion import nodes as converted
from bindsnet.learning import PostPre
from bindsnet.network import Network, nodes
from bindsnet.network.monitors import Monitor
from bindsnet.network.topology import Connection
from raw import Floats, assert_true_figures
from torch import nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import AdapterReadError, NoSpikingLayersError
from neuroact.testing import AdapterContract
from neuroact_adapters.bindsnet import BindsnetAdapter
from neuroact_adapters.examples.bindsnet import EXAMPLES

STEPS = 20
# By class: what else its construction takes, and how strong its input is.
NEURONS: dict[type[Any], tuple[dict[str, Any], float]] = {
    nodes.McCullochPitts: ({}, 2.0),
    nodes.IFNodes: ({}, 20.0),
    nodes.LIFNodes: ({}, 20.0),
    nodes.BoostedLIFNodes: ({}, 20.0),
    nodes.CurrentLIFNodes: ({}, 10.0),
    nodes.AdaptiveLIFNodes: ({}, 20.0),
    nodes.DiehlAndCookNodes: ({}, 20.0),
    nodes.IzhikevichNodes: ({"excitatory": 1}, 20.0),
    nodes.CSRMNodes: ({}, 40.0),
    nodes.SRM0Nodes: ({}, 20.0),
    converted.SubtractiveResetIFNodes: ({"thresh": 1.0, "reset": 0.0, "refrac": 0}, 1.0),
}
PASSING = {nodes.Input: SignalKind.BINARY, converted.PassThroughNodes: SignalKind.GRADED}


class TestBindsnetAdapter(AdapterContract):
    adapter = BindsnetAdapter()
    examples = EXAMPLES


def network(cls: type[Any] = nodes.LIFNodes, strength: float = 20.0, **options: Any) -> Any:
    """Five inputs to six neurons."""
    torch.manual_seed(0)
    net = Network()
    net.add_layer(nodes.Input(5), "X")
    net.add_layer(cls(6, **options), "Y")
    weights = torch.rand(5, 6) * strength
    net.add_connection(Connection(net.layers["X"], net.layers["Y"], w=weights), "X", "Y")
    for name in "XY":
        net.add_monitor(Monitor(net.layers[name], ["s"]), name)
    return net


def drive(steps: int = STEPS, batch: int = 3) -> dict[str, Any]:
    return {"X": torch.rand(steps, batch, 5) < 0.5}


def monitored(net: Any, name: str = "Y") -> Floats:
    """What the network's own monitor kept, `[observations, *neurons]`."""
    kept = net.monitors[name].get("s")
    return kept.reshape(-1, *kept.shape[2:]).double().numpy()


def all_below(cls: type) -> Iterator[type]:
    for below in cls.__subclasses__():
        yield below
        yield from all_below(below)


def test_every_class_of_neurons_is_tested() -> None:
    ours = {cls for cls in all_below(nodes.Nodes) if cls.__module__.startswith("bindsnet")}
    assert ours == {*NEURONS, *PASSING}


@pytest.mark.parametrize("cls", NEURONS, ids=lambda cls: cls.__name__)
def test_figures_of_a_layer_equal_numpy_on_what_its_monitor_kept(cls: type[Any]) -> None:
    options, strength = NEURONS[cls]
    net, kept = network(cls, strength, **options), []
    batches = (3, 3, 3) if cls is nodes.CSRMNodes else (3, 3, 2)  # those cannot change the size
    with neuroact.record(net) as recording:
        for batch in batches:
            net.run(drive(batch=batch), time=STEPS)
            kept.append(monitored(net))
            net.reset_state_variables()
    values = np.concatenate(kept)
    layer = recording.report()["Y"]
    assert set(values.flat) == {0.0, 1.0}
    assert_true_figures(layer, values, sequences=sum(batches))
    assert (layer.kind, layer.framework) == (SignalKind.BINARY, "bindsnet")


def test_a_sequence_goes_on_until_the_network_is_reset() -> None:
    net, found = network(), []
    with neuroact.record(net, layers=["X", "Y"]) as recording:

        def started(**options: Any) -> list[int]:
            net.run(drive(), time=STEPS, **options)
            return [recording.report()[name].sequences for name in "XY"]

        found.append(started())
        found.append(started())
        found.append(started(injects_v={"Y": torch.ones(6)}))
        net.reset_state_variables()
        found.append(started())
        net.reset_state_variables()  # after a step in which nothing may have fired
        net.run({"X": torch.zeros(3, 3, 5, dtype=torch.bool)}, time=3)
        net.reset_state_variables()
        found.append(started())
    assert found == [[3, 3], [3, 3], [3, 3], [6, 6], [12, 12]]


def test_spikes_that_are_forced_and_suppressed_are_counted_as_the_network_has_them() -> None:
    net = network()
    first, last = torch.zeros(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool)
    first[0], last[5] = True, True
    with neuroact.record(net) as recording:
        net.run(drive(), time=STEPS, clamp={"Y": first}, unclamp={"Y": last})
        net.run(drive(), time=STEPS, clamp={"Y": first}, unclamp={"Y": last})
    layer = recording.report()["Y"]
    assert_true_figures(layer, monitored(net), sequences=3)
    assert (layer.saturated, layer.events[0], layer.events[5]) == (1, 2 * STEPS * 3, 0)


def test_a_layer_is_reported_once_with_its_connections_names_as_aliases() -> None:
    net = network()
    recording = neuroact.record(net)
    assert [(name, layer.aliases) for name, layer in recording.layers.items()] == [
        ("Y", ("X_to_Y.target",))
    ]
    assert list(neuroact.record(net, layers="X_to_Y.source").layers) == ["X"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [(torch.rand(STEPS, 3, 5) < 0.5, "binary"), (torch.rand(STEPS, 3, 5).mul(3).floor(), "graded")],
)
def test_an_input_is_recorded_by_request_with_what_it_was_given(values: Any, kind: str) -> None:
    net, given = network(), values.clone()
    with neuroact.record(net, layers="X") as recording:
        net.run({"X": values}, time=STEPS)
    layer = recording.report()["X"]
    assert_true_figures(layer, given.reshape(-1, 5).double().numpy(), sequences=3)
    assert layer.kind.value == kind


def test_a_layer_that_passes_on_its_input_is_recorded_by_request() -> None:
    net = nn.Sequential(converted.PassThroughNodes(4))
    net[0].set_batch_size(2)
    with pytest.raises(NoSpikingLayersError, match="emit real values"):
        neuroact.record(net)
    with neuroact.record(net, layers="0") as recording:
        for x in torch.rand(3, 2, 4):
            net[0].forward(x=x)
    assert recording.report()["0"].kind is SignalKind.GRADED


def test_neurons_may_have_several_dimensions() -> None:
    net = Network()
    net.add_layer(nodes.Input(shape=(1, 2, 3)), "X")
    net.add_monitor(Monitor(net.layers["X"], ["s"]), "X")
    with neuroact.record(net, layers="X") as recording:
        net.run({"X": torch.rand(STEPS, 2, 1, 2, 3) < 0.5}, time=STEPS)
    assert_true_figures(recording.report()["X"], monitored(net, "X"), sequences=2)


def test_a_membrane_potential_is_what_the_monitor_keeps() -> None:
    net = network()
    net.add_monitor(Monitor(net.layers["Y"], ["v"]), "v")
    with neuroact.record(net, of="v") as recording:
        net.run(drive(), time=STEPS)
    kept = net.monitors["v"].get("v").double().numpy()
    np.testing.assert_allclose(recording.report()["Y"].total, kept.sum((0, 1)), rtol=1e-12)


def test_learning_is_the_same_while_it_is_recorded() -> None:
    def learnt(recorded: bool) -> Any:
        torch.manual_seed(1)
        net = Network()
        net.add_layer(nodes.Input(5, traces=True), "X")
        net.add_layer(nodes.LIFNodes(6, traces=True), "Y")
        source, target = net.layers["X"], net.layers["Y"]
        net.add_connection(
            Connection(source, target, w=torch.rand(5, 6) * 20, update_rule=PostPre, nu=(0.1, 0.1)),
            "X",
            "Y",
        )
        before = net.connections["X", "Y"].w.clone()
        if recorded:
            with neuroact.record(net, layers=["X", "Y"]):
                net.run(drive(), time=STEPS)
        else:
            net.run(drive(), time=STEPS)
        assert not torch.equal(net.connections["X", "Y"].w, before)
        return net.connections["X", "Y"].w

    assert torch.equal(learnt(recorded=False), learnt(recorded=True))


def test_inference_mode_is_refused_since_a_reset_cannot_be_seen_there() -> None:
    net = network()
    with (
        neuroact.record(net),
        torch.inference_mode(),
        pytest.raises(AdapterReadError, match=r"torch\.no_grad") as error,
    ):
        net.run(drive(), time=STEPS)
    assert error.value.layer == "Y"


def test_weights_of_connections_are_named_as_not_counted() -> None:
    net = network()
    with neuroact.record(net, operations=True) as recording:
        net.run(drive(), time=STEPS)
    assert "X_to_Y" in recording.report().operations.not_counted

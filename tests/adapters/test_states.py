"""`of=` a state: membranes and others after each step, in each framework and step mode."""

from __future__ import annotations

from typing import Any

import norse.torch
import numpy as np
import pytest
import sinabs.layers
import snntorch
import torch
from numpy.typing import NDArray
from spikingjelly.activation_based import functional, monitor, neuron
from torch import Tensor, nn

import neuroact
from neuroact.errors import AdapterReadError, NoSuchStateError


def flat(kept: list[Tensor], neurons: int = 3) -> NDArray[np.float64]:
    """Sum over all steps and samples, in NumPy."""
    found: NDArray[np.float64] = torch.cat([t.detach().reshape(-1, neurons) for t in kept]).numpy()
    return found.astype(np.float64)


def check(layer: neuroact.LayerActivity, kept: list[Tensor], sequences: int) -> None:
    values = flat(kept)
    assert layer.observations == len(values)
    assert layer.sequences == sequences
    assert np.allclose(layer.total, values.sum(0), rtol=1e-12, atol=1e-12)
    assert layer.kind is neuroact.SignalKind.ANALOG


def after_each_call(module: nn.Module, name: str) -> list[Tensor]:
    """The states as a hook of the test's own sees them."""
    kept: list[Tensor] = []
    module.register_forward_hook(lambda m, args, output: kept.append(getattr(m, name).clone()))
    return kept


@pytest.mark.parametrize("name", ["mem", "syn"])
@pytest.mark.parametrize("hidden", [True, False])
def test_snntorchs_states_are_those_that_each_step_leaves(name: str, hidden: bool) -> None:
    layer = snntorch.Synaptic(alpha=0.8, beta=0.9, init_hidden=hidden)
    kept: list[Tensor] = []
    with neuroact.record(layer, of=name) as recording:
        for _ in range(2):
            layer.reset_mem()
            state: Any = () if hidden else layer.init_synaptic()
            for _ in range(5):
                out = layer(torch.rand(4, 3), *state)
                if not hidden:
                    _, *state = out
                kept.append((getattr(layer, name) if hidden else state[name == "mem"]).clone())
    (found,) = recording.report().values()
    check(found, kept, sequences=8)


@pytest.mark.parametrize("name", ["v", "i"])
def test_norses_cells_return_their_states(name: str) -> None:
    cell, kept, state = norse.torch.LIFCell(), [], None
    with neuroact.record(cell, of=name) as recording:
        for _ in range(5):
            _, state = cell(torch.rand(4, 3) * 5, state)
            kept.append(getattr(state, name).clone())
    (found,) = recording.report().values()
    check(found, kept, sequences=4)


def test_norses_sequences_have_states_where_record_states_keeps_them() -> None:
    layer = norse.torch.LIF(record_states=True)
    with neuroact.record(layer, of="v") as recording:
        _, states = layer(torch.rand(6, 4, 3) * 5)
    (found,) = recording.report().values()
    check(found, [states.v], sequences=4)


@pytest.mark.parametrize(
    ("layer", "of", "advice"),
    [
        (norse.torch.LIF(), "v", "record_states=True"),
        (neuron.LIFNode(step_mode="m"), "v", "store_v_seq=True"),
        (sinabs.layers.LIF(tau_mem=10.0), "v_mem", "record_states=True"),
    ],
    ids=["norse", "spikingjelly", "sinabs"],
)
def test_where_only_the_last_step_is_kept_the_error_names_the_option_that_keeps_all(
    layer: nn.Module, of: str, advice: str
) -> None:
    with neuroact.record(layer, of=of), pytest.raises(AdapterReadError, match=advice):
        layer(torch.rand(6, 4, 3))


def test_spikingjellys_single_steps_are_those_of_its_own_monitor() -> None:
    net = nn.Sequential(neuron.LIFNode(), neuron.IFNode())
    theirs = monitor.AttributeMonitor("v", pre_forward=False, net=net, instance=neuron.BaseNode)
    with neuroact.record(net, of="v") as recording:
        for _ in range(2):
            functional.reset_net(net)
            for _ in range(5):
                net(torch.rand(4, 3) * 2)
    report = recording.report()
    for name in ("0", "1"):
        check(report[name], [v.clone() for v in theirs[name]], sequences=8)


def test_spikingjellys_whole_sequences_are_those_of_its_own_monitor() -> None:
    net = nn.Sequential(neuron.LIFNode(step_mode="m", store_v_seq=True))
    theirs = monitor.AttributeMonitor("v_seq", pre_forward=False, net=net, instance=neuron.BaseNode)
    with neuroact.record(net, of="v") as recording:
        net(torch.rand(6, 4, 3) * 2)
    check(recording.report()["0"], [v.clone() for v in theirs["0"]], sequences=4)


def test_spikingjellys_gradients_are_those_of_its_own_monitor() -> None:
    net = nn.Sequential(nn.Linear(3, 3), neuron.LIFNode(step_mode="m"), nn.Linear(3, 2))
    theirs = monitor.GradOutputMonitor(net, instance=neuron.BaseNode)
    with neuroact.record(net, of="grad") as recording:
        net(torch.rand(6, 4, 3) * 5).square().sum().backward()
    check(recording.report()["1"], [g.clone() for g in theirs["1"]], sequences=4)


@pytest.mark.parametrize("squeeze", [False, True])
def test_sinabs_states_are_those_that_record_states_keeps(squeeze: bool) -> None:
    options = {"tau_mem": 10.0, "record_states": True}
    layer = (
        sinabs.layers.LIFSqueeze(batch_size=4, **options)
        if squeeze
        else sinabs.layers.LIF(**options)
    )
    x = torch.rand(4, 6, 3) * 30
    with neuroact.record(layer, of="v_mem") as recording:
        layer(x.flatten(0, 1) if squeeze else x)
    (found,) = recording.report().values()
    check(found, [layer.recordings["v_mem"]], sequences=4)


def test_sinabs_single_step_is_the_state_that_the_layer_holds() -> None:
    layer, kept = sinabs.layers.LIF(tau_mem=10.0), []
    with neuroact.record(layer, of="v_mem") as recording:
        for _ in range(5):
            layer(torch.rand(4, 1, 3) * 30)
            kept.append(layer.v_mem.clone())
    (found,) = recording.report().values()
    check(found, kept, sequences=4)


def test_of_all_layers_those_that_have_the_state_are_recorded() -> None:
    net = nn.Sequential(
        snntorch.Leaky(beta=0.9, init_hidden=True),
        snntorch.Synaptic(alpha=0.8, beta=0.9, init_hidden=True),
    )
    with neuroact.record(net, of="syn") as recording:
        assert list(recording.layers) == ["1"]
    with pytest.raises(NoSuchStateError, match=r'"0" .* has no state "syn"; it has: mem'):
        neuroact.record(net, layers="0", of="syn")


def test_the_models_state_and_outputs_stay_the_same() -> None:
    torch.manual_seed(0)
    layer, x = snntorch.Leaky(beta=0.9, init_hidden=True), torch.rand(5, 4, 3)
    bare = [layer(step).clone() for step in x]
    mem = layer.mem.clone()
    layer.reset_mem()
    with neuroact.record(layer, of="mem"):
        watched = [layer(step).clone() for step in x]
    assert all(torch.equal(a, b) for a, b in zip(bare, watched, strict=True))
    assert torch.equal(layer.mem, mem)

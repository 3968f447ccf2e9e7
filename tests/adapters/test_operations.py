"""Synaptic operations in each framework equal those of plain functions on flags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import norse.torch as norse
import pytest
import sinabs.layers as sinabs
import snntorch
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn

import neuroact
from neuroact.layers.connections import connections_of


class Inputs:
    """What goes into each Linear and convolution, by hooks of torch."""

    def __init__(self, net: nn.Module) -> None:
        self.of: dict[str, list[Tensor]] = {}
        for name, module in net.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                seen = self.of.setdefault(name, [])
                module.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(+args[0]))


def operations_of(module: Any, inputs: list[Tensor]) -> tuple[int, int, int]:
    """ACs, MACs and dense, by running the plain function on flags."""
    weight = (module.weight != 0).double()

    def pairs(flags: Callable[[Tensor], Tensor], weight: Tensor) -> int:
        total = 0
        for x in inputs:
            x = flags(x).double()
            if isinstance(module, nn.Linear):
                y = nn.functional.linear(x, weight)
            else:
                x = x.reshape(-1, *x.shape[-3:])
                run: Any = (
                    nn.functional.conv2d
                    if isinstance(module, nn.Conv2d)
                    else nn.functional.conv_transpose2d
                )
                y = run(x, weight, stride=module.stride, padding=module.padding)
            total += int(y.sum())
        return total

    return (
        pairs(lambda x: x.abs() == 1, weight),
        pairs(lambda x: (x != 0) & (x.abs() != 1), weight),
        pairs(torch.ones_like, torch.ones_like(weight)),
    )


class Steps(nn.Module):
    """snnTorch, step by step, with a recurrent layer and a transposed convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
        self.lif = snntorch.Leaky(0.9, threshold=0.3, init_hidden=True)
        self.fc = nn.Linear(147, 5)
        self.rec = snntorch.RLeaky(0.9, threshold=0.1, linear_features=5, init_hidden=True)

    def forward(self, x: Tensor) -> None:
        for step in x:
            self.rec(self.fc(self.lif(self.conv(step)).flatten(1)))


def snntorch_steps() -> tuple[nn.Module, Tensor]:
    return Steps(), (torch.rand(4, 3, 2, 4, 4) < 0.5).float() * 3


def spikingjelly_sequence() -> tuple[nn.Module, Tensor]:
    net = nn.Sequential(
        layer.Conv2d(2, 3, 3, padding=1),
        neuron.LIFNode(v_threshold=0.1),
        layer.Flatten(),
        layer.Linear(48, 4),
        neuron.IFNode(v_threshold=0.1),
    )
    functional.set_step_mode(net, "m")
    return net, torch.rand(3, 5, 2, 4, 4)


def sinabs_sequence() -> tuple[nn.Module, Tensor]:
    recurrent = sinabs.LIFRecurrent(tau_mem=5.0, rec_connect=nn.Linear(4, 4))
    return nn.Sequential(nn.Linear(6, 4), recurrent), torch.rand(2, 5, 6) * 9


def norse_sequence() -> tuple[nn.Module, Tensor]:
    return norse.SequentialState(nn.Linear(6, 4), norse.LIF()), torch.rand(5, 2, 6) * 9


CASES = (snntorch_steps, spikingjelly_sequence, sinabs_sequence, norse_sequence)


@pytest.mark.parametrize("build", CASES)
def test_operations_are_what_running_plain_functions_on_flags_gives(build: Any) -> None:
    torch.manual_seed(0)
    net, x = build()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Linear):
                module.weight[:, ::2] = 0
    inputs = Inputs(net)
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net(x)
    operations = recording.report().operations
    assert list(operations) == list(inputs.of)
    assert not operations.not_counted.keys() & inputs.of.keys()
    for name, seen in inputs.of.items():
        found = operations[name]
        expected = operations_of(net.get_submodule(name), seen)
        assert (found.acs, found.macs, found.dense) == expected
    assert operations.total.effective > 0


def test_per_sample_figures_are_of_sequences_not_of_steps() -> None:
    net, x = snntorch_steps()
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net(x)
    operations = recording.report().operations
    assert operations.per_sample["conv"].dense == operations["conv"].dense / 3
    assert operations.per_step["conv"].dense == operations["conv"].dense / 12


SPIKING: list[nn.Module] = [
    sinabs.IAFSqueeze(batch_size=2),
    neuron.ParametricLIFNode(),
    snntorch.Leaky(beta=0.9, learn_beta=True, learn_threshold=True, init_hidden=True),
]


@pytest.mark.parametrize("spiking", SPIKING, ids=lambda layer: type(layer).__name__)
def test_a_threshold_and_a_decay_are_no_weights(spiking: nn.Module) -> None:
    assert any(parameter.ndim == 0 for parameter in spiking.parameters())
    spiking.register_parameter("own", nn.Parameter(torch.rand(3)))
    found = connections_of(nn.Sequential(nn.Linear(3, 3), spiking)).not_counted
    kind = type(spiking).__name__
    assert found == {"1": f"operations of {kind} with its own are not counted"}


def test_one_number_that_a_model_multiplies_by_is_named() -> None:
    scaled = nn.Sequential(nn.Linear(3, 3))
    scaled.register_parameter("scale", nn.Parameter(torch.tensor(2.0)))
    found = connections_of(scaled).not_counted
    assert found == {"model": "operations of Sequential with its scale are not counted"}


def test_layers_that_standardise_their_weight_are_named() -> None:
    net = nn.Sequential(layer.WSConv2d(1, 2, 3), neuron.IFNode(), nn.Conv2d(2, 2, 1))
    with neuroact.record(net, operations=True) as recording:
        net(torch.ones(1, 1, 4, 4))
    operations = recording.report().operations
    assert list(operations) == ["2"]
    assert operations.not_counted["0"].startswith("operations of WSConv2d with its weight")

"""Synaptic operations in each framework, and beside NeuroBench's: equal where that is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import norse.torch as norse
import pytest
import sinabs.layers as sinabs
import snntorch
import torch
from neurobench.metrics.workload import SynapticOperations
from neurobench.models import TorchModel
from neurobench_cases import Batches, run
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn
from torch.nn.utils import prune

import neuroact


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


def test_layers_that_standardise_their_weight_are_named() -> None:
    net = nn.Sequential(layer.WSConv2d(1, 2, 3), neuron.IFNode(), nn.Conv2d(2, 2, 1))
    with neuroact.record(net, operations=True) as recording:
        net(torch.ones(1, 1, 4, 4))
    operations = recording.report().operations
    assert list(operations) == ["2"]
    assert operations.not_counted["0"].startswith("operations of WSConv2d with its weight")


KEYS = ("Effective_ACs", "Effective_MACs", "Dense")


def both(net: nn.Module, *inputs: Tensor) -> tuple[Any, Any]:
    """NeuroBench's figures and ours, per sample, of an ANN whose ReLUs are recorded."""
    net.eval()
    results = run(TorchModel(net), Batches(*inputs), SynapticOperations)
    with torch.no_grad(), neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        for x in inputs:
            net(x)
    total = recording.report().operations.per_sample.total
    ours = (total.acs, total.macs, total.dense)
    theirs = results["SynapticOperations"]
    return theirs and tuple(theirs[key] for key in KEYS), ours


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(36, 3),
        nn.ReLU(),
    )


def test_neurobenchs_figures_are_equal_where_they_are_right() -> None:
    net = small()
    with torch.no_grad():
        net[3].weight[:, ::2] = 0
    x = (torch.rand(5, 2, 6, 6) < 0.4).float()
    theirs, ours = both(net, x[:4], x[4:])
    assert theirs == pytest.approx(ours, rel=1e-12)
    assert ours[0] > 0
    assert ours[1] > 0


def test_the_split_does_not_depend_on_the_batch_as_neurobenchs_does() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    x = torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    (theirs_one, ours_one), (theirs_all, ours_all) = both(net, *x.split(1)), both(net, x)
    assert ours_one == ours_all == (15 / 4, 3 / 4, 6)
    assert theirs_one != theirs_all


class ByKeyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(4, 3), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.act(self.fc(input=x))
        return result


def pruned() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    mask = torch.tensor([[1, 1, 0, 0]] * 3)
    prune.custom_from_mask(net[0], "weight", mask)  # type: ignore[no-untyped-call]
    return net


@pytest.mark.parametrize(("build", "expected"), [(ByKeyword, (12, 0, 12)), (pruned, (6, 0, 12))])
def test_ours_is_right_where_neurobench_gives_nothing(build: Any, expected: Any) -> None:
    theirs, ours = both(build(), torch.ones(2, 4))
    assert ours == expected
    assert theirs == 0.0

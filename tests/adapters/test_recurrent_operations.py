"""Operations of the frameworks' recurrent layers are what they multiply while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import norse.torch as norse
import pytest
import sinabs.layers as sinabs
import snntorch
import torch
from norse.torch.module.conv import LConv2d
from pairs import Tally
from spikingjelly.activation_based import functional, layer, neuron, rnn
from torch import Tensor, nn

import neuroact

_linear = nn.functional.linear


@contextmanager
def multiplied(*weights: Tensor) -> Iterator[Tally]:
    """Looks at each pair that `torch.nn.functional.linear` makes of these weights."""
    tally = Tally()

    def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if any(weight is known for known in weights):
            for each in x.detach().reshape(-1, x.shape[-1]):
                tally.meet(each, weight)
        return _linear(x, weight, bias)

    with mock.patch("torch.nn.functional.linear", linear):
        yield tally


def some_zeros(module: nn.Module, names: tuple[str, ...]) -> None:
    with torch.no_grad():
        for name in names:
            weight = getattr(module, name)
            weight.mul_(torch.rand_like(weight) < 0.7).mul_(4)


OWN = ("input_weights", "recurrent_weights")
CELLS = [
    *("LIFRecurrentCell", "LIFRefracRecurrentCell", "LIFAdExRecurrentCell", "LIFExRecurrentCell"),
    *("LIFAdExRefracRecurrentCell", "LSNNRecurrentCell", "IzhikevichRecurrentCell"),
    *("LIFMCRecurrentCell", "LIFMCRefracRecurrentCell", "LILinearCell"),
]
MODULES = [
    *("LIFRecurrent", "LIFRefracRecurrent", "LIFAdExRecurrent", "LIFExRecurrent"),
    *("LIFAdExRefracRecurrent", "LSNNRecurrent", "IzhikevichRecurrent"),
]


def build(name: str, **options: Any) -> Any:
    cls = getattr(norse, name)
    if name.startswith("Izhikevich"):
        return cls(3, 4, norse.tonic_spiking, **options)
    return cls(3, 4, **options)


def of_norse(net: nn.Module, run: Callable[[], Any]) -> Any:
    with torch.no_grad(), neuroact.record(net, layers="0", operations=True) as recording:
        run()
    return recording.report().operations


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("carried", [True, False])
def test_a_cell_of_norse_counts_input_and_recurrent_weights(name: str, carried: bool) -> None:
    torch.manual_seed(0)
    cell = build(name)
    own = tuple(each for each in OWN if hasattr(cell, each))
    some_zeros(cell, own)
    x = (torch.rand(6, 2, 3) * 2.5).floor() * 20

    def run() -> None:
        state = None
        for step in x:
            _, left = cell(step, state)
            state = left if carried else None

    with multiplied(*(getattr(cell, each) for each in own)) as tally:
        operations = of_norse(nn.Sequential(cell), run)
    found = operations["0"]
    assert (found.acs, found.macs, found.dense) == tally.figures
    assert found.macs > 0
    # The coupling of compartments is a matrix of its own.
    named = {"0.g_coupling"} if "MC" in name else set()
    assert set(operations.not_counted) == named


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("record_states", [True, False])
def test_a_sequence_of_norse_counts_what_comes_back_a_step_later(
    name: str, record_states: bool
) -> None:
    torch.manual_seed(0)
    module = build(name, record_states=record_states)
    some_zeros(module, OWN)
    x = (torch.rand(2, 6, 2, 3) * 2.5).floor() * 20
    with multiplied(module.input_weights, module.recurrent_weights) as tally:

        def run() -> None:
            _, state = module(x[0])
            if record_states:
                state = type(state)(*(last_step(part) for part in state))
            module(x[1], state)

        operations = of_norse(nn.Sequential(module), run)
    found = operations["0"]
    assert (found.acs, found.macs, found.dense) == tally.figures
    assert not operations.not_counted


def last_step(part: Any) -> Any:
    return type(part)(*map(last_step, part)) if isinstance(part, tuple) else part[-1]


def test_spikes_come_back_in_norse_and_autapses_are_zero_weights() -> None:
    module = norse.LIFRecurrent(1, 2)
    nn.init.constant_(module.input_weights, 100.0)
    with torch.no_grad():
        module.recurrent_weights.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    with torch.no_grad(), neuroact.record(module, operations=True) as recording:
        spikes, _ = module(torch.ones(9, 1, 1))
    found = recording.report().operations["model"]
    came_back = int(spikes[:-1].sum())
    assert came_back > 0
    assert found.acs == 9 * 2 + came_back
    assert found.dense == 9 * (2 + 4)
    assert found.connections == 2 + 2


def test_a_conductance_based_cell_of_norse_counts_either_sign_of_a_weight_once() -> None:
    torch.manual_seed(0)
    cell = norse.CobaLIFCell(3, 4)
    x = (torch.rand(2, 3) < 0.5).float()
    operations = of_norse(nn.Sequential(cell), lambda: cell(x))
    assert operations["0"].acs == int(x.sum()) * 4
    assert operations["0"].dense == 2 * (3 * 4 + 4 * 4)


def test_a_convolution_of_norse_over_all_steps_counts_each_step() -> None:
    x = (torch.rand(3, 2, 1, 5, 5) < 0.5).float()
    long, short = LConv2d(1, 2, 3, padding=1), nn.Conv2d(1, 2, 3, padding=1)
    found = []
    for net, values in ((long, x), (short, x.flatten(0, 1))):
        holder = nn.ModuleDict({"conv": net, "act": nn.ReLU()})
        with torch.no_grad(), neuroact.record(holder, layers="act", operations=True) as recording:
            holder["act"](holder["conv"](values))
        layers = recording.report().operations["conv"]
        found.append((layers.acs, layers.dense, layers.observations))
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", [snntorch.RLeaky, snntorch.RSynaptic])
@pytest.mark.parametrize("learn", [True, False])
def test_factors_of_snntorchs_recurrence_have_a_fan_out_of_one(kind: Any, learn: bool) -> None:
    more = {"alpha": 0.5} if kind is snntorch.RSynaptic else {}
    lif = kind(beta=0.9, V=0.5, all_to_all=False, learn_recurrent=learn, init_hidden=True, **more)
    x = torch.rand(5, 2, 3) * 3
    with torch.no_grad(), neuroact.record(lif, operations=True) as recording:
        spikes = [lif(step) for step in x]
    operations = recording.report().operations
    found = operations["recurrent"]
    assert found.acs == int(sum(step.sum() for step in spikes[:-1])) > 0
    assert (found.macs, found.dense) == (0, 5 * 2 * 3)
    assert not operations.not_counted


def test_factors_per_neuron_of_snntorch_that_are_zero_are_skipped() -> None:
    factors = torch.tensor([0.5, 0.0, 0.2])
    lif = snntorch.RLeaky(beta=0.9, V=factors, all_to_all=False, init_hidden=True)
    with torch.no_grad(), neuroact.record(lif, operations=True) as recording:
        spikes = [lif(torch.full((2, 3), 3.0)) for _ in range(4)]
    found = recording.report().operations["recurrent"]
    assert found.acs == int(sum(step[:, [0, 2]].sum() for step in spikes[:-1])) > 0
    assert found.unpruned == int(sum(step.sum() for step in spikes[:-1]))


class Hooked:
    """What goes into each Linear, by torch's hooks, looked at pair by pair."""

    def __init__(self, net: nn.Module) -> None:
        self.of: dict[str, Tally] = {}
        for name, module in net.named_modules():
            if isinstance(module, nn.Linear):
                tally = self.of.setdefault(name, Tally())
                module.register_forward_pre_hook(
                    lambda module, args, tally=tally: (
                        [
                            tally.meet(each, module.weight)
                            for each in args[0].detach().reshape(-1, args[0].shape[-1])
                        ][:0]
                        or None
                    )
                )


def spiking_rnn(kind: Any) -> Callable[[], tuple[nn.Module, Tensor]]:
    def build() -> tuple[nn.Module, Tensor]:
        net = nn.Sequential(kind(4, 3, 1), neuron.IFNode(step_mode="m"))
        return FirstOutput(net), (torch.rand(5, 2, 4) * 2.2).floor()

    return build


class FirstOutput(nn.Module):
    """Runs an RNN of SpikingJelly, which returns its states too, and then a neuron."""

    def __init__(self, net: nn.Sequential) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> None:
        out, _ = self.net[0](x)
        self.net[1](out)


def container(step_mode: str) -> Callable[[], tuple[nn.Module, Tensor]]:
    def build() -> tuple[nn.Module, Tensor]:
        net = layer.LinearRecurrentContainer(
            neuron.IFNode(v_threshold=0.3), in_features=4, out_features=4, step_mode=step_mode
        )
        x = (torch.rand(5, 2, 4) * 2.2).floor()
        if step_mode == "m":
            return net, x
        return Stepped(net), x

    return build


class Stepped(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> None:
        for step in x:
            self.net(step)


def linears(step_mode: str) -> Callable[[], tuple[nn.Module, Tensor]]:
    def build() -> tuple[nn.Module, Tensor]:
        net = nn.Sequential(layer.Linear(4, 3), neuron.IFNode(), layer.Linear(3, 2))
        functional.set_step_mode(net, step_mode)
        x = (torch.rand(5, 2, 4) * 2.2).floor()
        return (net, x) if step_mode == "m" else (Stepped(net), x)

    return build


def sinabs_recurrent() -> tuple[nn.Module, Tensor]:
    recurrent = sinabs.LIFRecurrent(tau_mem=5.0, rec_connect=nn.Linear(4, 4))
    return recurrent, (torch.rand(2, 5, 4) * 9).floor()


CASES = {
    "spikingjelly LSTM": spiking_rnn(rnn.SpikingLSTM),
    "spikingjelly vanilla": spiking_rnn(rnn.SpikingVanillaRNN),
    "spikingjelly GRU": spiking_rnn(rnn.SpikingGRU),
    "spikingjelly container, steps": container("s"),
    "spikingjelly container, sequence": container("m"),
    "spikingjelly layers, steps": linears("s"),
    "spikingjelly layers, sequence": linears("m"),
    "sinabs": sinabs_recurrent,
}


@pytest.mark.parametrize("case", CASES)
def test_children_of_recurrent_layers_count_what_torchs_hooks_see(case: str) -> None:
    torch.manual_seed(0)
    net, x = CASES[case]()
    hooked = Hooked(net)
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net(x)
    operations = recording.report().operations
    found = {name: (each.acs, each.macs, each.dense) for name, each in operations.items()}
    assert found == {name: tally.figures for name, tally in hooked.of.items()}
    assert operations.total.effective > 0


def test_slstm_of_snntorch_counts_the_cell_within_it() -> None:
    net = snntorch.SLSTM(4, 4, init_hidden=True, threshold=0.01)
    cell = net.lstm_cell
    seen: list[tuple[Tensor, Tensor]] = []
    cell.register_forward_pre_hook(lambda _, args: seen.append((+args[0], +args[1][0])))
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        for step in (torch.rand(4, 2, 4) * 2.2).floor():
            net(step)
    tally = Tally()
    for x, hidden in seen:
        for each, before in zip(x, hidden, strict=True):
            tally.meet(each, cell.weight_ih)
            tally.meet(before, cell.weight_hh)
    found = recording.report().operations["lstm_cell"]
    assert (found.acs, found.macs, found.dense) == tally.figures
    assert found.acs > 0


def test_sconv2dlstm_of_snntorch_counts_the_convolution_within_it() -> None:
    net = snntorch.SConv2dLSTM(1, 2, 3, init_hidden=True)
    seen: list[Tensor] = []
    net.conv.register_forward_pre_hook(lambda _, args: seen.append(+args[0]))
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        for step in (torch.rand(3, 2, 1, 4, 4) * 2.2).floor():
            net(step)
    found = recording.report().operations["conv"]
    ones = torch.ones_like(net.conv.weight)
    for figure, flags in (
        (found.acs, [x.abs() == 1 for x in seen]),
        (found.macs, [(x != 0) & (x.abs() != 1) for x in seen]),
        (found.dense, [torch.ones_like(x) for x in seen]),
    ):
        pairs = nn.functional.conv2d(torch.cat(flags).float(), ones, padding=net.conv.padding)
        assert figure == int(pairs.sum())


def test_products_within_spikingjellys_attention_are_named() -> None:
    net = layer.SpikeDrivenSelfAttention(16, 4, spiking_neuron=neuron.LIFNode)
    functional.set_step_mode(net, "m")
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net(torch.rand(2, 1, 16, 4, 4))
    operations = recording.report().operations
    assert "cannot be seen" in operations.not_counted["model.products"]

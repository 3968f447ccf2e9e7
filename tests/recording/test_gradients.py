"""`of="grad"`: the gradient at a layer's output, in every backward pass."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from toy import Net, Neuron, ToyAdapter

import neuroact
from neuroact import Recording
from neuroact.errors import AdapterReadError, NothingRecordedError, StatisticKindError


class RawGradients:
    """An oracle: keeps the gradient of every output of a module, by hooks of its own."""

    def __init__(self, module: nn.Module) -> None:
        self.kept: list[Tensor] = []
        module.register_forward_hook(self._called)

    def _called(self, module: nn.Module, args: Any, output: Any) -> None:
        values = output[0] if isinstance(output, tuple) else output
        if values.requires_grad:
            values.register_hook(lambda gradient: self.kept.append(gradient.clone()))

    def total(self) -> NDArray[np.float64]:
        """Sum of the gradients per neuron."""
        found: NDArray[np.float64] = torch.cat(self.kept).double().sum(0).numpy()
        return found


class Smooth(nn.Module):
    """A layer with gradients: the toy's neurons have none."""

    def forward(self, x: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mem = x if mem is None else mem * 0.5 + x
        return mem.tanh(), mem


class SmoothAdapter:
    """Reads it: the state is passed."""

    framework = "toy"

    def kind(self, module: nn.Module) -> Any:
        return neuroact.SignalKind.GRADED if isinstance(module, Smooth) else None

    def read(self, module: nn.Module, call: neuroact.LayerCall) -> neuroact.SpikeChunk:
        starts = call.starts_sequence(given=call.argument(1, "mem"), left=call.output[1])
        return neuroact.SpikeChunk.of_step(
            call.output[0], neuroact.SignalKind.GRADED, starts_sequence=starts
        )


class Recurrent(nn.Module):
    """Runs the layer over `[time, batch, inputs]`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc, self.neurons, self.out = nn.Linear(5, 7), Smooth(), nn.Linear(7, 2)

    def part(self, current: Tensor, mem: Tensor | None) -> tuple[Tensor, Tensor]:
        values, mem = self.neurons(self.fc(current), mem)
        return self.out(values), mem

    def forward(self, x: Tensor) -> Tensor:
        mem, outs = None, []
        for current in x:
            out, mem = self.part(current, mem)
            outs.append(out)
        return torch.stack(outs)


class Checkpointed(Recurrent):
    """Each step is checkpointed."""

    reentrant = True

    def forward(self, x: Tensor) -> Tensor:
        mem, outs = x.new_zeros(x.shape[1], 7), []
        for current in x:
            out, mem = checkpoint(self.part, current, mem, use_reentrant=self.reentrant)
            outs.append(out)
        return torch.stack(outs)


def record(net: nn.Module, **options: Any) -> Recording:
    return neuroact.record(net, of="grad", adapters=[SmoothAdapter()], **options)


def whole(net: nn.Module, x: Tensor) -> None:
    net(x).square().sum().backward()


def twice_through_one_graph(net: nn.Module, x: Tensor) -> None:
    loss = net(x).square().sum()
    loss.backward(retain_graph=True)
    loss.backward()


def truncated(net: Any, x: Tensor) -> None:
    mem = None
    for part in x.split(3):
        loss = torch.zeros(())
        for current in part:
            out, mem = net.part(current, mem)
            loss = loss + out.square().sum()
        loss.backward()
        mem = mem.detach()


def by_autograd_grad(net: nn.Module, x: Tensor) -> None:
    torch.autograd.grad(net(x).square().sum(), list(net.parameters()))


@pytest.mark.parametrize(
    ("train", "passes"),
    [(whole, 1), (twice_through_one_graph, 2), (truncated, 3), (by_autograd_grad, 1)],
)
def test_gradients_are_those_that_the_graph_has_in_each_backward_pass(
    train: Callable[[nn.Module, Tensor], None], passes: int
) -> None:
    net, x = Recurrent(), torch.randn(9, 4, 5)
    raw = RawGradients(net.neurons)
    with record(net) as recording:
        train(net, x)
    layer = recording.report()["neurons"]
    assert layer.observations == sum(map(len, raw.kept))
    assert layer.sequences == passes * 4
    assert np.allclose(layer.total, raw.total(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpointed_pass_has_the_gradients_of_a_plain_one(reentrant: bool) -> None:
    x = torch.randn(6, 4, 5)
    plain, net = Recurrent(), Checkpointed()
    net.reentrant = reentrant
    x.requires_grad_()  # else a reentrant checkpoint has no gradients
    reports = []
    for model in (plain, net):
        with record(model) as recording:
            model(x).square().sum().backward()
        reports.append(recording.report()["neurons"])
    ours, theirs = reports
    assert (ours.observations, ours.sequences) == (theirs.observations, theirs.sequences) == (24, 4)
    assert np.allclose(ours.total, theirs.total, rtol=1e-5)


@pytest.mark.parametrize("train", [whole, twice_through_one_graph, truncated, by_autograd_grad])
def test_the_models_gradients_stay_the_same_to_the_bit(train: Any) -> None:
    x = torch.randn(9, 4, 5)
    bare, net = Recurrent(), Recurrent()
    train(bare, x)
    with record(net):
        train(net, x)
    for ours, theirs in zip(net.parameters(), bare.parameters(), strict=True):
        assert (ours.grad is None) is (theirs.grad is None)
        assert ours.grad is None or torch.equal(ours.grad, theirs.grad)


class Kept(neuroact.Firing):
    """A statistic of the user's own: keeps the values."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[float] = []

    def update(self, chunk: neuroact.SpikeChunk) -> None:
        super().update(chunk)
        self.kept += chunk.values.flatten().tolist()

    def count(self, block: Any) -> None:
        self.update(block.chunk())

    def result(self) -> Any:
        return self.kept


def test_steps_come_in_the_order_of_the_backward_pass() -> None:
    layer = nn.Identity()
    options: Any = {"layers": "model", "axes": "TBN", "statistics": Kept}
    with neuroact.record(layer, of="grad", **options) as recording:
        weights = torch.arange(1.0, 4.0).reshape(3, 1, 1)
        (layer(torch.zeros(3, 1, 1, requires_grad=True)) * weights).sum().backward()
    assert recording.report()["model"][Kept] == [3, 2, 1]


def test_nothing_keeps_the_graph_alive() -> None:
    net = Recurrent()
    with record(net) as recording:
        out = net(torch.randn(9, 4, 5))
        alive = weakref.ref(out)
        out.sum().backward()
        del out
        gc.collect()
        assert alive() is None
    assert recording.report()["neurons"].observations == 36


def test_after_the_recording_is_closed_a_backward_pass_counts_no_more() -> None:
    net = Recurrent()
    with record(net) as recording:
        loss = net(torch.randn(9, 4, 5)).sum()
        loss.backward(retain_graph=True)
    loss.backward()
    assert recording.report()["neurons"].observations == 36


def test_without_a_backward_pass_nothing_was_recorded_and_the_error_says_so() -> None:
    net = Recurrent()
    with record(net) as recording, torch.no_grad():
        net(torch.randn(9, 4, 5))
    with pytest.raises(NothingRecordedError, match="backward pass"):
        recording.report()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's
def test_a_compiled_model_is_read_outside_of_its_program() -> None:
    net, x = Recurrent(), torch.randn(9, 4, 5)
    with record(net) as recording:
        whole(net, x)
        expected = recording.report()["neurons"].total
        recording.reset()
        whole(torch.compile(net, backend="eager"), x)
    layer = recording.report()["neurons"]
    assert np.allclose(layer.total, expected, rtol=1e-5)
    assert (layer.observations, layer.sequences) == (36, 4)


def test_two_recordings_see_values_and_gradients_of_the_same_calls() -> None:
    net = Recurrent()
    with (
        record(net) as gradients,
        neuroact.record(net, adapters=[SmoothAdapter()]) as values,
    ):
        whole(net, torch.randn(9, 4, 5))
    assert gradients.report()["neurons"].observations == 36
    assert values.report()["neurons"].observations == 36


def test_a_spike_statistic_is_refused() -> None:
    with pytest.raises(StatisticKindError, match="neurons"):
        record(Recurrent(), statistics="SpikeCounts")


def test_padding_is_refused_since_steps_come_backwards() -> None:
    with record(Recurrent()) as recording, pytest.raises(ValueError, match=r'of="grad"'):
        recording.batch(lengths=[1, 2])


class Pair(nn.Module):
    """A module that no adapter knows, and that returns two tensors."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, x


def test_an_output_whose_gradient_cannot_be_found_is_refused_by_its_name() -> None:
    net = nn.Sequential(Pair())
    with (
        neuroact.record(net, layers="0", of="grad"),
        pytest.raises(AdapterReadError, match=r'layer "0".*gradient|gradient.*layer "0"'),
    ):
        net(torch.ones(2, 3, requires_grad=True))


def test_a_state_of_a_framework_that_has_none_is_refused() -> None:
    with pytest.raises(neuroact.errors.NoSuchStateError, match=r'"lif1".*of="mem"'):
        neuroact.record(Net(), of="mem", adapters=[ToyAdapter()])


class Own(nn.Module):
    """A neuron that no adapter knows, which keeps its membrane potential."""

    def __init__(self) -> None:
        super().__init__()
        self.mem = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        self.mem = self.mem * 0.5 + x
        return (self.mem > 1).float()


def test_an_attribute_of_any_module_is_read_after_each_call() -> None:
    net, kept = nn.Sequential(Own()), []
    net[0].register_forward_hook(lambda module, args, output: kept.append(module.mem.clone()))
    with neuroact.record(net, layers="0", of="mem") as recording:
        for _ in range(4):
            net(torch.rand(2, 3))
    layer = recording.report()["0"]
    assert layer.observations == 8
    expected = torch.cat(kept).double().sum(0).numpy()
    assert np.allclose(layer.total, expected, rtol=1e-12)


class PassesOn(nn.Module):
    """Returns its spikes, as a tensor without its axes, and its state, which it also keeps."""

    def forward(self, x: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.mem = x if mem is None else 0.5 * mem + x
        return (self.mem > 1).flatten(), self.mem


def test_an_attributes_sequences_start_by_the_state_alone_whatever_else_is_returned() -> None:
    net = nn.Sequential(PassesOn())
    reading = neuroact.Reading(axes="BN", state=1)
    with neuroact.record(net, layers={"0": reading}, of="mem") as recording:
        for _ in range(2):
            mem = None
            for _ in range(3):
                _, mem = net[0](torch.rand(4, 5), mem)
    layer = recording.report()["0"]
    assert (layer.observations, layer.sequences) == (24, 8)


@pytest.mark.parametrize("of", ["", "two words", 3, None])
def test_what_cannot_name_a_state_is_refused_in_one_sentence(of: Any) -> None:
    with pytest.raises(ValueError, match="expected of="):
        neuroact.record(nn.Sequential(Neuron()), layers="0", of=of)


def test_an_attribute_that_is_no_tensor_is_refused_by_the_layers_name() -> None:
    net = nn.Sequential(nn.ReLU())
    with (
        neuroact.record(net, layers="0", of="mem"),
        pytest.raises(AdapterReadError, match="attribute 'mem'"),
    ):
        net(torch.ones(2, 3))

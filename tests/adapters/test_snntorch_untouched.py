"""snnTorch: a recorded model computes what it computed before, and no trace is left on it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import snntorch as snn
import torch
from snntorch import utils
from snntorch_cases import SEQUENCE_CASES, STEP_CASES, STEPS, SequenceCase, StepCase, currents
from snntorch_styles import STYLES, Style
from torch import Tensor, nn

import neuroact


def noisy(x: Tensor) -> Tensor:
    """A stochastic spike function: one random number more or less would change all that follow."""
    return (torch.rand_like(x) < torch.sigmoid(4 * x)).float() + (x - x.detach())


class Net(nn.Module):
    """Neurons that keep their state and neurons whose state is passed; one is stochastic."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 6)
        self.hidden = snn.Leaky(torch.rand(6), learn_beta=True, init_hidden=True)
        self.recurrent = snn.RSynaptic(0.5, 0.6, threshold=2.0, linear_features=6)
        self.noisy = snn.Leaky(0.9, spike_grad=noisy, init_hidden=True, output=True)
        self.lstm = snn.SLSTM(6, 4, threshold=0.05, init_hidden=True)

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self)
        state = self.recurrent.reset_mem()
        out = []
        for current in x:
            spikes, *state = self.recurrent(self.hidden(self.fc(current)), *state)
            out.append(self.lstm(self.noisy(spikes)[0]))
        return torch.stack(out)


@pytest.fixture(autouse=True)
def forget_instances() -> Iterator[None]:
    """`utils.reset` resets every neuron ever built, those of other tests too."""
    snn.SpikingNeuron.instances.clear()
    yield
    snn.SpikingNeuron.instances.clear()


def traces(model: nn.Module) -> list[Any]:
    """Everything about a model's modules that a recording could change."""
    return [
        (
            sorted(vars(module)),
            {k: len(v) for k, v in vars(module).items() if "hooks" in k and v is not None},
            [name for name, _ in module.named_buffers(recurse=False)],
            module.training,
        )
        for module in model.modules()
    ]


def computed(record: Callable[[nn.Module], AbstractContextManager[Any]]) -> list[Tensor]:
    """Outputs, gradients, buffers and the next random numbers, of three training steps."""
    torch.manual_seed(7)
    snn.SpikingNeuron.instances.clear()
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    found = []
    with record(net):
        for _ in range(3):
            optimizer.zero_grad()
            out = net(torch.randn(STEPS, 3, 5))
            out.sum().backward()
            found += [out.detach(), *(p.grad for p in net.parameters() if p.grad is not None)]
            optimizer.step()
    return [*found, *net.parameters(), *net.buffers(), torch.get_rng_state()]


def test_outputs_gradients_buffers_and_random_state_are_those_without_recording() -> None:
    plain = computed(lambda net: nullcontext())
    recorded = computed(neuroact.record)
    assert len(plain) > 20
    assert all(a.equal(b) for a, b in zip(plain, recorded, strict=True))


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_on_the_model(fails: bool) -> None:
    """Also if the loop raises inside the block; what was counted until then stays."""
    net = Net()
    net(torch.randn(STEPS, 3, 5))  # snnTorch adds attributes of its own in the first call
    before, random = traces(net), torch.get_rng_state()
    error: Any = pytest.raises(ZeroDivisionError) if fails else nullcontext()
    with error, neuroact.record(net) as recording:
        assert torch.get_rng_state().equal(random)
        net(torch.randn(STEPS, 3, 5))
        if fails:
            raise ZeroDivisionError
    assert traces(net) == before
    assert recording.report()["lstm"].observations == 3 * STEPS


def test_a_call_that_fails_in_the_framework_counts_nothing_and_the_next_one_is_right() -> None:
    layer = snn.Leaky(0.9, init_hidden=True)
    with neuroact.record(nn.Sequential(layer)) as recording:
        layer(torch.randn(3, 5))
        with pytest.raises(TypeError, match="should not be passed"):
            layer(torch.randn(3, 5), torch.zeros(3, 5))
        layer(torch.randn(3, 5))
    activity = recording.report()["0"]
    # snnTorch stores the state before it refuses it, so the next call starts a new sequence.
    assert (activity.observations, activity.sequences) == (6, 6)


def states(layer: nn.Module) -> list[Tensor]:
    held = [getattr(layer, name, None) for name in ("spk", "syn", "syn_exc", "syn_inh", "mem")]
    return [state for state in held if isinstance(state, Tensor)]


@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize("case", STEP_CASES.values(), ids=STEP_CASES.keys())
def test_every_step_class_computes_the_same(case: StepCase, style: Style) -> None:
    def run(record: Callable[[nn.Module], AbstractContextManager[Any]]) -> list[Tensor]:
        torch.manual_seed(2)
        layer = style.build(case)
        found = []
        with record(nn.Sequential(layer)):
            passed = style.fresh(layer, case)
            for each in currents(case, 3):
                spikes, passed = style.step(layer, case, each, passed)
                found += [spikes, *states(layer)]
        return found

    plain, recorded = run(lambda net: nullcontext()), run(neuroact.record)
    assert all(a.equal(b) for a, b in zip(plain, recorded, strict=True))


@pytest.mark.parametrize("case", SEQUENCE_CASES.values(), ids=SEQUENCE_CASES.keys())
def test_every_sequence_class_computes_the_same(case: SequenceCase) -> None:
    layer = case.build()
    x = torch.randn(7, 3, case.inputs)
    plain = layer(x)
    with neuroact.record(nn.Sequential(layer)):
        recorded = layer(x)
    assert type(plain) is type(recorded)
    assert case.spikes(plain).equal(case.spikes(recorded))


def test_a_copy_made_while_recording_does_not_report_into_the_recording() -> None:
    net = nn.Sequential(snn.Leaky(0.9, init_hidden=True), snn.Synaptic(0.5, 0.6))
    x = torch.randn(3, 5)
    with neuroact.record(net) as recording:
        with torch.no_grad():
            net(x)
        twin = copy.deepcopy(net)
        twin(x)
        with neuroact.record(twin) as other:
            twin(x)
        with torch.no_grad():
            net(x)
    assert [layer.observations for layer in recording.report().values()] == [6, 6]
    assert [layer.sequences for layer in recording.report().values()] == [3, 3]
    assert [layer.observations for layer in other.report().values()] == [3, 3]

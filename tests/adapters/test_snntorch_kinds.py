"""snnTorch: a neuron's class, options and spike function tell what its values mean."""

from __future__ import annotations

import gc
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import snntorch as snn
import torch
from raw import RawCalls, assert_true_figures
from snntorch import surrogate
from snntorch_cases import STEP_CASES, StepCase
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import NeuroactWarning, NoSpikingLayersError
from neuroact_adapters.snntorch import SnnTorchAdapter

BINARY, GRADED, ANALOG = SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG

Build = Callable[[], nn.Module]


def has(name: str) -> bool:
    return hasattr(snn, name)


def levels(layer: nn.Module) -> set[float]:
    """The values a layer emits for inputs of both signs: 12 steps, or a sequence of 12."""
    torch.manual_seed(0)
    x = torch.randn(12, 4, 5) + 0.5
    adapter = SnnTorchAdapter()
    outputs = [layer(x)] if adapter.input_axes(layer) == "TBN" else [layer(each) for each in x]
    spikes = [output[0] if isinstance(output, tuple) else output for output in outputs]
    return set(torch.cat(spikes).flatten().tolist())


def sigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(x)


def steep_sigmoid(x: Tensor) -> Tensor:
    return torch.sigmoid(1000 * x)


def ternary(x: Tensor) -> Tensor:
    return (x > 0).float() - (x < -1).float()


def multi_spike(x: Tensor) -> Tensor:
    return x.clamp(min=0).ceil()


def half(x: Tensor) -> Tensor:
    return 0.5 * (x > 0).float()


def stochastic(x: Tensor) -> Tensor:
    return (torch.rand_like(x) < torch.sigmoid(x)).float()


def _quietly(build: Build) -> nn.Module:
    """Some options make snnTorch warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build()


def scaled(layer: Any, factor: float) -> nn.Module:
    """A class whose constructor takes no factor, but whose spikes are scaled."""
    layer.graded_spikes_factor.fill_(factor)
    module: nn.Module = layer
    return module


KINDS: dict[str, tuple[SignalKind, Build, set[float] | None]] = {
    "plain": (BINARY, lambda: snn.Leaky(0.9), {0.0, 1.0}),
    "learnable beta and threshold": (
        BINARY,
        lambda: snn.Leaky(torch.rand(5), learn_beta=True, learn_threshold=True),
        {0.0, 1.0},
    ),
    "surrogate_disable": (BINARY, lambda: snn.Leaky(0.9, surrogate_disable=True), {0.0, 1.0}),
    "state_quant": (BINARY, lambda: snn.Leaky(0.9, state_quant=torch.round), {0.0, 1.0}),
    "factor 1": (BINARY, lambda: snn.Leaky(0.9, graded_spikes_factor=1), {0.0, 1.0}),
    "factor 0.5": (GRADED, lambda: snn.Leaky(0.9, graded_spikes_factor=0.5), {0.0, 0.5}),
    "factor -1": (GRADED, lambda: snn.Leaky(0.9, graded_spikes_factor=-1.0), {0.0, -1.0}),
    "factor 0": (GRADED, lambda: snn.Leaky(0.9, graded_spikes_factor=0.0), {0.0}),
    "factor a neuron": (
        GRADED,
        lambda: snn.Leaky(0.9, graded_spikes_factor=torch.tensor([1.0, 2.0, 1.0, 1.0, 4.0])),
        {0.0, 1.0, 2.0, 4.0},
    ),
    "factor of 1 a neuron": (
        GRADED,
        lambda: snn.Leaky(0.9, graded_spikes_factor=torch.ones(5)),
        {0.0, 1.0},
    ),
    "factor of 1 in a list": (
        BINARY,
        lambda: snn.Leaky(0.9, graded_spikes_factor=torch.ones(1)),
        {0.0, 1.0},
    ),
    "learnable factor of 1": (
        GRADED,
        lambda: snn.Leaky(0.9, learn_graded_spikes_factor=True),
        {0.0, 1.0},
    ),
    "factor set later": (GRADED, lambda: scaled(snn.Synaptic(0.5, 0.5), 2.0), {0.0, 2.0}),
    "inhibition": (
        BINARY,
        lambda: _quietly(lambda: snn.Leaky(0.9, inhibition=True)),
        {0.0, 1.0},
    ),
    "inhibition leaves the factor out": (
        BINARY,
        lambda: _quietly(
            lambda: snn.Leaky(
                0.9, inhibition=True, graded_spikes_factor=0.5, learn_graded_spikes_factor=True
            )
        ),
        {0.0, 1.0},
    ),
    "SLSTM ignores inhibition": (
        GRADED,
        lambda: scaled(_quietly(lambda: snn.SLSTM(5, 5, threshold=0.1, inhibition=True)), 3.0),
        {0.0, 3.0},
    ),
    "LeakyParallel with a factor": (
        GRADED,
        lambda: snn.LeakyParallel(5, 4, threshold=0.3, graded_spikes_factor=2.0),
        {0.0, 2.0},
    ),
    "snnTorch's sigmoid": (
        BINARY,
        lambda: snn.Leaky(0.9, spike_grad=surrogate.sigmoid()),
        {0.0, 1.0},
    ),
    "ternary": (GRADED, lambda: snn.Leaky(0.9, spike_grad=ternary), {-1.0, 0.0, 1.0}),
    "many whole levels": (GRADED, lambda: snn.Leaky(1.0, spike_grad=multi_spike), None),
    "half a spike": (GRADED, lambda: snn.Leaky(0.9, spike_grad=half), {0.0, 0.5}),
    "stochastic": (BINARY, lambda: snn.Leaky(0.9, spike_grad=stochastic), {0.0, 1.0}),
    "continuous": (ANALOG, lambda: snn.Leaky(0.9, spike_grad=sigmoid), None),
    "continuous and steep": (ANALOG, lambda: snn.Leaky(0.9, spike_grad=steep_sigmoid), None),
    "continuous above zero": (ANALOG, lambda: snn.Leaky(0.9, spike_grad=torch.relu), None),
    "continuous and clipped": (
        ANALOG,
        lambda: snn.Leaky(0.9, spike_grad=lambda x: x.clamp(0, 1)),
        None,
    ),
    "continuous, a module": (ANALOG, lambda: snn.Leaky(0.9, spike_grad=nn.Sigmoid()), None),
    "continuous and scaled": (
        ANALOG,
        lambda: snn.Leaky(0.9, spike_grad=sigmoid, graded_spikes_factor=2.0),
        None,
    ),
}
if has("DeltaLeaky"):
    KINDS["DeltaLeaky ignores factor and inhibition"] = (
        BINARY,
        lambda: _quietly(
            lambda: snn.DeltaLeaky(
                beta=0.9, init_hidden=True, graded_spikes_factor=2.0, inhibition=True
            )
        ),
        {0.0, 1.0},
    )
if has("StateLeaky"):
    KINDS |= {
        "StateLeaky": (BINARY, lambda: snn.StateLeaky(0.5, 5), {0.0, 1.0}),
        "StateLeaky squares the factor": (
            GRADED,
            lambda: snn.StateLeaky(0.5, 5, graded_spikes_factor=3.0),
            {0.0, 9.0},
        ),
        "StateLeaky squares a factor of -1": (
            BINARY,
            lambda: snn.StateLeaky(0.5, 5, graded_spikes_factor=-1.0),
            {0.0, 1.0},
        ),
        "StateLeaky without spikes": (ANALOG, lambda: snn.StateLeaky(0.5, 5, output=False), None),
        "LinearLeaky squares the factor": (
            GRADED,
            lambda: snn.LinearLeaky(0.5, 5, 4, threshold=0.1, graded_spikes_factor=3.0),
            {0.0, 9.0},
        ),
        "LinearLeaky squares a factor of -1": (
            BINARY,
            lambda: snn.LinearLeaky(0.5, 5, 4, threshold=0.1, graded_spikes_factor=-1.0),
            {0.0, 1.0},
        ),
        "LinearLeaky without spikes": (
            ANALOG,
            lambda: snn.LinearLeaky(0.5, 5, 4, output=False),
            None,
        ),
    }
if has("AssociativeLeaky"):
    KINDS |= {
        "AssociativeLeaky": (ANALOG, lambda: snn.AssociativeLeaky(5, 2, 2, 4), None),
        "AssociativeLeaky without projection": (
            BINARY,
            lambda: _easily(snn.AssociativeLeaky(5, 2, 2, 4, use_q_projection=False)),
            {0.0, 1.0},
        ),
    }


def _easily(layer: Any) -> nn.Module:
    layer.threshold.fill_(0.1)
    module: nn.Module = layer
    return module


every_kind = pytest.mark.parametrize(
    ("kind", "build", "expected"), KINDS.values(), ids=KINDS.keys()
)


@every_kind
def test_the_kind_is_what_the_layer_emits(
    kind: SignalKind, build: Build, expected: set[float] | None
) -> None:
    layer = build()
    assert SnnTorchAdapter().kind(layer) is kind
    emitted = levels(layer)
    if expected is None:
        assert len(emitted) > 2
        assert kind is GRADED or any(not value.is_integer() for value in emitted)
    else:
        assert emitted == expected


@pytest.mark.parametrize("inhibition", [False, True])
@pytest.mark.parametrize(
    "case",
    [case for case in STEP_CASES.values() if case.inputs == (5,)],
    ids=[name for name, case in STEP_CASES.items() if case.inputs == (5,)],
)
def test_which_classes_scale_their_spikes_and_which_do_so_under_inhibition(
    case: StepCase, inhibition: bool
) -> None:
    layer = scaled(_quietly(lambda: case.build(init_hidden=True, inhibition=inhibition)), 3.0)
    scales = case.cls != "DeltaLeaky" and (not inhibition or case.cls == "SLSTM")
    assert levels(layer) == ({0.0, 3.0} if scales else {0.0, 1.0})
    assert SnnTorchAdapter().kind(layer) is (GRADED if scales else BINARY)


@pytest.mark.parametrize(
    "build",
    [build for kind, build, _ in KINDS.values() if kind is not ANALOG],
    ids=[name for name, (kind, *_) in KINDS.items() if kind is not ANALOG],
)
def test_figures_of_scaled_and_odd_spikes_equal_numpy(build: Build) -> None:
    layer = build()
    raw = RawCalls(layer)
    with neuroact.record(nn.Sequential(layer)) as recording:
        levels(layer)
    activity = recording.report()["0"]
    sequence = SnnTorchAdapter().input_axes(layer) == "TBN"
    values = raw.values(lambda out: out[0] if isinstance(out, tuple) else out, sequence=sequence)
    assert_true_figures(activity, values, sequences=4)


@pytest.mark.parametrize(
    "build",
    [build for kind, build, _ in KINDS.values() if kind is ANALOG],
    ids=[name for name, (kind, *_) in KINDS.items() if kind is ANALOG],
)
def test_real_values_are_recorded_only_when_named(build: Build) -> None:
    layer = build()
    net = nn.Sequential(layer)
    with pytest.raises(NoSpikingLayersError, match="emit real values or encode data: 0"):
        neuroact.record(net)
    raw = RawCalls(layer)
    with neuroact.record(net, layers="0") as recording:
        levels(layer)
    activity = recording.report()["0"]
    sequence = SnnTorchAdapter().input_axes(layer) == "TBN"
    values = raw.values(lambda out: out[0] if isinstance(out, tuple) else out, sequence=sequence)
    np.testing.assert_allclose(activity.total, values.sum(0), rtol=1e-12)
    np.testing.assert_array_equal(activity.events, np.count_nonzero(values, axis=0))
    assert (activity.kind, activity.sequences) == (ANALOG, 4)


@pytest.mark.parametrize(
    "module",
    [
        snn.SpikingNeuron(),
        snn.GradedSpikes(3, 1.0),
        snn.RLeaky(0.9, all_to_all=False).recurrent,
        snn.RLeaky(0.9, linear_features=3).recurrent,
        snn.BatchNormTT1d(3, 2),
        nn.Linear(2, 2),
        nn.Sequential(snn.Leaky(0.9)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_what_is_no_neuron_is_no_layer(module: Any) -> None:
    assert SnnTorchAdapter().kind(module) is None


class Unheard(snn.LIF):  # type: ignore[misc]  # snnTorch carries no types
    """A user's neuron that derives from snnTorch's base class; its outputs are unknown."""

    def forward(self, input_: Tensor) -> Tensor:
        return input_


def test_a_neuron_of_an_unknown_class_is_left_out_with_a_warning() -> None:
    with (
        pytest.warns(NeuroactWarning, match=r"Unheard is a SpikingNeuron .* does not know"),
        neuroact.record(nn.Sequential(snn.Leaky(0.9), Unheard(0.9))) as recording,
    ):
        assert list(recording.layers) == ["0"]


class Leaky(nn.Module):
    """Has the name of a snnTorch class, but is not one."""


class Synaptic(snn.Leaky):  # type: ignore[misc]  # snnTorch carries no types
    """A Leaky, although its name says otherwise."""


class LIF(snn.SpikingNeuron):  # type: ignore[misc]  # snnTorch carries no types
    """Not the abstract base of that name."""


def test_only_snntorchs_own_names_count() -> None:
    adapter = SnnTorchAdapter()
    assert adapter.kind(Leaky()) is None
    with pytest.warns(NeuroactWarning, match="LIF is a SpikingNeuron"):
        assert adapter.kind(LIF()) is None
    state = adapter.state(Synaptic(0.9))
    assert state is not None
    assert len(state) == 1


class Counting(nn.Module):
    """A spike function that shows whether it was run."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.mean += x.mean()
        return (x > self.mean).float()


def test_finding_the_kind_leaves_no_trace() -> None:
    counting = Counting()
    slope = nn.Parameter(torch.ones(()))
    seen: list[Any] = []
    counting.register_forward_hook(lambda *args: seen.append(args))
    layers = [
        snn.Leaky(0.9, spike_grad=counting),
        snn.Leaky(0.9, spike_grad=stochastic),
        snn.Leaky(0.9, spike_grad=lambda x: torch.sigmoid(slope * x)),
    ]
    before = torch.get_rng_state(), random.getstate()
    kinds = [SnnTorchAdapter().kind(layer) for layer in layers]
    assert kinds == [BINARY, BINARY, ANALOG]
    assert torch.get_rng_state().equal(before[0])
    assert random.getstate() == before[1]
    assert (counting.calls, counting.mean.item(), seen) == (0, 0.0, [])
    assert slope.grad is None


def test_a_spike_function_that_cannot_be_probed_counts_as_binary_and_is_tested_when_run() -> None:
    gain = torch.full((5,), 0.5)
    layer = snn.Leaky(0.9, spike_grad=lambda x: gain * (x > 0))
    assert SnnTorchAdapter().kind(layer) is BINARY
    with neuroact.record(nn.Sequential(layer)) as recording:
        levels(layer)
    with pytest.warns(NeuroactWarning, match="values other than 0 and 1"):
        assert np.isnan(recording.report()["0"].mean)


def test_one_adapter_serves_many_layers_and_keeps_none_alive() -> None:
    adapter = SnnTorchAdapter()
    layers = [snn.Leaky(0.9), snn.Leaky(0.9, graded_spikes_factor=2.0)]
    assert [adapter.kind(layer) for layer in layers] == [BINARY, GRADED]
    assert len(adapter._known) == 2
    snn.SpikingNeuron.instances.clear()
    layers.clear()
    gc.collect()  # a neuron refers to itself by its state_function
    assert len(adapter._known) == 0

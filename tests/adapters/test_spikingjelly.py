"""SpikingJelly: every neuron class is read, with the figures of NumPy on the raw outputs.

What is known of a class is written by hand in `CASES`; the oracle keeps raw outputs by a hook of
its own and shares nothing with the adapter.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from raw import assert_true_figures
from spikingjelly.activation_based import functional, neuron, rnn
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind, StatefulAdapter
from neuroact.errors import NoSpikingLayersError
from neuroact.layers.adapter import InputAdapter
from neuroact_adapters.spikingjelly import SpikingJellyAdapter

OLDER = not hasattr(neuron, "PSN")
STEPS = 6
BINARY, GRADED, ANALOG = SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG

ABSTRACT = {
    *("BaseNode", "AdaptBaseNode", "SimpleBaseNode", "NonSpikingBaseNode", "MPBNBaseNode"),
    *("ILCBaseNode", "NoisyBaseNode", "NoisyILCBaseNode", "NoisyNonSpikingBaseNode"),
}
NEURONS_OF_0_0_0_0_14 = {
    *("IFNode", "LIFNode", "ParametricLIFNode", "QIFNode", "EIFNode", "IzhikevichNode"),
    *("LIAFNode", "KLIFNode"),
}
NEURONS_OF_2_0_0 = NEURONS_OF_0_0_0_0_14 | {
    *("SimpleIFNode", "SimpleLIFNode", "HalfThresholdIFNode", "ActivationAwareIFNode"),
    *("ComplementaryLIFNode", "CUBALIFNode", "RAFNode", "GatedLIFNode", "MPBNLIFNode"),
    *("PSN", "MaskedPSN", "SlidingPSN", "OTTTLIFNode", "SLTTLIFNode", "FlexSN"),
    *("ILIFNode", "TernaryIFNode", "TernaryLIFNode", "DSRIFNode", "DSRLIFNode", "STBIFNode"),
    *("FewSpikeNode", "OutlierAwareThresholdNode", "HGNode"),
    *("ILCIFNode", "ILCLIFNode", "ILCCUBALIFNode", "NoisyCUBALIFNode", "NoisyILCCUBALIFNode"),
    *("NonSpikingIFNode", "NonSpikingLIFNode", "NoisyNonSpikingIFNode"),
}
RNNS = {"SpikingVanillaRNN", "SpikingGRU", "SpikingLSTM"}


def itself(output: Any) -> Tensor:
    """The values are what the call returned."""
    assert isinstance(output, Tensor)
    return output


def spike_of_pair(output: Any) -> Tensor:
    """The first of [spike, trace]."""
    assert isinstance(output, list)
    assert len(output) == 2
    return output[0]


def list_of_steps(output: Any) -> Tensor:
    """A list with one tensor a step."""
    assert isinstance(output, list)
    assert len(output) == STEPS
    return torch.stack(output)


def decoded(output: Any) -> Tensor:
    """One value for a whole sequence, read as a sequence of one step."""
    assert isinstance(output, Tensor)
    return output.unsqueeze(0)


def zero_and_one(values: set[float]) -> bool:
    return values == {0.0, 1.0}


def real(values: set[float]) -> bool:
    return len(values) > 8


def levels(*allowed: float) -> Callable[[set[float]], bool]:
    """Exactly these levels."""
    return lambda values: values == set(allowed)


def some_of(*allowed: float) -> Callable[[set[float]], bool]:
    """At least three of these levels, and no others."""
    return lambda values: values <= set(allowed) and len(values) >= 3


@dataclass(frozen=True)
class Case:
    """One class in one step mode.

    Attributes:
        cls: the class's name.
        mode: "s" or "m"; "" for a class that has no step mode and takes a whole sequence.
        options: arguments that build one.
        kind: what the values mean.
        holds: is true for the set of all values that came.
        spikes: where the values are in what a call returns.
        carries: its state goes on from call to call.
        neurons: shape of the neurons.
        signed: it is fed with negative values too.
        training: "te" where it behaves so in training and in eval mode, or one of them.
        home: the module that it is imported from.
        set_up: run on the module before it is used.
    """

    cls: str
    mode: str
    options: dict[str, Any] = field(default_factory=dict)
    kind: SignalKind = BINARY
    holds: Callable[[set[float]], bool] = zero_and_one
    spikes: Callable[[Any], Tensor] = itself
    carries: bool = True
    neurons: tuple[int, ...] = (6,)
    signed: bool = False
    training: str = "te"
    home: str = "spikingjelly.activation_based.neuron"
    set_up: Callable[[Any], object] = lambda module: None

    def __str__(self) -> str:
        return f"{self.cls}-{self.mode or 'no mode'}-{self.kind.value}-{self.training}"

    def build(self, train: bool = False) -> Any:
        module = getattr(importlib.import_module(self.home), self.cls)(**self.options)
        if self.mode and self.home != CLOCK_DRIVEN:
            module.step_mode = self.mode
        self.set_up(module)
        return module.train(train)

    def current(self, batch: int, steps: int = STEPS) -> Tensor:
        x = torch.rand(steps, batch, *self.neurons) * 2
        return x * 2 - 2 if self.signed else x

    def run(self, module: Any, x: Tensor) -> None:
        """Feed a sequence in as many calls as the step mode needs."""
        if self.mode == "s":
            for current in x:
                module(current)
        else:
            module(x.clone())  # ILC nodes write into it


def both(cls: str, **known: Any) -> list[Case]:
    return [Case(cls, "s", **known), Case(cls, "m", **known)]


def charge_and_fire(x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    v = v + x
    spike = (v >= 1).to(x)
    return spike, v - spike


def table(*weights: float) -> Any:
    return neuron.FewSpikeTable(list(weights), list(weights), list(weights))


def with_noise(module: Any) -> None:
    module.reset_noise(50)


def unbiased(module: Any) -> None:
    module.bias.data.zero_()


def cases_of_both_generations() -> list[Case]:
    names = ("IFNode", "LIFNode", "ParametricLIFNode", "QIFNode", "EIFNode", "IzhikevichNode")
    return [
        *(case for name in (*names, "KLIFNode") for case in both(name)),
        *both("IFNode", options={"v_reset": None, "store_v_seq": True}),
        *both("CubaLIFNode", options={"current_decay": 0.5, "voltage_decay": 0.25}, home=LAVA),
    ]


def cases_of_2_0_0() -> list[Case]:
    simple = ("HalfThresholdIFNode", "SLTTLIFNode", "ComplementaryLIFNode", "CUBALIFNode")
    simple += ("RAFNode", "SimpleIFNode", "ActivationAwareIFNode")
    weights = (4.0, 2.0, 1.0, 0.5, 0.25, 0.25)
    few = {"kind": ANALOG, "holds": some_of(*(n / 4 for n in range(-7, 8))), "carries": False}
    many = {"kind": GRADED, "holds": levels(0.0, *weights), "carries": False}
    noisy = {"carries": False, "set_up": with_noise}
    real_values = {"kind": ANALOG, "holds": real}
    silent = {**real_values, "spikes": list_of_steps, "carries": False}
    liaf = {"act": torch.relu, "threshold_related": False}
    ilc = {"act_dim": 2, "dec_pop_dim": 3}
    tables = {"table": table(*weights)}
    outlier = {**tables, "outlier_table": table(*weights), "split_threshold": 1.5}
    hg = {"tables": [tables["table"], table(*weights)], "gate_thresholds": [1.0]}
    bif = {"q_threshold": 0.5, "level": 8, "sym": True}
    sta = {"threshold": torch.tensor([0.5])}
    return [
        *(case for name in simple for case in both(name)),
        *both("SimpleLIFNode", options={"tau": 2.0, "decay_input": True}),
        *both("MPBNLIFNode", options={"out_features": 6}),
        *both("save_v_LIFNode", home="spikingjelly.activation_based.model.spike_dhs"),
        Case("GatedLIFNode", "m", {"T": STEPS}, neurons=(2, 3, 3)),
        Case("PSN", "", {"T": STEPS}, carries=False, signed=True),
        Case("MaskedPSN", "s", {"k": 2, "T": 2 * STEPS, "lambda_init": 1.0}, set_up=unbiased),
        Case("MaskedPSN", "m", {"k": 2, "T": STEPS}, carries=False, set_up=unbiased),
        Case("SlidingPSN", "s", {"k": 3}),
        Case("SlidingPSN", "m", {"k": 3}, carries=False),
        Case("OTTTLIFNode", "s", spikes=spike_of_pair, training="t"),
        Case("OTTTLIFNode", "s", training="e"),
        *both("FlexSN", options={"core": charge_and_fire, "num_states": 1}, kind=GRADED),
        *both("ILIFNode", kind=GRADED, holds=some_of(0.0, 1.0, 2.0, 3.0, 4.0)),
        *both("TernaryIFNode", kind=GRADED, holds=levels(-1.0, 0.0, 1.0), signed=True),
        *both("TernaryLIFNode", kind=GRADED, holds=levels(-1.0, 0.0, 1.0), signed=True),
        Case("DSRIFNode", "m", {"v_threshold": 1.5}, GRADED, levels(0.0, 1.5), carries=False),
        Case("DSRLIFNode", "m", {"tau": 0.05}, GRADED, levels(0.0, 20.0), carries=False),
        *both("STBIFNode", options=bif, kind=GRADED, holds=levels(-0.5, 0.0, 0.5), signed=True),
        *both("_STASpikeEncoder", options=sta, kind=GRADED, home=STA, signed=True, holds=halves),
        Case("FewSpikeNode", "s", tables, **few),
        Case("FewSpikeNode", "m", tables, **many),
        Case("OutlierAwareThresholdNode", "s", outlier, **few, signed=True),
        Case(
            "OutlierAwareThresholdNode",
            "m",
            outlier,
            signed=True,
            kind=GRADED,
            carries=False,
            holds=some_of(0.0, *weights, *(-weight for weight in weights)),
        ),
        Case("HGNode", "s", hg, **few),
        Case("HGNode", "m", hg, **many),
        *(Case(f"ILC{name}Node", "", ilc, carries=False) for name in ("IF", "LIF", "CUBALIF")),
        Case("NoisyCUBALIFNode", "", {"num_node": 6, "is_training": False, "T": STEPS}, **noisy),
        Case("NoisyCUBALIFNode", "", {"num_node": 6, "T": STEPS}, **noisy, **real_values),
        Case("NoisyILCCUBALIFNode", "", {**ilc, "is_training": False, "T": STEPS}, **noisy),
        Case("NoisyILCCUBALIFNode", "", {**ilc, "T": STEPS}, **noisy, **real_values),
        Case("NonSpikingIFNode", "", {}, **silent),
        Case("NonSpikingIFNode", "", {"decode": "max-mem"}, **{**silent, "spikes": decoded}),
        Case("NonSpikingLIFNode", "", {}, **silent),
        Case("NoisyNonSpikingIFNode", "", {"num_node": 6, "T": STEPS}, **silent, set_up=with_noise),
        Case("LIAFNode", "s", liaf, **real_values),
        Case("LIAFNode", "m", liaf),
        Case("LIAFNode", "m", {**liaf, "store_v_seq": True}, **real_values),
    ]


def cases_of_clock_driven() -> list[Case]:
    """The older package that 0.0.0.0.14 still has, from before step modes."""
    names = ("IFNode", "LIFNode", "ParametricLIFNode", "QIFNode", "EIFNode")
    liaf = {"act": torch.relu, "threshold_related": False}
    return [
        *(Case(name, "s", home=CLOCK_DRIVEN) for name in names),
        Case("LIAFNode", "s", liaf, ANALOG, real, home=CLOCK_DRIVEN),
        *(Case(f"MultiStep{n}", "", home=CLOCK_DRIVEN) for n in names if n != "QIFNode"),
    ]


def halves(values: set[float]) -> bool:
    return all((2 * value).is_integer() for value in values) and min(values) < 0 < max(values)


CLOCK_DRIVEN = "spikingjelly.clock_driven.neuron"
LAVA = "spikingjelly.activation_based.lava_exchange"
STA = "spikingjelly.activation_based.ann2snn.recipes.sta_transformer"
CASES = [
    *cases_of_both_generations(),
    *(cases_of_clock_driven() if OLDER else cases_of_2_0_0()),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


class Raw:
    """Keeps copies of what a module returned in each call."""

    def __init__(self, module: nn.Module) -> None:
        self.outputs: list[Any] = []
        self._handle = module.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, args: Any, output: Any) -> None:
        many = isinstance(output, list | tuple)
        self.outputs.append([v.detach().clone() for v in output] if many else output.clone())

    def values(self, case: Case) -> Any:
        """All values `[steps * batch, *neurons]`, as the case says they lie in the outputs."""
        self._handle.remove()
        arrays = [case.spikes(output).detach().double().numpy() for output in self.outputs]
        if case.mode != "s":
            arrays = [array.reshape(-1, *array.shape[2:]) for array in arrays]
        return np.concatenate(arrays)


def of_this_release(module: Any) -> set[str]:
    """Names of the classes in a framework's module that can be layers of a model."""
    return {
        name
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, nn.Module)
        if cls.__module__.startswith("spikingjelly")
    }


def test_every_neuron_class_of_the_framework_is_known_and_tested() -> None:
    """If a release has a class that no list names, this fails."""
    expected = set(NEURONS_OF_0_0_0_0_14 if OLDER else NEURONS_OF_2_0_0)
    assert of_this_release(neuron) - ABSTRACT == expected
    home = "spikingjelly.activation_based.neuron"
    tested = {case.cls for case in CASES if case.home == home}
    if OLDER:
        with pytest.raises(AttributeError):
            neuron.LIAFNode(torch.relu, threshold_related=False)
        expected -= {"LIAFNode"}
        check_clock_driven()
    assert tested == expected
    bases = {"SpikingRNNBase", "SpikingRNNCellBase"}
    assert of_this_release(rnn) - bases == RNNS | {f"{name}Cell" for name in RNNS}


def check_clock_driven() -> None:
    older = importlib.import_module(CLOCK_DRIVEN)
    tested = {case.cls for case in CASES if case.home == CLOCK_DRIVEN}
    broken = {"GeneralNode", "MultiStepGeneralNode"}
    assert of_this_release(older) - {"BaseNode", "AdaptiveBaseNode"} == tested | broken
    with pytest.raises(TypeError):
        older.GeneralNode(0.5, 1.0)(torch.rand(2, 5))


@every_case
def test_figures_of_every_class_equal_numpy_on_the_raw_outputs(case: Case) -> None:
    """Three sequences, one a smaller batch, the last in two parts; each after a reset."""
    for mode in case.training:
        torch.manual_seed(1)
        np.random.seed(1)  # GatedLIFNode uses NumPy's generator
        module = case.build(train=mode == "t")
        net = nn.Sequential(module)
        raw = Raw(module)
        with neuroact.record(net, layers="0") as recording, torch.set_grad_enabled(mode == "t"):
            for batch in (4, 3):
                functional.reset_net(net)
                case.run(module, case.current(batch))
            functional.reset_net(net)
            case.run(module, case.current(3))
            case.run(module, case.current(3))
        values = raw.values(case)
        assert case.holds(set(values.flat)), sorted(set(values.flat))[:20]
        calls = STEPS if case.mode == "s" else 1
        sequences = 4 + 3 + 3 if case.carries else (4 + 3 + 3 + 3) * calls
        layer = recording.report()["0"]
        assert_true_figures(layer, values, sequences)
        assert layer.shape == case.neurons
        assert layer.kind is case.kind
        assert (layer.framework, layer.layer_type) == ("spikingjelly", case.cls)


@every_case
def test_spiking_classes_are_recorded_by_default_and_others_by_request(case: Case) -> None:
    net = nn.Sequential(case.build(train="t" in case.training))
    if case.kind is ANALOG:
        with pytest.raises(NoSpikingLayersError, match="emit real values"):
            neuroact.record(net)
    else:
        with neuroact.record(net) as recording:
            assert list(recording.layers) == ["0"]


@every_case
def test_chunks_have_time_first_then_batch(case: Case) -> None:
    module = case.build(train="t" in case.training)
    chunks = chunks_of(module, lambda: case.run(module, case.current(3)))
    steps = 1 if case.spikes is decoded else STEPS
    assert [chunk.values.shape for chunk in chunks] == (
        [(1, 3, *case.neurons)] * STEPS if case.mode == "s" else [(steps, 3, *case.neurons)]
    )


@every_case
def test_axes_of_the_input_are_those_of_the_step_mode(case: Case) -> None:
    adapter, module = SpikingJellyAdapter(), case.build()
    if case.cls.startswith("ILC"):
        with pytest.raises(ValueError, match="adds to its input in place"):
            adapter.input_axes(module)
    else:
        assert adapter.input_axes(module) == ("BN" if case.mode == "s" else "TBN")


def chunks_of(module: nn.Module, run: Callable[[], object]) -> list[neuroact.SpikeChunk]:
    """The chunks that the adapter reads."""
    chunks: list[neuroact.SpikeChunk] = []

    class Reading(SpikingJellyAdapter):
        def read(self, module: nn.Module, call: neuroact.LayerCall) -> neuroact.SpikeChunk:
            chunks.append(super().read(module, call))
            return chunks[-1]

    with neuroact.record(nn.Sequential(module), layers="0", adapters=[Reading()]):
        run()
    return chunks


def test_the_adapter_is_what_the_core_asks_for() -> None:
    adapter = SpikingJellyAdapter()
    assert isinstance(adapter, StatefulAdapter)
    assert isinstance(adapter, InputAdapter)
    assert neuroact.record(nn.Sequential(neuron.IFNode())).layers["0"].framework == "spikingjelly"

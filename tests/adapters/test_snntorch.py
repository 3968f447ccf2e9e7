"""snnTorch: every class is read, with the figures of NumPy on the raw outputs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import pytest
import snntorch as snn
import torch
from hypothesis import given
from hypothesis import strategies as st
from raw import RawCalls, assert_true_figures
from snntorch_cases import SEQUENCE_CASES, STEP_CASES, STEPS, SequenceCase, StepCase, currents
from snntorch_styles import STYLES, Style, run_batch
from torch import nn

import neuroact
from neuroact import SignalKind, StatefulAdapter
from neuroact.layers.adapter import InputAdapter
from neuroact_adapters.snntorch import NEURONS, SnnTorchAdapter

every_step_case = pytest.mark.parametrize("case", STEP_CASES.values(), ids=STEP_CASES.keys())
every_sequence_case = pytest.mark.parametrize(
    "case", SEQUENCE_CASES.values(), ids=SEQUENCE_CASES.keys()
)
every_style = pytest.mark.parametrize("style", STYLES, ids=str)

STEP_CLASSES_OF_0_9_4 = {
    *("Leaky", "Lapicque", "Synaptic", "Alpha", "RLeaky", "RSynaptic", "SLSTM", "SConv2dLSTM"),
}
SEQUENCE_CLASSES_OF_0_9_4 = {"LeakyParallel", "LeakyKernel"}
NEURONS_OF_0_9_4 = STEP_CLASSES_OF_0_9_4 | SEQUENCE_CLASSES_OF_0_9_4
NEURONS_OF_1_0_0 = NEURONS_OF_0_9_4 | {
    *("DeltaLeaky", "StateLeaky", "LinearLeaky", "AssociativeLeaky"),
}
NO_NEURONS = {
    *("SpikingNeuron", "LIF", "RecurrentOneToOne", "GradedSpikes", "SpikeTime", "STDPLearner"),
}


def module_classes_of_snntorch() -> set[str]:
    """Names of all `nn.Module` classes that snnTorch defines, exported or not."""
    found: set[str] = set()
    for package in ("snntorch._neurons", "snntorch._layers", "snntorch.functional"):
        path = importlib.import_module(package).__path__
        for info in pkgutil.iter_modules(path, f"{package}."):
            members = inspect.getmembers(importlib.import_module(info.name), inspect.isclass)
            found |= {n for n, c in members if issubclass(c, nn.Module) and is_snntorchs(c)}
    return found | {
        n for n, c in vars(snn).items() if inspect.isclass(c) and issubclass(c, nn.Module)
    }


def is_snntorchs(cls: type) -> bool:
    return cls.__module__.startswith("snntorch.")


def test_every_class_that_the_framework_has_is_in_the_table_and_is_tested() -> None:
    """If a release has a class that no list names, this fails."""
    expected = NEURONS_OF_0_9_4 if snn.__version__.startswith("0.9") else NEURONS_OF_1_0_0
    assert module_classes_of_snntorch() - NO_NEURONS == expected
    assert set(NEURONS) == NEURONS_OF_1_0_0
    tested = {case.cls for case in STEP_CASES.values()}
    assert tested | {case.cls for case in SEQUENCE_CASES.values()} == expected


@every_style
@every_step_case
def test_figures_of_a_step_class_equal_numpy_on_the_raw_outputs(
    case: StepCase, style: Style
) -> None:
    """Three batches, the last one smaller, each from a reset state."""
    torch.manual_seed(3)
    layer = style.build(case)
    net = nn.Sequential(layer)
    raw = RawCalls(layer)
    with neuroact.record(net) as recording:
        for batch in (4, 4, 3):
            run_batch(layer, case, style, currents(case, batch))
    activity = recording.report()["0"]
    values = raw.values(case.spikes(style.hidden, style.output))
    assert set(values.flat) == {0.0, 1.0}, "the case tests nothing if all or none fire"
    assert_true_figures(activity, values, sequences=11 * (STEPS if case.forgets else 1))
    assert activity.shape == case.neurons
    assert activity.kind is SignalKind.BINARY
    assert (activity.framework, activity.layer_type) == ("snntorch", case.cls)


@every_sequence_case
def test_figures_of_a_sequence_class_equal_numpy_on_the_raw_outputs(case: SequenceCase) -> None:
    """Each call is a sequence of its own, time first."""
    torch.manual_seed(5)
    layer = case.build()
    net = nn.Sequential(layer)
    raw = RawCalls(layer)
    with neuroact.record(net) as recording:
        for steps, batch in ((7, 4), (7, 4), (5, 3)):
            net(torch.randn(steps, batch, case.inputs) + 0.5)
    activity = recording.report()["0"]
    values = raw.values(case.spikes, sequence=True)
    assert set(values.flat) == {0.0, 1.0}, "the case tests nothing if all or none fire"
    assert_true_figures(activity, values, sequences=11)
    assert activity.shape == (case.neurons,)
    assert activity.kind is SignalKind.BINARY


@every_sequence_case
def test_time_comes_first_in_the_chunks_of_a_sequence_class(case: SequenceCase) -> None:
    layer = case.build()
    chunks = chunks_of(layer, torch.randn(7, 2, case.inputs))
    assert chunks[0].values.shape == (7, 2, case.neurons)


def chunks_of(layer: nn.Module, *inputs: Any) -> list[neuroact.SpikeChunk]:
    """The chunks that the adapter reads."""
    chunks: list[neuroact.SpikeChunk] = []

    class Reading(SnnTorchAdapter):
        def read(self, module: nn.Module, call: neuroact.LayerCall) -> neuroact.SpikeChunk:
            chunks.append(super().read(module, call))
            return chunks[-1]

    with neuroact.record(nn.Sequential(layer), adapters=[Reading()]):
        for each in inputs:
            layer(each)
    return chunks


def test_what_is_read_is_a_view_and_has_no_graph() -> None:
    layer = snn.Leaky(0.9)
    outputs: list[Any] = []
    layer.register_forward_hook(lambda module, args, output: outputs.append(output))
    (chunk,) = chunks_of(layer, torch.randn(2, 5, requires_grad=True))
    assert outputs[0][0].requires_grad
    assert not chunk.values.requires_grad
    assert chunk.values.data_ptr() == outputs[0][0].data_ptr()


@pytest.mark.parametrize("name", ["Leaky", "Lapicque", "Synaptic", "Alpha", "RLeaky-linear"])
def test_an_unbatched_step_is_a_batch_of_one(name: str) -> None:
    case = STEP_CASES[name]
    layer = case.build(init_hidden=True, output=False)
    raw = RawCalls(layer)
    with neuroact.record(nn.Sequential(layer)) as recording:
        for _ in range(STEPS):
            layer(torch.randn(5) + 0.5)
    values = raw.values(lambda spikes: spikes.unsqueeze(0))
    assert_true_figures(recording.report()["0"], values, sequences=1)


def test_an_unbatched_sequence_is_a_batch_of_one() -> None:
    layer = snn.LeakyParallel(5, 4, threshold=0.3)
    raw = RawCalls(layer)
    with neuroact.record(nn.Sequential(layer)) as recording:
        layer(torch.randn(7, 5))
    assert_true_figures(recording.report()["0"], raw.values(lambda spikes: spikes), sequences=1)


@every_style
@pytest.mark.parametrize("name", ["Leaky", "Synaptic", "Alpha", "Leaky-conv", "SConv2dLSTM"])
def test_an_empty_batch_counts_nothing_and_ends_the_sequence(name: str, style: Style) -> None:
    case = STEP_CASES[name]
    layer = style.build(case)
    with neuroact.record(nn.Sequential(layer)) as recording:
        for batch in (2, 0, 2):
            run_batch(layer, case, style, currents(case, batch))
    activity = recording.report()["0"]
    assert (activity.observations, activity.sequences) == (4 * STEPS, 4)
    assert activity.shape == case.neurons


class Net(nn.Module):
    """One instance under two names, and recurrent layers with layers inside."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = snn.Leaky(0.9, init_hidden=True)
        self.again = self.lif
        self.rleaky = snn.RLeaky(0.9, linear_features=5, init_hidden=True)
        self.one = snn.RLeaky(0.9, all_to_all=False, init_hidden=True)
        self.lstm = snn.SLSTM(5, 5, threshold=0.05, init_hidden=True)
        self.parallel = snn.LeakyParallel(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = [self.lstm(self.one(self.rleaky(self.lif(current)))) for current in x]
        spikes: torch.Tensor = self.parallel(torch.stack(steps))
        return spikes


def test_inner_layers_are_not_counted_too_and_a_shared_one_is_counted_once() -> None:
    net = Net()
    inner = {name for name, _ in net.named_modules()}
    assert inner > {"rleaky.recurrent", "one.recurrent", "lstm.lstm_cell", "parallel.rnn"}
    with neuroact.record(net) as recording:
        net(torch.randn(STEPS, 3, 5))
    report = recording.report()
    assert list(report) == ["lif", "rleaky", "one", "lstm", "parallel"]
    assert report["lif"].aliases == ("again",)
    assert {layer.observations for layer in report.values()} == {3 * STEPS}
    assert {layer.sequences for layer in report.values()} == {3}


@every_sequence_case
def test_layers_inside_a_sequence_class_are_not_counted_too(case: SequenceCase) -> None:
    net = nn.Sequential(case.build())
    with neuroact.record(net) as recording:
        net(torch.randn(7, 2, 5))
    assert list(recording.report()) == ["0"]


def test_two_recordings_at_once_are_both_right() -> None:
    layer = snn.Leaky(0.9, init_hidden=True)
    net = nn.Sequential(layer)
    raw = RawCalls(layer)
    with neuroact.record(net) as first:
        layer(torch.randn(3, 5))
        with neuroact.record(net) as second:
            layer(torch.randn(3, 5))
    values = raw.values(lambda spikes: spikes)
    assert_true_figures(first.report()["0"], values, sequences=3)
    assert_true_figures(second.report()["0"], values[3:], sequences=3)


class Mine(snn.Synaptic):  # type: ignore[misc]  # snnTorch carries no types
    """A user's own neuron."""


def test_a_users_subclass_is_read_as_its_base() -> None:
    layer = Mine(0.5, 0.6, init_hidden=True)
    raw = RawCalls(layer)
    with neuroact.record(nn.Sequential(layer)) as recording:
        for _ in range(STEPS):
            layer(torch.randn(3, 5) + 0.5)
    activity = recording.report()["0"]
    assert_true_figures(activity, raw.values(lambda spikes: spikes), sequences=3)
    assert (activity.framework, activity.layer_type) == ("snntorch", "Mine")


class SpikesAlone(snn.Leaky):  # type: ignore[misc]  # snnTorch carries no types
    """Returns only its spikes, although its state is passed by hand."""

    def forward(self, input_: torch.Tensor, mem: torch.Tensor | None = None) -> torch.Tensor:
        spikes: torch.Tensor = super().forward(input_, mem)[0]
        return spikes


def test_a_users_subclass_may_return_its_spikes_alone() -> None:
    layer = SpikesAlone(0.9)
    raw = RawCalls(layer)
    with neuroact.record(nn.Sequential(layer)) as recording:
        for _ in range(STEPS):
            layer(torch.randn(3, 5))
    assert_true_figures(recording.report()["0"], raw.values(lambda spikes: spikes), sequences=3)


ANY_SHAPE = ["Leaky", "Leaky-no-delay", "Lapicque", "Synaptic", "Alpha", "RLeaky-one-to-one"]
OF_FIVE = ["RLeaky-linear", "RSynaptic", "SLSTM"]


@st.composite
def nets(draw: st.DrawFn) -> tuple[tuple[int, ...], list[str]]:
    """The shape of a net's neurons, dense or convolutional, and its layers."""
    shape = draw(st.one_of(st.just((5,)), st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    names = ANY_SHAPE + (OF_FIVE if shape == (5,) else [])
    return tuple(shape), draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))


@given(
    net=nets(),
    batches=st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 4), st.booleans()), min_size=1, max_size=5
    ),
    style=st.sampled_from(STYLES),
    seed=st.integers(0, 2**31),
)
def test_figures_of_random_nets_equal_numpy(
    net: tuple[tuple[int, ...], list[str]],
    batches: list[tuple[int, int, bool]],
    style: Style,
    seed: int,
) -> None:
    """Any layers, numbers of steps, batch sizes and resets, or none, between batches."""
    torch.manual_seed(seed)
    shape, names = net
    cases = [STEP_CASES[name] for name in names]
    layers = [style.build(case) for case in cases]
    raws = [RawCalls(layer) for layer in layers]
    sequences, last = 0, 0
    states: list[tuple[Any, ...]] = [() for _ in layers]
    with neuroact.record(nn.Sequential(*layers)) as recording:
        for steps, batch, reset in batches:
            if reset:
                states = [
                    style.fresh(layer, case) for layer, case in zip(layers, cases, strict=True)
                ]
            sequences += batch if reset or batch != last else 0
            last = batch
            for _ in range(steps):
                current = torch.randn(batch, *shape) + 0.5
                for at, (layer, case) in enumerate(zip(layers, cases, strict=True)):
                    current, states[at] = style.step(layer, case, current, states[at])
    report = recording.report()
    for at, (case, raw) in enumerate(zip(cases, raws, strict=True)):
        values = raw.values(case.spikes(style.hidden, style.output))
        assert_true_figures(report[str(at)], values, sequences)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_spikes_of_any_floating_dtype_are_counted_exactly(dtype: torch.dtype) -> None:
    """In bfloat16, 300 ones add up to 256."""
    layer = snn.Leaky(0.9, init_hidden=True, spike_grad=lambda x: (x > 0).to(x.dtype)).to(dtype)
    raw = RawCalls(layer)
    with neuroact.record(nn.Sequential(layer)) as recording:
        for _ in range(300):
            layer(torch.ones(2, 3, dtype=dtype) * torch.tensor([0.0, 0.3, 3.0], dtype=dtype))
    assert {output.dtype for output in raw.outputs} == {dtype}
    values = raw.values(lambda spikes: spikes)
    assert_true_figures(recording.report()["0"], values, sequences=2)
    assert values.sum(0).tolist()[::2] == [0, 600]


def test_the_adapter_is_all_three_protocols_and_knows_the_axes_of_inputs() -> None:
    adapter = SnnTorchAdapter()
    assert isinstance(adapter, StatefulAdapter)
    assert isinstance(adapter, InputAdapter)
    assert adapter.input_axes(snn.Leaky(0.9)) == "BN"
    assert adapter.input_axes(snn.LeakyParallel(5, 4)) == "TBN"
    with pytest.raises(TypeError, match="Linear is not a neuron of snnTorch"):
        adapter.input_axes(nn.Linear(1, 1))


def test_inputs_are_recorded_in_the_order_the_adapter_says() -> None:
    net = nn.Sequential(snn.LeakyParallel(5, 4))
    x = (torch.rand(7, 2, 5) > 0.5).float()
    with neuroact.record(net, layers="0", of="input") as recording:
        net(x)
    activity = recording.report()["0"]
    assert (activity.observations, activity.sequences) == (14, 2)
    assert activity.events.tolist() == x.sum((0, 1)).tolist()

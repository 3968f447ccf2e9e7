"""Norse: every class is read, with the figures of NumPy on the raw outputs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib.metadata import version

import norse.torch as snn
import pytest
import torch
from norse.torch.functional.izhikevich import tonic_spiking
from norse.torch.module.exp_filter import ExpFilter
from raw import RawCalls, assert_true_figures
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import NoSpikingLayersError
from neuroact_adapters.norse import NorseAdapter

IS_1_0 = version("norse").startswith("1.0.")
INPUTS, HIDDEN, CALLS, STEPS = 5, 4, 6, 3

# What each class emits, written by hand from its documentation and its output.
CELLS_OF_1_0 = {"LIFCell", "LIFBoxCell", "IAFCell", "LSNNCell", "LIFAdExCell", "LIFExCell"}
CELLS_OF_1_0 |= {"LIFRefracCell", "LIFAdExRefracCell", "IzhikevichCell"}
WEIGHTED_CELLS_OF_1_0 = {
    *("LIFRecurrentCell", "LSNNRecurrentCell", "LIFAdExRecurrentCell", "LIFExRecurrentCell"),
    *("LIFRefracRecurrentCell", "LIFAdExRefracRecurrentCell", "IzhikevichRecurrentCell"),
    *("LIFMCRecurrentCell", "LIFMCRefracRecurrentCell", "CobaLIFCell"),
}
SEQUENCES_OF_1_0 = {"LIF", "LSNN", "LIFAdEx", "LIFEx", "Izhikevich"}
SEQUENCES_OF_1_1 = SEQUENCES_OF_1_0 | {"IAF"}
WEIGHTED_SEQUENCES_OF_1_0 = {
    *("LIFRecurrent", "LSNNRecurrent", "LIFAdExRecurrent", "LIFExRecurrent"),
    *("LIFRefracRecurrent", "LIFAdExRefracRecurrent", "IzhikevichRecurrent"),
}
LEAKY_CELLS_OF_1_0 = {"LICell", "LILinearCell"}
LEAKY_CELLS_OF_1_1 = LEAKY_CELLS_OF_1_0 | {"LIBoxCell"}
LEAKY_SEQUENCES_OF_1_0 = {"LI"}
ENCODERS_OF_1_0 = {
    *("PoissonEncoder", "PoissonEncoderStep", "SignedPoissonEncoder", "SignedPoissonEncoderStep"),
    *("ConstantCurrentLIFEncoder", "SpikeLatencyLIFEncoder", "SpikeLatencyEncoder"),
}
TESTED_APART_OF_1_0 = {"ExpFilter", "LIFCorrelation"}
ABSTRACT = {"SNN", "SNNCell", "SNNRecurrent", "SNNRecurrentCell"}  # layers by their subclasses
NO_LAYERS_OF_1_0 = {
    *("Lift", "SequentialState", "RegularizationCell"),  # wrappers
    *("LConv2d", "PopulationEncoder", "SpikesToTimesDecoder"),  # emit no spikes
    *("ConvNet", "ConvNet4", "VGG", "MobileNetV2", "ConvBNReLU", "InvertedResidual"),  # models
}
NO_LAYERS_OF_1_1 = NO_LAYERS_OF_1_0 | {
    *("RecurrentSequential", "TemporalReceptiveField", "CubaLIF"),  # wrappers
    *("SpatialReceptiveField2d", "SampledSpatialReceptiveField2d"),
    "ParameterizedSpatialReceptiveField2d",
}
OF_1_0 = CELLS_OF_1_0 | WEIGHTED_CELLS_OF_1_0 | SEQUENCES_OF_1_0 | WEIGHTED_SEQUENCES_OF_1_0
OF_1_0 |= LEAKY_CELLS_OF_1_0 | LEAKY_SEQUENCES_OF_1_0 | ENCODERS_OF_1_0
OF_1_0 |= TESTED_APART_OF_1_0 | ABSTRACT | NO_LAYERS_OF_1_0
OF_1_1 = OF_1_0 | SEQUENCES_OF_1_1 | LEAKY_CELLS_OF_1_1 | NO_LAYERS_OF_1_1

WEIGHTED = WEIGHTED_CELLS_OF_1_0 | WEIGHTED_SEQUENCES_OF_1_0 | {"LILinearCell"}
every_spiking_cell = pytest.mark.parametrize("name", sorted(CELLS_OF_1_0 | WEIGHTED_CELLS_OF_1_0))
every_spiking_sequence = pytest.mark.parametrize(
    "name", sorted(n for n in SEQUENCES_OF_1_1 | WEIGHTED_SEQUENCES_OF_1_0 if hasattr(snn, n))
)
every_leaky_layer = pytest.mark.parametrize(
    "name", sorted(n for n in LEAKY_CELLS_OF_1_1 | LEAKY_SEQUENCES_OF_1_0 if hasattr(snn, n))
)
every_way = pytest.mark.parametrize("way", ["by position", "by keyword", "never"])


def is_sequence(name: str) -> bool:
    return name in SEQUENCES_OF_1_1 | WEIGHTED_SEQUENCES_OF_1_0 | LEAKY_SEQUENCES_OF_1_0


def build(name: str) -> nn.Module:
    torch.manual_seed(5)
    sizes = (INPUTS, HIDDEN) if name in WEIGHTED else ()
    behaviour = (tonic_spiking,) if name.startswith("Izhikevich") else ()
    module: nn.Module = getattr(snn, name)(*sizes, *behaviour)
    return module


def currents(name: str, batch: int) -> Tensor:
    """Input of `CALLS` calls, strong enough that the class fires, but not always."""
    shape = (STEPS, batch, INPUTS) if is_sequence(name) else (batch, INPUTS)
    strength = 900.0 if name.startswith("Izhikevich") else 40.0
    return torch.rand(CALLS, *shape) * strength


def run(layer: nn.Module, calls: Tensor, way: str) -> None:
    state = None
    for x in calls:
        if way == "by position":
            _, state = layer(x, state)
        elif way == "by keyword":
            _, state = layer(input_tensor=x, state=state)
        else:
            layer(x)


def assert_read_truly(name: str, way: str, *, kind: SignalKind) -> None:
    """Two batches, the second one smaller, each from no state."""
    layer, batches = build(name), (3, 2)
    net, raw = nn.Sequential(layer), RawCalls(layer)
    with neuroact.record(net, layers="0") as recording:
        for batch in batches:
            run(layer, currents(name, batch), way)
    figures = recording.report()["0"]
    sequences = sum(batches) * (CALLS if way == "never" else 1)
    values = raw.values(lambda output: output[0], sequence=is_sequence(name))
    assert_true_figures(figures, values, sequences)
    assert figures.observations == sum(batches) * CALLS * (STEPS if is_sequence(name) else 1)
    assert (figures.kind, figures.framework, figures.unreliable) == (kind, "norse", None)
    assert figures.layer_type == name
    if kind is SignalKind.BINARY and way != "never":
        assert 0 < figures.mean < 1  # if all neurons fired or rested, this would prove little


@every_way
@every_spiking_cell
def test_figures_of_a_cell_equal_numpy_on_the_raw_outputs(name: str, way: str) -> None:
    assert_read_truly(name, way, kind=SignalKind.BINARY)


@every_way
@every_spiking_sequence
def test_figures_of_a_sequence_module_equal_numpy_on_the_raw_outputs(name: str, way: str) -> None:
    assert_read_truly(name, way, kind=SignalKind.BINARY)


@every_way
@every_leaky_layer
def test_leaky_integrators_are_analog_and_recorded_by_request(name: str, way: str) -> None:
    with pytest.raises(NoSpikingLayersError, match="real values or encode data: 0"):
        neuroact.record(nn.Sequential(build(name)))
    assert_read_truly(name, way, kind=SignalKind.ANALOG)


def test_an_exponential_filter_is_analog_and_keeps_no_state() -> None:
    layer = ExpFilter(INPUTS, HIDDEN)
    net, raw = nn.Sequential(layer), RawCalls(layer)
    with neuroact.record(net, layers="0") as recording:
        for x in torch.rand(CALLS, STEPS, 3, INPUTS):
            net(x)
    figures = recording.report()["0"]
    assert figures.kind is SignalKind.ANALOG
    assert_true_figures(figures, raw.values(lambda output: output, sequence=True), 3 * CALLS)


@every_way
def test_the_state_of_lif_correlation_comes_after_its_weights(way: str) -> None:
    """Norse can run it only for a batch of one."""
    torch.manual_seed(2)
    layer = snn.LIFCorrelation(INPUTS, HIDDEN)
    raw, state = RawCalls(layer), None
    with neuroact.record(layer) as recording:
        for x in torch.rand(CALLS, 1, INPUTS) * 10:
            weights = (torch.randn(HIDDEN, INPUTS) * 10, torch.rand(HIDDEN, HIDDEN))
            if way == "by keyword":
                _, state = layer(x, *weights, state=state)
            else:
                _, state = layer(x, *weights, None if way == "never" else state)
    figures = recording.report()["model"]
    assert_true_figures(figures, raw.values(lambda o: o[0]), CALLS if way == "never" else 1)
    assert 0 < figures.mean < 1
    with pytest.raises(RuntimeError, match="must match the size"):
        layer(torch.rand(3, INPUTS), *weights, None)


def module_classes() -> dict[str, type[nn.Module]]:
    """All `nn.Module` classes that Norse defines, exported or not, by name."""
    modules = [snn]
    for package in ("norse.torch.module", "norse.torch.models"):
        path = importlib.import_module(package).__path__
        names = [info.name for info in pkgutil.iter_modules(path, f"{package}.") if not info.ispkg]
        modules += map(importlib.import_module, names)
    if not IS_1_0:
        modules.append(importlib.import_module("norse.torch.utils.import_nir"))
    members = [member for m in modules for member in inspect.getmembers(m, inspect.isclass)]
    return {n: c for n, c in members if issubclass(c, nn.Module) and c.__module__[:6] == "norse."}


def test_every_class_that_norse_has_is_listed_here() -> None:
    """If a release has a class that no list names, this fails."""
    assert set(module_classes()) == (OF_1_0 if IS_1_0 else OF_1_1)


def test_every_class_listed_as_a_layer_is_read_and_no_other() -> None:
    adapter, classes = NorseAdapter(), module_classes()
    for name, cls in classes.items():
        # Only the class matters here, so an instance need not be constructed.
        is_layer = adapter.kind(cls.__new__(cls)) is not None
        assert is_layer == (name in ABSTRACT or name not in NO_LAYERS_OF_1_1), name

"""Norse: sparse spikes, views, inputs without a batch, encoders, and users' own classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import norse.torch as snn
import pytest
import torch
from norse.torch.functional.leaky_integrator import li_feed_forward_step
from norse.torch.functional.lif import lif_feed_forward_step
from norse.torch.module import encode
from norse.torch.module.leaky_integrator import LICell
from norse.torch.module.snn import SNN, SNNCell
from raw import RawCalls, assert_true_figures
from torch import Tensor, nn

import neuroact
from neuroact import LayerCall, SignalKind, StatefulAdapter
from neuroact.errors import NoSpikingLayersError, UnreliableLayerWarning
from neuroact.layers.adapter import InputAdapter
from neuroact_adapters.norse import NorseAdapter

INPUTS, HIDDEN, STEPS, BATCH = 6, 4, 5, 3


def sequence(scale: float = 90.0) -> Tensor:
    return torch.rand(STEPS, BATCH, INPUTS) * scale


def by_steps(layer: nn.Module, x: Tensor) -> None:
    state = None
    for current in x:
        _, state = layer(current, state)


def by_sparse_steps(layer: nn.Module, x: Tensor) -> None:
    state = None
    for current in x:
        _, state = layer(current.to_sparse(), state)


def by_sparse_halves(layer: nn.Module, x: Tensor) -> None:
    _, state = layer(x[:2].to_sparse())
    layer(x[2:].to_sparse(), state)


@pytest.mark.parametrize("name", ["LIFCell", "LIFRecurrentCell", "LIF", "LIFRecurrent"])
def test_sparse_spikes_are_counted_as_dense_ones_are(name: str) -> None:
    torch.manual_seed(0)
    layer = getattr(snn, name)(*((INPUTS, HIDDEN) if "Recurrent" in name else ()))
    raw, is_cell = RawCalls(layer), name.endswith("Cell")
    run = by_sparse_steps if is_cell else by_sparse_halves
    with neuroact.record(layer) as recording:
        run(layer, nn.functional.dropout(sequence()))
    assert {output[0].layout for output in raw.outputs} == {torch.sparse_coo}
    values = raw.values(lambda output: output[0].to_dense(), sequence=not is_cell)
    figures = recording.report()["model"]
    assert_true_figures(figures, values, BATCH)
    assert 0 < figures.mean < 1


@pytest.mark.parametrize("layer", [snn.LIF(), snn.LIFCell()], ids=["sequence", "cell"])
def test_a_chunk_is_free_of_the_graph_and_a_view_of_the_output(layer: nn.Module) -> None:
    """Norse's spikes require a gradient even if no parameter and no input does."""
    x = sequence() if isinstance(layer, SNN) else sequence()[0]
    output = layer(x)
    assert output[0].requires_grad
    assert not list(layer.parameters())
    chunk = NorseAdapter().read(layer, LayerCall((x,), {}, output))
    assert not chunk.values.requires_grad
    assert chunk.values.data_ptr() == output[0].data_ptr()
    assert chunk.values.shape == (STEPS if isinstance(layer, SNN) else 1, BATCH, INPUTS)


def test_a_sparse_chunk_is_dense_and_free_of_the_graph() -> None:
    x = sequence().to_sparse()
    chunk = NorseAdapter().read(snn.LIF(), LayerCall((x,), {}, snn.LIF()(x)))
    assert chunk.values.layout is torch.strided
    assert not chunk.values.requires_grad
    assert chunk.values.shape == (STEPS, BATCH, INPUTS)


@pytest.mark.parametrize("name", ["LIF", "LIFCell"])
def test_input_without_a_batch_is_a_batch_of_one(name: str) -> None:
    layer, x = getattr(snn, name)(), sequence()[:, 0]
    with neuroact.record(layer) as recording:
        layer(x) if name == "LIF" else by_steps(layer, x)
    figures = recording.report()["model"]
    assert (figures.shape, figures.observations, figures.sequences) == ((INPUTS,), STEPS, 1)


@pytest.mark.parametrize("name", ["LIF", "LIFCell"])
def test_feature_maps_keep_their_shape(name: str) -> None:
    torch.manual_seed(0)
    layer, x = getattr(snn, name)(), torch.rand(STEPS, BATCH, 2, 3, 4) * 90
    raw = RawCalls(layer)
    with neuroact.record(layer) as recording:
        layer(x) if name == "LIF" else by_steps(layer, x)
    figures = recording.report()["model"]
    assert figures.shape == (2, 3, 4)
    assert_true_figures(figures, raw.values(lambda o: o[0], sequence=name == "LIF"), BATCH)


ENCODERS: dict[str, tuple[Callable[[], nn.Module], set[float]]] = {
    "PoissonEncoder": (lambda: snn.PoissonEncoder(STEPS, f_max=500), {0, 1}),
    "PoissonEncoderStep": (lambda: encode.PoissonEncoderStep(f_max=500), {0, 1}),
    "SignedPoissonEncoder": (lambda: snn.SignedPoissonEncoder(STEPS, f_max=500), {-1, 0, 1}),
    "SignedPoissonEncoderStep": (
        lambda: encode.SignedPoissonEncoderStep(f_max=500),
        {-1, 0, 1},
    ),
    "ConstantCurrentLIFEncoder": (lambda: snn.ConstantCurrentLIFEncoder(25), {0, 1}),
    "SpikeLatencyLIFEncoder": (lambda: snn.SpikeLatencyLIFEncoder(25), {0, 1}),
    "SpikeLatencyEncoder": (snn.SpikeLatencyEncoder, {0, 1}),
}


def data(name: str) -> Tensor:
    if name == "SpikeLatencyEncoder":
        return (torch.rand(STEPS, BATCH, INPUTS) > 0.7).float()
    strength = 80.0 if "LIF" in name else 1.0
    return (torch.rand(BATCH, INPUTS) - (0.5 if "Signed" in name else 0.0)) * strength


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_are_recorded_by_request_with_their_own_time_axis(name: str) -> None:
    torch.manual_seed(1)
    build, levels = ENCODERS[name]
    encoder = build()
    model, raw = nn.Sequential(encoder), RawCalls(encoder)
    with pytest.raises(NoSpikingLayersError):
        neuroact.record(model)
    with neuroact.record(model, layers="0") as recording:
        for _ in range(2):
            model(data(name))
    values = raw.values(lambda output: output, sequence=not name.endswith("Step"))
    assert set(values.ravel()) == levels
    assert_true_figures(recording.report()["0"], values, 2 * BATCH)


class Readout(SNNCell):  # type: ignore[misc]  # Norse carries no types
    """A user's leaky integrator, made of Norse's step function."""

    def __init__(self) -> None:
        super().__init__(li_feed_forward_step, LICell().initial_state, LICell().p)


class Real(SNNCell):  # type: ignore[misc]
    """A user's cell that emits its membrane potential."""

    def __init__(self) -> None:
        cell = snn.LIFCell()

        def step(x: Tensor, state: Any, p: Any, dt: float) -> Any:
            _, state = lif_feed_forward_step(x, state, p, dt)
            return state.v, state

        super().__init__(step, cell.initial_state, cell.p)


class Neuron(snn.LIFRefracCell):  # type: ignore[misc]
    """A user's own neuron."""


def test_a_class_of_the_users_own_is_read_as_its_base_is() -> None:
    torch.manual_seed(0)
    layer = Neuron()
    raw = RawCalls(layer)
    with neuroact.record(layer) as recording:
        by_steps(layer, sequence())
    figures = recording.report()["model"]
    assert (figures.layer_type, figures.framework) == ("Neuron", "norse")
    assert_true_figures(figures, raw.values(lambda output: output[0]), BATCH)


def test_a_wrapper_stays_one_whatever_the_user_calls_it() -> None:
    named_like_a_layer = type("SNN", (snn.SequentialState,), {})
    model = named_like_a_layer(snn.LIFCell())
    assert NorseAdapter().kind(model) is None
    with neuroact.record(model) as recording:
        by_steps(model, sequence())
    assert list(recording.report()) == ["0"]


@pytest.mark.parametrize("name", sorted({"LI", "LICell", "LIBoxCell"} & set(vars(snn))))
def test_a_leaky_integrator_stays_one_with_a_step_of_its_own(name: str) -> None:
    layer = getattr(snn, name)()
    layer.activation = lambda x, state, p, dt: (x, state)
    assert NorseAdapter().kind(layer) is SignalKind.ANALOG


def test_a_leaky_integrator_is_told_by_its_step_too() -> None:
    assert NorseAdapter().kind(Readout()) is SignalKind.ANALOG
    sequence_module = SNN(li_feed_forward_step, LICell().initial_state, LICell().p)
    assert NorseAdapter().kind(sequence_module) is SignalKind.ANALOG


def test_a_cell_that_emits_its_voltage_is_found_out() -> None:
    layer = Real()
    with neuroact.record(layer) as recording:
        by_steps(layer, sequence())
    with pytest.warns(UnreliableLayerWarning, match='"model".*Real'):
        assert recording.report()["model"].not_binary


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (snn.LIFCell(), "BN"),
        (snn.LIFRecurrentCell(INPUTS, HIDDEN), "BN"),
        (snn.LIF(), "TBN"),
        (snn.LIFRecurrent(INPUTS, HIDDEN), "TBN"),
        (snn.PoissonEncoder(STEPS), "BN"),
        (snn.SpikeLatencyEncoder(), "TBN"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else value,
)
def test_what_goes_into_a_layer_is_recorded_with_its_axes(layer: nn.Module, axes: str) -> None:
    x = (sequence() > 45).float() if axes == "TBN" else (sequence()[0] > 45).float()
    with neuroact.record(nn.Sequential(layer), layers="0", of="input") as recording:
        layer(x)
        layer(input_tensor=x) if isinstance(layer, SNN | SNNCell) else layer(x)
    figures = recording.report()["0"]
    values = torch.cat([x, x]).reshape(-1, INPUTS).double().numpy()
    assert_true_figures(figures, values, 2 * BATCH)


def test_the_adapter_needs_no_look_at_the_module_before_a_call() -> None:
    """State is passed and returned."""
    adapter = NorseAdapter()
    assert isinstance(adapter, InputAdapter)
    assert not isinstance(adapter, StatefulAdapter)


def test_what_is_no_layer_of_norse_cannot_be_read() -> None:
    lift = snn.Lift(nn.Linear(INPUTS, HIDDEN))
    with pytest.raises(TypeError, match="Lift is not a layer of Norse"):
        NorseAdapter().read(lift, LayerCall((), {}, sequence()))

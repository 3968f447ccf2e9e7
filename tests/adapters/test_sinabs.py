"""sinabs: every class is read, with the figures of NumPy on the raw outputs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import sinabs.layers as sl
import torch
from raw import RawCalls, assert_true_figures
from sinabs.activation import MaxSpike, MembraneReset, MultiSpike, SingleSpike
from sinabs.layers.alif import ALIFSqueeze
from torch import Tensor, nn

import neuroact
from neuroact import LayerCall, SignalKind, StatefulAdapter
from neuroact.errors import NoSpikingLayersError
from neuroact.layers.adapter import InputAdapter
from neuroact_adapters.sinabs import SinabsAdapter

STEPS, BATCH, NEURONS = 7, 3, 4
BINARY, GRADED, ANALOG = SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG

SPIKING_LAYERS = {
    *("IAF", "IAFRecurrent", "IAFSqueeze", "LIF", "LIFRecurrent", "LIFSqueeze"),
    *("ALIF", "ALIFRecurrent", "ALIFSqueeze"),
}
LEAKY_LAYERS = {"ExpLeak", "ExpLeakSqueeze"}
ABSTRACT = {"StatefulLayer"}
NO_LAYERS = {
    *("NeuromorphicReLU", "QuantizeLayer"),  # of analogue networks
    *("Img2SpikeLayer", "Sig2SpikeLayer"),  # encoders
    *("SpikingMaxPooling2dLayer", "SumPool2d", "Cropping2dLayer", "ChannelShift", "Merge"),
    *("FlattenTime", "UnflattenTime", "Repeat", "Network"),
}


class Doubled(SingleSpike):  # type: ignore[misc]  # sinabs carries no types
    """A user's spike function, which may emit anything."""

    @staticmethod
    def forward(*args: Any) -> Tensor:
        spikes: Tensor = 2 * SingleSpike.forward(*args)
        return spikes


class Case(NamedTuple):
    """By hand: a layer, what it emits, and whether batch and time are one dimension."""

    build: Callable[[], Any]
    kind: SignalKind
    flat: bool = False


def linear() -> nn.Module:
    return nn.Linear(NEURONS, NEURONS)


CASES = {
    "IAF": Case(sl.IAF, GRADED),
    "IAFRecurrent": Case(lambda: sl.IAFRecurrent(linear()), GRADED),
    "IAFSqueeze of a batch": Case(lambda: sl.IAFSqueeze(batch_size=BATCH), GRADED, flat=True),
    "IAFSqueeze of steps": Case(lambda: sl.IAFSqueeze(num_timesteps=STEPS), GRADED, flat=True),
    "LIF": Case(lambda: sl.LIF(5.0, norm_input=False), GRADED),
    "LIF with synapses": Case(lambda: sl.LIF(5.0, tau_syn=3.0, norm_input=False), GRADED),
    "LIF with a lower bound": Case(lambda: sl.LIF(5.0, min_v_mem=-0.1, norm_input=False), GRADED),
    "LIF reset to zero": Case(lambda: sl.LIF(5.0, reset_fn=MembraneReset()), GRADED),
    "LIFRecurrent": Case(lambda: sl.LIFRecurrent(5.0, linear(), norm_input=False), GRADED),
    "LIFSqueeze": Case(
        lambda: sl.LIFSqueeze(tau_mem=5.0, norm_input=False, batch_size=BATCH), GRADED, flat=True
    ),
    "ALIF": Case(lambda: sl.ALIF(5.0, 9.0, norm_input=False), BINARY),
    "ALIF with synapses": Case(lambda: sl.ALIF(5.0, 9.0, tau_syn=3.0, norm_input=False), BINARY),
    "ALIFRecurrent": Case(lambda: sl.ALIFRecurrent(5.0, 9.0, linear(), norm_input=False), BINARY),
    "ALIFSqueeze": Case(
        lambda: ALIFSqueeze(tau_mem=5.0, tau_adapt=9.0, norm_input=False, num_timesteps=STEPS),
        BINARY,
        flat=True,
    ),
    "ALIF of many spikes": Case(
        lambda: sl.ALIF(5.0, 9.0, norm_input=False, spike_fn=MultiSpike), GRADED
    ),
    "single spikes": Case(lambda: sl.IAF(spike_fn=SingleSpike), BINARY),
    "at most one spike": Case(lambda: sl.IAF(spike_fn=MaxSpike(1)), BINARY),
    "at most two spikes": Case(lambda: sl.IAF(spike_fn=MaxSpike(2)), GRADED),
    "any number of spikes": Case(lambda: sl.IAF(spike_fn=MaxSpike()), GRADED),
    "a spike function of one's own": Case(lambda: sl.IAF(spike_fn=Doubled), GRADED),
    "no spike function": Case(lambda: sl.IAF(spike_fn=None), ANALOG),
    "ExpLeak": Case(lambda: sl.ExpLeak(5.0), ANALOG),
    "ExpLeakSqueeze": Case(
        lambda: sl.ExpLeakSqueeze(tau_mem=5.0, num_timesteps=STEPS), ANALOG, flat=True
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def currents(case: Case) -> Tensor:
    x = torch.randn(BATCH, STEPS, NEURONS) * 1.5 + 0.5
    return x.flatten(0, 1) if case.flat else x


def observed(output: Tensor) -> Tensor:
    """All (sample, step) pairs of one call in one dimension, in any order."""
    return output.reshape(-1, NEURONS)


@every_case
def test_figures_of_a_layer_equal_numpy_on_the_raw_outputs(case: Case) -> None:
    torch.manual_seed(3)
    layer = case.build()
    model, raw = nn.Sequential(layer), RawCalls(layer)
    with neuroact.record(model, layers="0") as recording:
        for _ in range(3):
            layer.reset_states()
            model(currents(case))
    figures = recording.report()["0"]
    values = raw.values(observed)
    assert_true_figures(figures, values, sequences=3 * BATCH)
    assert (figures.kind, figures.framework, figures.unreliable) == (case.kind, "sinabs", None)
    assert figures.layer_type == type(layer).__name__
    assert len(set(values.ravel())) > (2 if case.kind is ANALOG else 1)
    assert set(values.ravel()) <= {0, 1} or case.kind is not BINARY


@every_case
def test_a_chunk_has_its_time_axis_in_front_and_is_a_view(case: Case) -> None:
    torch.manual_seed(3)
    layer = case.build()
    x = currents(case)
    output = layer(x)
    chunk = SinabsAdapter().read(layer, LayerCall((x,), {}, output))
    by_hand = np.empty((STEPS, BATCH, NEURONS))
    for sample in range(BATCH):
        for step in range(STEPS):
            at = (sample * STEPS + step,) if case.flat else (sample, step)
            by_hand[step, sample] = output[at].detach().numpy()
    np.testing.assert_array_equal(chunk.values.numpy(), by_hand)
    assert chunk.values.data_ptr() == output.data_ptr()
    assert chunk.kind is case.kind


def test_layers_without_a_spike_function_are_recorded_by_request() -> None:
    model = nn.Sequential(linear(), sl.ExpLeak(5.0))
    with pytest.raises(NoSpikingLayersError, match="real values or encode data: 1"):
        neuroact.record(model)


def test_feature_maps_keep_their_shape() -> None:
    for layer, shape in ((sl.IAF(), (BATCH, STEPS)), (sl.IAFSqueeze(batch_size=BATCH), (21,))):
        raw = RawCalls(layer)
        with neuroact.record(layer) as recording:
            layer(torch.rand(*shape, 2, 3, 4))
        figures = recording.report()["model"]
        assert figures.shape == (2, 3, 4)
        values = raw.values(lambda output: output.reshape(-1, 2, 3, 4))
        assert_true_figures(figures, values, BATCH)


def test_a_single_neuron_has_no_dimension() -> None:
    """`[batch, time]` is not mistaken for an unbatched `[time, neurons]`."""
    for layer, shape in ((sl.IAF(), (BATCH, STEPS)), (sl.IAFSqueeze(batch_size=BATCH), (21,))):
        with neuroact.record(layer) as recording:
            spikes = layer(torch.rand(*shape))
        figures = recording.report()["model"]
        assert (figures.shape, figures.observations, figures.sequences) == ((), 21, BATCH)
        assert figures.events == np.count_nonzero(spikes.detach().numpy())


@every_case
def test_what_goes_into_a_layer_is_recorded_with_its_axes(case: Case) -> None:
    layer, x = case.build(), currents(case).round()
    with neuroact.record(nn.Sequential(layer), layers="0", of="input") as recording:
        layer(x)
    assert_true_figures(recording.report()["0"], observed(x).double().numpy(), BATCH)


@pytest.mark.parametrize(
    ("layer", "axes"),
    [
        (sl.IAF(), "BTN"),
        (sl.IAFSqueeze(batch_size=2), "(B=2 T)N"),
        (sl.IAFSqueeze(num_timesteps=5), "(B T=5)N"),
        (sl.IAFSqueeze(batch_size=2, num_timesteps=5), "(B T=5)N"),
    ],
    ids=str,
)
def test_the_axes_of_the_input_say_how_batch_and_time_lie(layer: nn.Module, axes: str) -> None:
    assert SinabsAdapter().input_axes(layer) == axes


def test_the_adapter_sees_state_before_a_call_and_knows_its_inputs() -> None:
    assert isinstance(SinabsAdapter(), StatefulAdapter)
    assert isinstance(SinabsAdapter(), InputAdapter)


def module_classes() -> dict[str, type[nn.Module]]:
    """All `nn.Module` classes of sinabs, exported or not, by name.

    Left out is sinabs.backend: importing it has samna install itself from the network.
    """
    path = importlib.import_module("sinabs.layers").__path__
    names = [info.name for info in pkgutil.iter_modules(path, "sinabs.layers.")]
    modules = [importlib.import_module(name) for name in (*names, "sinabs.network")]
    members = [member for m in modules for member in inspect.getmembers(m, inspect.isclass)]
    return {n: c for n, c in members if issubclass(c, nn.Module) and c.__module__[:7] == "sinabs."}


def test_every_class_that_sinabs_has_is_listed_and_read_as_listed() -> None:
    """If a release has a class that no list names, this fails."""
    classes = module_classes()
    assert set(classes) == SPIKING_LAYERS | LEAKY_LAYERS | ABSTRACT | NO_LAYERS
    for name, cls in classes.items():
        # The class alone decides this, so an instance need not be constructed.
        assert (SinabsAdapter().kind(cls.__new__(cls)) is None) == (name in NO_LAYERS), name
    tested = {type(case.build()).__name__ for case in CASES.values()}
    assert tested == SPIKING_LAYERS | LEAKY_LAYERS

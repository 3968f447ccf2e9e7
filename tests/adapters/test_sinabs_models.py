"""sinabs: converted networks, its own instruments, and the model left as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import sinabs.layers as sl
import torch
from raw import RawCalls, assert_true_figures
from sinabs.from_torch import from_model
from sinabs.hooks import firing_rate_per_neuron_hook
from sinabs.synopcounter import SNNAnalyzer
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind

STEPS, BATCH = 4, 2


def image() -> Tensor:
    return (torch.rand(BATCH * STEPS, 2, 6, 6) > 0.5).float()


def converted() -> Any:
    """An analogue network converted to a spiking one, which also keeps the analogue one."""
    analogue = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), sl.SumPool2d(2), nn.Flatten(), nn.Linear(12, 5)
    )
    analogue.append(sl.NeuromorphicReLU())
    return from_model(analogue, batch_size=BATCH, spike_threshold=torch.tensor(0.25))


def unflattened() -> nn.Module:
    hidden = nn.Linear(5, 4)
    nn.init.uniform_(hidden.weight, 0, 1)  # so that the next layer fires
    first = sl.LIF(5.0, norm_input=False)
    return nn.Sequential(first, hidden, sl.IAFRecurrent(nn.Linear(4, 4)), sl.ExpLeak(9.0))


def signal() -> Tensor:
    return torch.rand(BATCH, STEPS, 5) * 4


MODELS: dict[str, tuple[Callable[[], Any], Callable[[], Tensor], set[str]]] = {
    "converted": (converted, image, {"spiking_model.1", "spiking_model.5"}),
    "unflattened": (unflattened, signal, {"0", "2"}),
}
every_model = pytest.mark.parametrize("case", MODELS.values(), ids=MODELS.keys())


@every_model
def test_the_spiking_layers_are_found_and_only_they(case: Any) -> None:
    torch.manual_seed(0)
    build, data, names = case
    model = build()
    raw = {name: RawCalls(model.get_submodule(name)) for name in names}
    with neuroact.record(model) as recording:
        model(data())
        model(data())
    report = recording.report()
    assert set(report) == names
    for name, calls in raw.items():
        flat = partial(torch.Tensor.reshape, shape=(-1, *report[name].shape))
        values = calls.values(flat)
        assert_true_figures(report[name], values, BATCH)
        assert report[name].kind is SignalKind.GRADED
        assert values.max() > 1  # several spikes a step


@every_model
def test_the_firing_rates_of_sinabs_hooks_are_the_same(case: Any) -> None:
    """There are eight observations, so the mean of whole numbers is exact."""
    torch.manual_seed(0)
    build, data, names = case
    model = build()
    for name in names:
        model.get_submodule(name).register_forward_hook(firing_rate_per_neuron_hook)
    with neuroact.record(model) as recording:
        model(data())
    for name, figures in recording.report().items():
        rates = model.get_submodule(name).hook_data["firing_rate_per_neuron"]
        np.testing.assert_array_equal(figures.activity, rates.detach().numpy())


@every_model
def test_the_analyzer_of_sinabs_accumulates_the_same_on_full_batches(case: Any) -> None:
    torch.manual_seed(0)
    build, data, names = case
    model = build()
    # Its statistics fail on sinabs' own Network, so it gets the module inside.
    inside = getattr(model, "spiking_model", model)
    with pytest.warns(Warning, match="SNNAnalyzer"):
        analyzer = SNNAnalyzer(inside)
    with neuroact.record(model) as recording:
        for _ in range(3):
            model(data())
    statistics = analyzer.get_layer_statistics(average=True)["spiking"]
    for name, figures in recording.report().items():
        accumulated = model.get_submodule(name).acc_output.sum((0, 1))
        np.testing.assert_array_equal(figures.total, accumulated.detach().numpy())
        assert statistics[name.removeprefix("spiking_model.")]["n_neurons"] == figures.neurons
    assert len(statistics) == len(names)


def test_converted_layers_stand_beside_the_analogue_ones_in_one_report() -> None:
    torch.manual_seed(0)
    model = converted()
    layers = ["spiking_model.5", "analog_model.5"]
    with neuroact.record(model, layers=layers) as recording:
        model(image())
        model.analog_model(image())
    report = recording.report()
    assert report["analog_model.5"].kind is SignalKind.ANALOG
    assert report["analog_model.5"].shape == report["spiking_model.5"].shape


@pytest.mark.parametrize(
    ("encoder", "x"),
    [
        (sl.Img2SpikeLayer((2, 3), tw=20), torch.rand(2, 3) * 255),
        (sl.Sig2SpikeLayer(2, tw=2), torch.rand(2, 10)),
    ],
    ids=["image", "signal"],
)
def test_encoders_are_recorded_by_request_with_their_axes(encoder: nn.Module, x: Tensor) -> None:
    """Time is in front, and there is no batch."""
    torch.manual_seed(0)
    raw = RawCalls(encoder)
    with neuroact.record(nn.Sequential(encoder), layers="0", axes="TN") as recording:
        encoder(x)
    values = raw.values(lambda spikes: spikes)
    assert set(values.ravel()) == {0, 1}
    assert_true_figures(recording.report()["0"], values, 1)


def trained_once(model: Any, x: Tensor) -> list[Tensor]:
    """Output, gradients, states, and the state of the random generator afterwards."""
    torch.manual_seed(7)
    output = model(x)
    output.sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [output, *gradients, *model.buffers(), torch.get_rng_state()]


@every_model
def test_a_recorded_model_works_as_if_it_were_not(case: Any) -> None:
    build, data, _ = case
    x, twins = data(), []
    for _ in range(2):  # sinabs cannot copy its recurrent layers
        torch.manual_seed(0)
        twins.append(build())
    model, twin = twins
    expected = trained_once(twin, x)
    attributes = {name: set(vars(module)) for name, module in twin.named_modules()}
    with neuroact.record(model):
        came = trained_once(model, x)
    for mine, theirs in zip(came, expected, strict=True):
        assert torch.equal(mine, theirs)
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_a_wrapper_stays_one_whatever_the_user_calls_it() -> None:
    named_like_a_layer = type("StatefulLayer", (sl.Repeat,), {})
    model = named_like_a_layer(nn.Sequential(nn.Linear(5, 4), sl.IAFSqueeze(batch_size=BATCH)))
    with neuroact.record(model) as recording:
        model(signal())
    report = recording.report()
    assert list(report) == ["module.1"]
    assert report["module.1"].sequences == BATCH


def test_copies_made_meanwhile_are_not_recorded() -> None:
    model = nn.Sequential(sl.LIF(5.0))
    with neuroact.record(model) as recording:
        model(signal())
        copy.deepcopy(model)(signal())
    assert recording.report()["0"].observations == BATCH * STEPS

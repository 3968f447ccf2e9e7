"""AverageActivityMetric in NeuroBench: the right figures, or an error that the user sees."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import snntorch
import torch
from neurobench.metrics.workload import ActivationSparsity, ActivationSparsityByLayer
from neurobench.models import SNNTorchModel, TorchModel
from neurobench_cases import (
    INPUTS,
    KEYS,
    Batches,
    Explicit,
    Hidden,
    WholeSequence,
    WorkshopMetric,
    batches,
    bench,
    neurons_of,
    run,
    spikes_of,
)
from raw import assert_true_figures
from torch import Tensor, nn

import neuroact
from neuroact.errors import NeuroactWarning, NothingRecordedError
from neuroact_adapters.neurobench import AverageActivityMetric, add_spiking_layers, report

NAME = "AverageActivityMetric"

STYLES = {
    "hidden": lambda: SNNTorchModel(Hidden()),
    "explicit": lambda: SNNTorchModel(Explicit()),
    "custom forward": lambda: SNNTorchModel(WholeSequence(), custom_forward=True),
}


def check(model: Any, loader: Batches, results: dict[str, Any], raw: Any) -> None:
    """The figures of all layers are those of the raw values, to the bit."""
    live = report(results)
    assert list(live) == list(raw)
    for name, calls in raw.items():
        assert_true_figures(live[name], calls.values(spikes_of), len(loader.dataset))


@pytest.mark.parametrize("build", STYLES.values(), ids=STYLES)
def test_figures_are_those_of_the_raw_spikes_in_both_forward_styles(build: Any) -> None:
    model, loader = build(), batches(4, 4, 3)
    raw = neurons_of(model.net)
    check(model, loader, run(model, loader, AverageActivityMetric), raw)


def test_figures_equal_the_workshop_metrics_with_its_keys() -> None:
    model = SNNTorchModel(Explicit())
    results = run(model, batches(4, 4, 4), AverageActivityMetric, WorkshopMetric)
    ours, theirs = results[NAME], results["WorkshopMetric"]
    assert list(ours) == ["lif1", "lif2"]
    for mine, his in zip(ours.values(), theirs.values(), strict=True):
        assert list(mine)[: len(KEYS)] == list(KEYS)
        for key in KEYS:
            np.testing.assert_allclose(mine[key], his[key], rtol=1e-6, atol=1e-7)


def test_sparsity_equals_neurobenchs_own_whole_and_by_layer() -> None:
    model = SNNTorchModel(Explicit())
    metrics = (AverageActivityMetric, ActivationSparsity, ActivationSparsityByLayer)
    results = run(model, batches(4, 4, 3), *metrics)
    layers = results[NAME].values()
    values = [layer["neurons"] * layer["timesteps"] for layer in layers]
    zeros = [layer["sparsity"] * size for layer, size in zip(layers, values, strict=True)]
    assert sum(zeros) / sum(values) == pytest.approx(results["ActivationSparsity"], abs=1e-12)
    for name, theirs in results["ActivationSparsityByLayer"].items():
        assert results[NAME][name]["sparsity"] == pytest.approx(theirs, abs=1e-12)


def test_layers_are_named_by_their_full_path() -> None:
    results = run(SNNTorchModel(Hidden()), batches(4), AverageActivityMetric)
    assert list(results[NAME]) == ["0.lif", "1.lif", "2.lif"]


def test_it_says_what_was_looked_at() -> None:
    layer = run(SNNTorchModel(Explicit()), batches(4, 3), AverageActivityMetric)[NAME]["lif1"]
    assert (layer["neurons"], layer["shape"], layer["kind"]) == (7, [7], "binary")
    assert (layer["samples"], layer["timesteps"]) == (7, 7 * 9)
    assert (layer["framework"], layer["layer_type"]) == ("snntorch", "Leaky")
    assert layer["dead"] == layer["histogram"].count(0.0)
    assert layer["saturated"] == layer["histogram"].count(1.0)


def test_sequences_of_unequal_length_weigh_by_their_steps() -> None:
    model = SNNTorchModel(Explicit())
    loader = Batches(torch.rand(4, 9, INPUTS), torch.rand(4, 3, INPUTS), torch.rand(2, 20, INPUTS))
    raw = neurons_of(model.net)
    check(model, loader, run(model, loader, AverageActivityMetric), raw)


def test_a_second_run_starts_from_nothing() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    benchmark = bench(model, loader, AverageActivityMetric)
    first = benchmark.run(quiet=True)
    other = benchmark.run(quiet=True, dataloader=batches(5, steps=4))
    assert benchmark.run(quiet=True) == first  # nobody read the first before the other runs
    assert other[NAME]["lif1"]["timesteps"] == 5 * 4


def test_what_was_run_by_hand_before_is_not_counted() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    expected = run(model, loader, AverageActivityMetric)
    benchmark = bench(model, loader, AverageActivityMetric)
    model(torch.rand(4, 9, INPUTS))
    assert benchmark.run(quiet=True) == expected


def test_a_run_that_broke_off_leaves_nothing_behind() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    expected = run(model, loader, AverageActivityMetric)
    benchmark = bench(model, loader, AverageActivityMetric)
    with pytest.raises(RuntimeError):
        benchmark.run(quiet=True, dataloader=Batches(*loader.inputs, torch.rand(2, 9, 1)))
    assert benchmark.run(quiet=True) == expected


def test_two_benchmarks_on_one_model_are_both_right() -> None:
    model, loader = SNNTorchModel(Hidden()), batches(4, 3)
    expected = run(model, loader, AverageActivityMetric)
    one, two = (bench(model, loader, AverageActivityMetric) for _ in range(2))
    assert one.run(quiet=True) == two.run(quiet=True) == one.run(quiet=True) == expected


def test_a_benchmark_deleted_before_the_other_runs_takes_nothing_away() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    metrics = (AverageActivityMetric, ActivationSparsity)
    expected = run(model, loader, *metrics)
    one, two = (bench(model, loader, *metrics) for _ in range(2))
    del one
    assert not model.activation_hooks
    assert two.run(quiet=True) == expected


def test_hooks_lost_in_the_middle_of_a_run_are_told() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    metric = AverageActivityMetric()
    model.register_hooks()
    model(loader.inputs[0])
    metric(model, None, (loader.inputs[0],))
    model.cleanup_hooks()
    model(loader.inputs[1])
    with pytest.warns(NeuroactWarning, match=r"lif1.*hooks are gone"):
        result = metric(model, None, (loader.inputs[1],))
    assert "mean" not in result["lif1"]
    assert "hooks are gone" in result["lif1"]["error"]


def test_a_shared_layer_counts_once_under_its_first_name() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = Hidden()[0], Hidden()[2]
            self.b.fc, self.b.lif = nn.Linear(7, 7), self.a.lif
            self.a.lif.output = False

        def reset(self) -> None:
            self.a.lif.reset_mem()

        def forward(self, current: Tensor) -> Any:
            return self.b(self.a(current)), None

    model, loader = SNNTorchModel(Shared()), batches(4, 3)
    raw = neurons_of(model.net)
    layer = run(model, loader, AverageActivityMetric)[NAME]["a.lif"]
    values = raw["a.lif"].values(spikes_of)
    assert (layer["timesteps"], layer["aliases"]) == (len(values), ["b.lif"])
    assert layer["histogram"] == values.mean(0).tolist()


def test_an_empty_loader_is_told_where_figures_are_asked_for() -> None:
    results = run(SNNTorchModel(Explicit()), Batches(), AverageActivityMetric)
    assert results == {}
    with pytest.raises(NothingRecordedError, match="no batch"):
        report(results)
    with pytest.raises(NothingRecordedError, match="no batch"):
        AverageActivityMetric.plot_activity_distributions(results)


def test_a_model_without_activation_layers_gets_a_text_for_a_figure() -> None:
    model = TorchModel(nn.Sequential(nn.Linear(INPUTS, 3)))
    with pytest.warns(NeuroactWarning, match=r"hooks no layer of the Sequential"):
        results = run(model, batches(4, 3), AverageActivityMetric)
    assert list(results[NAME]) == ["error"]
    assert "add_activation_module" in results[NAME]["error"]
    with pytest.raises(KeyError, match="no figures"):
        results[NAME]["lif1"]
    with pytest.raises(NothingRecordedError, match="hooks no layer"):
        report(results)


def test_the_text_stands_in_the_results_even_where_warnings_are_errors() -> None:
    # Warnings are errors in these tests. Nothing may be raised, since NeuroBench would swallow it.
    results = run(
        TorchModel(nn.Sequential(nn.Linear(INPUTS, 3))), batches(4), AverageActivityMetric
    )
    assert isinstance(results[NAME], dict)
    assert "hooks no layer" in results[NAME]["error"]


def test_a_spiking_layer_that_neurobench_does_not_hook_is_named() -> None:
    class Mixed(nn.Sequential):
        def forward(self, data: Tensor) -> Tensor:
            return torch.stack([super(Mixed, self).forward(x) for x in data.unbind(1)])

    net = Mixed(nn.Linear(INPUTS, 7), nn.ReLU(), snntorch.Leaky(beta=0.9, init_hidden=True))
    with pytest.warns(NeuroactWarning, match=r'layer "2" \(snntorch Leaky\)'):
        results = run(TorchModel(net), batches(4), AverageActivityMetric)
    assert "mean" not in results[NAME]["2"]
    assert "add_spiking_layers" in results[NAME]["2"]["error"]
    assert results[NAME]["1"]["kind"] == "analog"


def test_add_spiking_layers_hooks_them_before_or_after_the_benchmark_is_built() -> None:
    class Steps(nn.Sequential):
        def forward(self, data: Tensor) -> Tensor:
            self[1].reset_mem()
            return torch.stack([super(Steps, self).forward(x) for x in data.unbind(1)])

    model = TorchModel(Steps(nn.Linear(INPUTS, 7), snntorch.Leaky(beta=0.9, init_hidden=True)))
    late = bench(model, batches(4, 3), AverageActivityMetric)
    assert add_spiking_layers(model) == ("1",)
    assert [layer["layer_name"] for layer in model.activation_layers()] == ["1"]
    raw = neurons_of(model.net)
    results = late.run(quiet=True)
    assert_true_figures(report(results)["1"], raw["1"].values(spikes_of), 7)


def test_a_copy_of_the_model_hooks_its_own_layers() -> None:
    model = TorchModel(nn.Sequential(nn.Linear(5, 3), snntorch.Leaky(beta=0.9, init_hidden=True)))
    add_spiking_layers(model)
    copied = copy.deepcopy(model)
    assert [found["layer"] for found in copied.activation_layers()] == [copied.net[1]]


def test_a_network_that_is_itself_a_layer_is_refused() -> None:
    model = TorchModel(snntorch.Leaky(beta=0.9))
    with pytest.raises(ValueError, match=r"torch.nn.Sequential\(net\)"):
        add_spiking_layers(model)


def test_add_spiking_layers_says_when_there_are_none() -> None:
    with pytest.raises(neuroact.errors.NoSpikingLayersError):
        add_spiking_layers(TorchModel(nn.Sequential(nn.ReLU())))


def test_activations_that_are_no_neurons_are_read_as_one_step_batch_first() -> None:
    model = TorchModel(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2), nn.Sigmoid()))
    loader = Batches(torch.rand(5, 4) - 0.5, torch.rand(3, 4) - 0.5)
    results = run(model, loader, AverageActivityMetric, ActivationSparsityByLayer)
    # Batch by batch, as the model ran: a product of another shape rounds differently.
    outputs = torch.cat([model.net[:2](batch) for batch in loader.inputs]).double()
    layer = results[NAME]["1"]
    assert (layer["kind"], layer["timesteps"]) == ("analog", 8)
    np.testing.assert_allclose(layer["histogram"], outputs.mean(0).tolist(), rtol=1e-12)
    assert layer["sparsity"] == pytest.approx(results["ActivationSparsityByLayer"]["1"])


def test_a_time_axis_in_front_is_refused_until_axes_tell_of_it() -> None:
    class TimeFirst(nn.Sequential):
        def forward(self, data: Tensor) -> Any:
            return super().forward(data.transpose(0, 1))

    model = TorchModel(TimeFirst(nn.Linear(INPUTS, 6), nn.ReLU()))
    with pytest.warns(NeuroactWarning, match="9 samples where the batch has 4"):
        results = run(model, batches(4), AverageActivityMetric)
    assert "mean" not in results[NAME]["1"]
    told = AverageActivityMetric.configured(name="Told", axes="TBN")
    layer = run(model, batches(4, 3), told)["Told"]["1"]
    assert (layer["shape"], layer["samples"], layer["timesteps"]) == ([6], 7, 63)


class OwnLif(nn.Module):
    """Loops over time and returns `(spikes, mem)`, as people's own modules do."""

    def forward(self, current: Tensor) -> tuple[Tensor, Tensor]:
        mem, spikes = torch.zeros_like(current[:, 0]), []
        for step in current.unbind(1):
            mem = 0.9 * mem + step
            spikes.append((mem > 1).float())
            mem = mem * (1 - spikes[-1])
        return torch.stack(spikes, 1), mem


@pytest.mark.parametrize("by_mapping", [True, False])
def test_a_module_without_adapter_is_read_as_configured(by_mapping: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(INPUTS, 6), OwnLif()

        def forward(self, data: Tensor) -> Any:
            return self.lif(self.fc(data) * 4)[0]

    model, loader = TorchModel(Net()), batches(4, 3)
    model.add_activation_module(OwnLif)
    said: dict[str, Any] = {"axes": "BTN", "kind": "binary", "values": 0}
    if by_mapping:
        said = {"layers": {"lif": neuroact.Reading(**said)}}
    own = AverageActivityMetric.configured(name="Own", **said)
    layer = run(model, loader, own)["Own"]["lif"]
    spikes = torch.cat([model.net(batch).flatten(0, 1) for batch in loader.inputs])
    assert (layer["kind"], layer["samples"], layer["timesteps"]) == ("binary", 7, 63)
    assert layer["histogram"] == (spikes.double().sum(0) / 63).tolist()
    with pytest.raises(ValueError, match='expected kind= to be "binary"'):
        AverageActivityMetric.configured(name="Own", kind="spikes")


def test_a_layer_never_called_is_named_without_figures() -> None:
    net = Explicit()
    net.spare = snntorch.Leaky(beta=0.9)
    results = run(SNNTorchModel(net), batches(4), AverageActivityMetric)
    assert results[NAME]["spare"]["error"] == "it was never called"
    assert "mean" not in results[NAME]["spare"]
    with pytest.warns(neuroact.errors.UnreliableLayerWarning, match=r'"spare".*never called'):
        assert report(results).not_called == ("spare",)


def test_one_unreadable_layer_does_not_hurt_the_others() -> None:
    class Growing(Explicit):
        def forward(self, current: Tensor) -> Any:
            self.lif2(torch.rand(len(current), 11))
            return super().forward(current)

    with pytest.warns(NeuroactWarning, match=r"lif2.*more than one shape"):
        results = run(SNNTorchModel(Growing()), batches(4), AverageActivityMetric)
    assert "histogram" not in results[NAME]["lif2"]
    assert "more than one shape" in results[NAME]["lif2"]["error"]
    assert results[NAME]["lif1"]["timesteps"] == 36


def test_values_that_are_no_numbers_give_none_and_the_reason() -> None:
    model = TorchModel(nn.Sequential(nn.ReLU()))
    layer = run(model, Batches(torch.tensor([[1.0, float("nan")]])), AverageActivityMetric)[NAME][
        "0"
    ]
    assert layer["mean"] is layer["sparsity"] is layer["dead"] is None
    assert layer["histogram"] == [None, None]
    assert "NaN" in layer["error"]


def test_the_metric_alone_has_working_call_compute_and_reset() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4)
    metric = AverageActivityMetric()
    assert metric.requires_hooks
    assert metric.compute() == {"error": "no figures: no batch was run"}
    model.register_hooks()
    model(loader.inputs[0])
    result = metric(model, None, (loader.inputs[0],))
    assert result == metric.compute()
    metric.reset()
    assert "error" in metric.compute()
    assert result["lif1"]["timesteps"] == 36


def test_verbose_runs_print_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    bench(SNNTorchModel(Explicit()), batches(4, 3), AverageActivityMetric).run(verbose=True)
    printed = capsys.readouterr().out
    assert "'samples': 4" in printed
    assert "'samples': 7" in printed

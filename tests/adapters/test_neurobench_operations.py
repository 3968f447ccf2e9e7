"""SynapticOperationsMetric in NeuroBench: its figures where those are right, with its manners."""

from __future__ import annotations

import ast
import csv
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import snntorch
import torch
from alive import tensors_alive
from brute import counted
from drawn_layers import layers
from hypothesis import given
from hypothesis import strategies as st
from neurobench.metrics.workload import SynapticOperations
from neurobench.models import SNNTorchModel, TorchModel
from neurobench_cases import Batches, Explicit, Hidden, WholeSequence, batches, bench, run
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn

import neuroact
from neuroact.errors import NeuroactWarning, NothingRecordedError
from neuroact_adapters.neurobench import AverageActivityMetric, SynapticOperationsMetric, report

NAME, THEIRS = "SynapticOperationsMetric", "SynapticOperations"
ByCall = SynapticOperationsMetric.configured(name="ByCall", split="call")


def per_sample(module: Any, *inputs: Tensor) -> dict[str, float]:
    """NeuroBench's keys with brute force's figures, of a layer alone."""
    found = counted(module, module.weight, *inputs)
    samples = sum(map(len, inputs))
    names = ("Effective_MACs", "Effective_ACs", "Dense")
    return {name: figure / samples for name, figure in zip(names, found, strict=True)}


def linear(inputs: int = 4, outputs: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, outputs))


@st.composite
def loaders(draw: st.DrawFn, shape: tuple[int, ...]) -> Batches:
    """Batches of spikes, signed spikes, and real values among them."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    values = torch.tensor([0.0, 0.0, 1.0, -1.0, 0.5, 2.0])
    kinds = [draw(st.sampled_from([3, 4, 6])) for _ in sizes]
    return Batches(
        *(values[torch.randint(kind, (n, *shape))] for n, kind in zip(sizes, kinds, strict=True))
    )


@given(st.data())
def test_figures_are_neurobenchs_and_brute_forces_for_any_layer_and_batch(data: Any) -> None:
    module, shape = data.draw(layers())
    loader = data.draw(loaders(shape))
    model = TorchModel(nn.Sequential(module))
    with torch.no_grad():
        results = run(model, loader, SynapticOperations, SynapticOperationsMetric, ByCall)
    ours, theirs = results[NAME], results[THEIRS]
    assert ours == per_sample(module, *loader.inputs)
    assert ours["Dense"] == theirs["Dense"]
    assert results["ByCall"] == theirs  # the split too, to the bit


class Convolutional(nn.Module):
    """SpikingJelly over whole sequences: leading dimensions of time and of the batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            layer.Conv2d(1, 2, 3, padding=1),
            neuron.IFNode(v_threshold=0.3),
            layer.Flatten(),
            layer.Linear(32, 3),
            neuron.IFNode(v_threshold=0.3),
        )
        functional.set_step_mode(self.body, "m")

    def forward(self, data: Tensor) -> Tensor:
        functional.reset_net(self)
        spikes: Tensor = self.body(data.transpose(0, 1)).sum(0)
        return spikes


class Cell(nn.Module):
    """A cell of torch whose state goes in and comes out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell, self.fc = nn.RNNCell(5, 4), nn.Linear(4, 3)

    def forward(self, data: Tensor) -> Tensor:
        state = torch.zeros(len(data), 4)
        for step in data.unbind(1):
            state = self.cell(step, state)
        result: Tensor = self.fc(state)
        return result


class Recurrent(nn.Module):
    """A recurrent layer of snnTorch, whose weights are a Linear inside it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(5, 4)
        self.lif = snntorch.RLeaky(0.9, linear_features=4, threshold=0.2, init_hidden=True)

    def forward(self, data: Tensor) -> Tensor:
        self.lif.reset_mem()
        return torch.stack([self.lif(self.fc(step)) for step in data.unbind(1)])


NETWORKS: dict[str, Callable[[], Any]] = {
    "snnTorch, step by step": lambda: (SNNTorchModel(Hidden()), batches(4, 4, 3)),
    "snnTorch, custom forward": lambda: (
        SNNTorchModel(WholeSequence(), custom_forward=True),
        batches(4, 3),
    ),
    "snnTorch, recurrent": lambda: (TorchModel(Recurrent()), batches(4, 3)),
    "SpikingJelly": lambda: (
        TorchModel(Convolutional()),
        Batches(5 * torch.rand(3, 6, 1, 4, 4), 5 * torch.rand(2, 6, 1, 4, 4)),
    ),
}


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_figures_of_whole_networks_are_neurobenchs(build: Any) -> None:
    model, loader = build()
    results = run(model, loader, SynapticOperationsMetric, ByCall, SynapticOperations)
    assert results["ByCall"] == results[THEIRS]
    assert results[NAME]["Effective_ACs"] > 0
    assert results[NAME] == results[THEIRS]  # each layer takes spikes alone, or real values alone


def test_a_cell_with_state_has_neurobenchs_figures_or_is_named() -> None:
    spikes = (torch.rand(4, 9, 5) < 0.5).float()
    model, loader = TorchModel(Cell()), Batches(spikes, torch.rand(3, 9, 5))
    with torch.no_grad():
        results = run(model, loader, SynapticOperations, SynapticOperationsMetric, ByCall)
    ours, by_call, theirs = results[NAME], results["ByCall"], results[THEIRS]
    if "cell" in ours.get("not_counted", {}):
        assert ours["Dense"] < theirs["Dense"]
    else:
        assert by_call == theirs
        assert ours["Dense"] == theirs["Dense"]
        effective = [each["Effective_ACs"] + each["Effective_MACs"] for each in (ours, theirs)]
        assert effective[0] == pytest.approx(effective[1], rel=1e-12)


METRICS = (SynapticOperations, AverageActivityMetric, SynapticOperationsMetric)


@pytest.mark.parametrize("metrics", [METRICS, METRICS[::-1], METRICS[2:]])
def test_metrics_beside_it_change_nothing_and_are_not_changed(metrics: Any) -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    alone = {each.__name__: run(model, loader, each)[each.__name__] for each in METRICS}
    results = run(model, loader, *metrics)
    assert results == {each.__name__: alone[each.__name__] for each in metrics}


def test_it_needs_none_of_neurobenchs_hooks() -> None:
    model = SNNTorchModel(Explicit())
    benchmark = bench(model, batches(4), SynapticOperationsMetric)
    assert not model.connection_hooks
    assert benchmark.run(quiet=True)[NAME]["Dense"] == 9 * (5 * 7 + 7 * 3)


def test_figures_do_not_depend_on_how_the_samples_are_batched() -> None:
    x = torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 0.0], [0.5, -1.0]])
    net = linear(2)
    found = [
        run(TorchModel(net), Batches(*x.split(n)), SynapticOperationsMetric)[NAME]
        for n in (1, 2, 3, 5)
    ]
    assert found == [per_sample(net[0], x)] * 4


def test_by_call_all_operations_of_a_call_with_another_value_are_macs() -> None:
    x = torch.tensor([[1.0, -1.0], [2.0, 0.0]])
    results = run(TorchModel(linear(2)), Batches(x, x[:1]), ByCall, SynapticOperationsMetric)
    assert results["ByCall"] == {"Effective_MACs": 3.0, "Effective_ACs": 2.0, "Dense": 6.0}
    assert results[NAME] == {"Effective_MACs": 1.0, "Effective_ACs": 4.0, "Dense": 6.0}


class AsFloats(nn.Linear):
    """Takes values of any type."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to_dense().float())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("kind", [Tensor.bool, Tensor.int, Tensor.half, Tensor.to_sparse])
def test_inputs_of_any_type_are_counted_by_event_and_by_call(kind: Any, mode: Any) -> None:
    x = torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 2.0, 1.0, 0.0]])
    net = nn.Sequential(nn.Identity(), AsFloats(4, 3))
    net[0].register_forward_hook(lambda *call: kind(call[2]))
    with mode():
        results = run(TorchModel(net), Batches(x), SynapticOperationsMetric, ByCall)
    macs = 0 if kind is Tensor.bool else 1
    expected = {"Effective_MACs": 1.5 * macs, "Effective_ACs": 6 - 1.5 * macs, "Dense": 12.0}
    assert results[NAME] == expected
    assert results["ByCall"]["Effective_MACs"] == 6.0 * macs


def test_by_call_figures_weighted_by_values_are_none_where_values_were_replaced() -> None:
    benchmark = bench(TorchModel(linear(2)), Batches(torch.tensor([[1.0, 2.0]])), ByCall)
    benchmark.run(quiet=True)
    operations = benchmark.workload_metric_manager.metrics["ByCall"].operations
    assert operations["0"].weighted is None
    assert (operations["0"].macs, operations["0"].events) == (6, 2)


def test_a_second_run_starts_from_nothing() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    benchmark = bench(model, loader, SynapticOperationsMetric)
    first = benchmark.run(quiet=True)
    other = benchmark.run(quiet=True, dataloader=batches(5, steps=4))
    assert benchmark.run(quiet=True) == first  # nobody read the first before the other runs
    assert other[NAME]["Dense"] == 4 * (5 * 7 + 7 * 3)


def test_what_is_run_by_hand_before_or_after_is_not_counted() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    expected = dict(run(model, loader, SynapticOperationsMetric)[NAME])
    benchmark = bench(model, loader, SynapticOperationsMetric)
    model(torch.rand(4, 9, 5))
    results = benchmark.run(quiet=True)
    model(torch.rand(4, 9, 5))
    assert results[NAME] == expected


def test_a_run_that_broke_off_leaves_nothing_behind() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    expected = run(model, loader, SynapticOperationsMetric)
    benchmark = bench(model, loader, SynapticOperationsMetric)
    with pytest.raises(RuntimeError):
        benchmark.run(quiet=True, dataloader=Batches(*loader.inputs, torch.rand(2, 9, 1)))
    assert benchmark.run(quiet=True) == expected


def test_two_benchmarks_on_one_model_are_both_right() -> None:
    model, loader = SNNTorchModel(Hidden()), batches(4, 3)
    expected = run(model, loader, SynapticOperationsMetric)
    one, two = (bench(model, loader, SynapticOperationsMetric) for _ in range(2))
    assert one.run(quiet=True) == two.run(quiet=True) == one.run(quiet=True) == expected
    del one
    assert two.run(quiet=True) == expected


def test_the_model_is_as_it_was_found_after_the_last_batch() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    model, x = TorchModel(net), torch.rand(2, 4)
    before, output = [dict(vars(module)) for module in net.modules()], net(x)
    benchmark = bench(model, Batches(x, x), SynapticOperationsMetric)
    benchmark.run(quiet=True)
    assert [dict(vars(module)) for module in net.modules()] == before
    assert torch.equal(net(x), output)
    assert benchmark is not None  # it need not be gone for that


def test_after_a_run_that_broke_off_the_model_is_let_go_with_the_benchmark() -> None:
    net = linear()
    benchmark = bench(TorchModel(net), Batches(torch.ones(2, 4)), SynapticOperationsMetric)
    with pytest.raises(RuntimeError):
        benchmark.run(quiet=True, dataloader=Batches(torch.ones(2, 4), torch.ones(2, 3)))
    assert "forward" in vars(net[0])
    del benchmark
    gc.collect()
    assert "forward" not in vars(net[0])


def test_what_it_holds_does_not_grow_with_the_batches() -> None:
    model, metric = SNNTorchModel(Hidden()), SynapticOperationsMetric()
    metric.watch(model)
    earlier, held = tensors_alive(), []
    for _ in range(5):
        batch = torch.rand(4, 5, 5)
        with torch.no_grad():
            model(batch)
        metric(model, None, (batch,))
        held.append(len(tensors_alive()))
    assert held[2:] == held[2:3] * 3
    assert earlier is not None  # kept until here: a new tensor must not take its place


@pytest.mark.parametrize("ending", ["json", "csv", "txt"])
def test_results_are_saved_and_read_back_in_every_format(ending: Any, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    benchmark = bench(TorchModel(net), Batches(torch.ones(2, 4)), SynapticOperationsMetric)
    with pytest.warns(NeuroactWarning):
        benchmark.run(quiet=True)
    benchmark.save_benchmark_results(str(tmp_path / "saved"), ending)  # not read yet
    with (tmp_path / f"saved.{ending}").open(newline="") as file:
        if ending == "json":
            found = json.load(file)
        elif ending == "csv":
            header, row = csv.reader(file)
            found = dict(zip(header, map(ast.literal_eval, row), strict=True))
        else:
            name, text = file.read().split(": ", 1)
            found = {name: ast.literal_eval(text)}
    why = "operations of LayerNorm with its weight, bias are not counted"
    figures = {"Effective_MACs": 0.0, "Effective_ACs": 12.0, "Dense": 12.0}
    assert found == {NAME: figures | {"not_counted": {"1": why}}}


def test_what_is_not_counted_is_warned_of_by_name_once_a_run() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.spare, self.norm = nn.Linear(4, 3), nn.Linear(4, 3), nn.LayerNorm(3)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.norm(self.fc(x))
            return result

    benchmark = bench(TorchModel(Spare()), Batches(*torch.ones(3, 2, 4)), SynapticOperationsMetric)
    for _ in range(2):
        with pytest.warns(NeuroactWarning) as caught:
            results = benchmark.run(quiet=True)
        first, last = [str(each.message) for each in caught]
        assert first.startswith(f'{NAME} does not count "norm": operations of LayerNorm')
        assert last.startswith(f'{NAME} does not count "spare": it was never called')
        assert list(results[NAME]["not_counted"]) == ["norm", "spare"]


def test_the_reasons_stand_in_the_results_even_where_warnings_are_errors() -> None:
    # Warnings are errors in these tests. Nothing may be raised, since NeuroBench would swallow it.
    net = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    results = run(TorchModel(net), Batches(torch.ones(2, 4)), SynapticOperationsMetric)
    assert list(results[NAME]["not_counted"]) == ["1"]


def test_a_layer_that_nobody_can_count_leaves_no_figure_of_zero() -> None:
    model = TorchModel(nn.Sequential(nn.LayerNorm(3)))
    results = run(model, Batches(torch.ones(2, 3)), SynapticOperationsMetric)
    nothing = {"Effective_MACs": None, "Effective_ACs": None, "Dense": None}
    assert nothing.items() <= results[NAME].items()
    assert results[NAME]["error"] == "no figures: no layer was counted"
    assert list(results[NAME]["not_counted"]) == ["0"]


def test_a_nan_is_named_and_no_figure() -> None:
    x = torch.tensor([[1.0, float("nan"), 0.0, 0.0]])
    with pytest.warns(NeuroactWarning, match='"0": a NaN or an infinity arrived at it'):
        results = run(TorchModel(linear()), Batches(x), SynapticOperationsMetric, ByCall)
    for name in (NAME, "ByCall"):
        assert results[name]["Dense"] is None
        assert results[name]["not_counted"] == {"0": "a NaN or an infinity arrived at it"}


def test_more_batches_than_the_loaders_length_are_told() -> None:
    class Longer(Batches):
        def __len__(self) -> int:
            return 1

    loader = Longer(torch.ones(2, 4), torch.ones(2, 4))
    with pytest.warns(NeuroactWarning, match="more batches than the 1 that its length says"):
        results = run(TorchModel(linear()), loader, SynapticOperationsMetric)
    assert results[NAME]["Dense"] is None
    assert "its length says" in results[NAME]["error"]


def test_fewer_batches_than_the_loaders_length_are_counted() -> None:
    class Shorter(Batches):
        def __len__(self) -> int:
            return 5

    results = run(TorchModel(linear()), Shorter(torch.ones(2, 4)), SynapticOperationsMetric)
    assert results[NAME] == {"Effective_MACs": 0.0, "Effective_ACs": 12.0, "Dense": 12.0}


def test_the_metric_alone_counts_what_runs_after_watch() -> None:
    net, x = linear(), torch.ones(2, 4)
    model, metric = TorchModel(net), SynapticOperationsMetric()
    assert metric.compute()["error"] == "no figures: no batch was run"
    model(x)
    metric.watch(model)
    model(x)
    result = metric(model, None, (x,))
    assert result == metric.compute() == per_sample(net[0], x)
    metric.reset()
    assert metric.compute()["Dense"] is None
    assert "forward" not in vars(net[0])
    assert result["Dense"] == 12


def test_a_batch_that_was_not_watched_is_told() -> None:
    model, metric = TorchModel(linear()), SynapticOperationsMetric()
    with pytest.warns(NeuroactWarning, match=r"metric\.watch\(model\)"):
        result = metric(model, None, (torch.ones(2, 4),))
    assert result["Dense"] is None
    with pytest.raises(NothingRecordedError, match="not known before its first batch"):
        _ = metric.operations


def test_a_network_that_is_no_module_is_told() -> None:
    class Function(TorchModel):  # type: ignore[misc]  # NeuroBench has no types
        def __net__(self) -> Any:
            return torch.relu

    model = Function(linear())
    with pytest.warns(NeuroactWarning, match="expected the network to be a torch.nn.Module"):
        results = run(model, Batches(torch.ones(2, 4)), SynapticOperationsMetric)
    assert results[NAME]["Dense"] is None


def test_the_whole_operations_are_had_from_the_metric() -> None:
    model, loader = SNNTorchModel(Explicit()), batches(4, 3)
    benchmark = bench(model, loader, SynapticOperationsMetric)
    with pytest.raises(NothingRecordedError, match="no batch was run"):
        _ = benchmark.workload_metric_manager.metrics[NAME].operations
    results = benchmark.run(quiet=True)
    operations = benchmark.workload_metric_manager.metrics[NAME].operations
    with neuroact.record(model.net, operations=True) as recording, torch.no_grad():
        for x in loader.inputs:
            model(x)
    assert dict(operations) == dict(recording.report().operations)
    assert list(operations) == ["fc1", "fc2"]
    assert operations["fc1"].observations == 7 * 9
    assert operations.per_sample.total.acs == results[NAME]["Effective_ACs"]
    assert operations.energy(neuroact.energy.HOROWITZ_45NM_FP32).total > 0


def test_a_report_of_the_activity_is_not_confused_by_a_metric_without_figures() -> None:
    model = TorchModel(nn.Sequential(nn.ReLU()))
    results = run(model, Batches(torch.ones(2, 3)), AverageActivityMetric, SynapticOperationsMetric)
    assert results[NAME]["error"] == "no figures: no layer was counted"
    assert list(report(results)) == ["0"]


def test_verbose_runs_print_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    net = linear()
    loader = Batches(torch.ones(2, 4), torch.zeros(2, 4))
    bench(TorchModel(net), loader, SynapticOperationsMetric).run(verbose=True)
    printed = capsys.readouterr().out
    assert "'Effective_ACs': 12.0" in printed
    assert "'Effective_ACs': 6.0" in printed


def test_results_of_a_loader_with_too_long_a_length_print_all_reasons() -> None:
    class Shorter(Batches):
        def __len__(self) -> int:
            return 5

    net = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    results = run(TorchModel(net), Shorter(torch.ones(2, 4)), SynapticOperationsMetric)
    assert ast.literal_eval(repr(results)) == results
    assert list(results[NAME]["not_counted"]) == ["1"]


def test_options_that_no_run_could_use_are_refused() -> None:
    with pytest.raises(ValueError, match='split= to be "event" or "call", came \'batch\''):
        SynapticOperationsMetric.configured(name="X", split="batch")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="name= to be a name"):
        SynapticOperationsMetric.configured(name="")
    with pytest.raises(TypeError, match="batch_dim= to be a dimension's number"):
        SynapticOperationsMetric.configured(name="X", batch_dim="1")  # type: ignore[arg-type]

"""What the page on other tools says they give, they give; and it is what neuroact gives."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sinabs.layers
import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.workload import (
    ActivationSparsity,
    ActivationSparsityByLayer,
    SynapticOperations,
)
from neurobench.models import TorchModel
from sinabs.synopcounter import SNNAnalyzer
from snntorch import utils
from snntorch.functional import probe
from spikingjelly.activation_based import functional, layer, monitor, neuron, op_counter
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanMetric

import neuroact
from neuroact import Raster

PAGE = Path(__file__).parents[2] / "docs/explanation/beside-other-tools.md"
STEPS = torch.rand(25, 8, 20, generator=torch.Generator().manual_seed(0)) * 2


def in_spikingjelly() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(layer.Linear(20, 10), neuron.IFNode())


def in_snntorch() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 10), snntorch.Leaky(beta=0.9, init_hidden=True))


def played(net: nn.Module, **options: Any) -> Any:
    """What neuroact reports of a layer that is given the steps one by one."""
    functional.reset_net(net)
    utils.reset(net)
    with neuroact.record(net, **options) as recording:
        for step in STEPS:
            net(step)
    return recording.report()


def kept(monitored: Any) -> Tensor:
    """What a monitor kept of all steps."""
    return torch.stack([torch.as_tensor(record) for record in monitored.records]).detach()


def raster(net: nn.Module, monitored: Any) -> None:
    """The outputs a monitor keeps are those that the raster shows."""
    with torch.no_grad():
        shown = played(net, statistics=Raster(8))["1"][Raster]
    drawn = np.zeros((25, 8, 10))
    drawn[shown.step, shown.sequence, shown.neuron] = 1
    np.testing.assert_array_equal(drawn, kept(monitored).numpy())
    assert drawn.any()


def state(name: str) -> Callable[[nn.Module, Any], None]:
    """The membrane potentials that a monitor keeps have the mean that neuroact gives."""

    def check(net: nn.Module, monitored: Any) -> None:
        with torch.no_grad():
            figures = played(net, of=name, statistics=neuroact.Signal)["1"]
        expected = kept(monitored).double().mean((0, 1))
        np.testing.assert_allclose(figures.activity, expected.numpy(), rtol=1e-6)

    return check


def gradients(net: nn.Module, monitored: Any) -> None:
    functional.reset_net(net)
    utils.reset(net)
    with neuroact.record(net, of="grad", statistics=neuroact.Signal) as recording:
        torch.stack([net(step) for step in STEPS]).pow(2).sum().backward()
    records = torch.stack(
        [record[0] if isinstance(record, tuple) else record for record in monitored.records]
    )
    figures = recording.report()["1"]
    np.testing.assert_allclose(
        figures.activity, records.double().mean((0, 1)), rtol=1e-6, atol=1e-12
    )


def analysed() -> tuple[Any, Any, nn.Module]:
    """What sinabs and neuroact say of the same whole sequences, and the network."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 10), sinabs.layers.IAF())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sinabs advises its hooks
        analyzer = SNNAnalyzer(net)
    x = (STEPS.movedim(0, 1) > 1).float()
    with neuroact.record(net, operations=True) as recording, torch.no_grad():
        net(x)
    return analyzer.get_layer_statistics(), recording.report(), net


def firing_rate() -> None:
    theirs, report, _ = analysed()
    assert float(theirs["spiking"]["1"]["firing_rate"]) == pytest.approx(report["1"].mean, rel=1e-6)


def firing_rate_per_neuron() -> None:
    theirs, report, _ = analysed()
    rates = theirs["spiking"]["1"]["firing_rate_per_neuron"]
    np.testing.assert_allclose(rates, report["1"].activity, rtol=1e-6)


def synops() -> None:
    theirs, report, _ = analysed()
    operations = report.operations.per_sample["0"].effective
    assert float(theirs["parameter"]["0"]["synops"]) == pytest.approx(operations, rel=1e-6)


def synop_counter() -> None:
    net = in_spikingjelly()
    counter = op_counter.SynOpCounter()
    spikes = (STEPS > 1).float()
    with (
        op_counter.DispatchCounterMode([counter]),
        neuroact.record(net, operations=True) as recording,
        torch.no_grad(),
    ):
        for step in spikes:
            net(step)
    assert counter.get_total() == recording.report().operations["0"].effective


class _Steps(nn.Module):
    """NeuroBench gives a model whole samples, `[batch, time, inputs]`."""

    def __init__(self) -> None:
        super().__init__()
        self.net = in_snntorch()

    def forward(self, x: Tensor) -> Tensor:
        utils.reset(self.net)
        return torch.stack([self.net(step) for step in x.movedim(1, 0)]).sum(0)


def benchmark(metric: type, model: nn.Module) -> Any:
    samples = STEPS.movedim(0, 1)
    loader = DataLoader(TensorDataset(samples, torch.zeros(len(samples))), batch_size=3)
    wrapped = TorchModel(model)
    wrapped.add_activation_module(snntorch.SpikingNeuron)
    with torch.no_grad():
        # NeuroBench 2.3 cannot build the sparsity by layer unless a metric with hooks comes before.
        metrics = [ActivationSparsity, metric]
        return Benchmark(wrapped, loader, [], [], [[], metrics]).run(quiet=True)[metric.__name__]


def sparsity_by_layer() -> None:
    model = _Steps()
    theirs = benchmark(ActivationSparsityByLayer, model)
    with torch.no_grad():
        report = neuroact.measure(model, [STEPS.movedim(0, 1)], progress=False)
    assert list(theirs.values()) == [pytest.approx(report["net.1"].sparsity, rel=1e-9)]


def synaptic_operations() -> None:
    model = _Steps()
    theirs = benchmark(SynapticOperations, model)
    with torch.no_grad():
        report = neuroact.measure(model, [STEPS.movedim(0, 1)], operations=True, progress=False)
    ours = report.operations.per_sample.total
    assert theirs["Effective_MACs"] + theirs["Effective_ACs"] == pytest.approx(ours.effective)


def mean_metric() -> None:
    net, mean = in_snntorch(), MeanMetric()
    with torch.no_grad():
        report = played(net)
        utils.reset(net)
        for step in STEPS:
            mean.update(net(step))
    assert float(mean.compute()) == pytest.approx(report["1"].mean, rel=1e-6)


def with_monitor(build: Callable[[], nn.Module], make: Any, check: Any) -> Callable[[], None]:
    def run() -> None:
        net = build()
        monitored = make(net)
        try:
            check(net, monitored)
        finally:
            monitored.remove_hooks()

    return run


def monitors(
    tool: str, build: Callable[[], nn.Module], of: Any, layers: type, membrane: str
) -> dict[tuple[str, str], Callable[[], None]]:
    """The checks of a tool's monitors; snnTorch's are called as SpikingJelly's are."""
    found = {
        "OutputMonitor": (lambda net: of.OutputMonitor(net, layers), raster),
        "AttributeMonitor": (
            lambda net: of.AttributeMonitor(membrane, False, net, layers),
            state(membrane),
        ),
        "GradOutputMonitor": (lambda net: of.GradOutputMonitor(net, layers), gradients),
    }
    return {(tool, name): with_monitor(build, *check) for name, check in found.items()}


CHECKS: dict[tuple[str, str], Callable[[], None]] = {
    **monitors("SpikingJelly", in_spikingjelly, monitor, neuron.IFNode, "v"),
    ("SpikingJelly", "SynOpCounter"): synop_counter,
    **monitors("snnTorch", in_snntorch, probe, snntorch.Leaky, "mem"),
    ("sinabs", "firing_rate"): firing_rate,
    ("sinabs", "firing_rate_per_neuron"): firing_rate_per_neuron,
    ("sinabs", "synops"): synops,
    ("NeuroBench", "ActivationSparsityByLayer"): sparsity_by_layer,
    ("NeuroBench", "SynapticOperations"): synaptic_operations,
    ("torchmetrics", "MeanMetric"): mean_metric,
}


def cells() -> set[tuple[str, str]]:
    """The tools and the names in the cells of the page's first table, but neuroact's own."""
    table = PAGE.read_text(encoding="utf-8").split("\n\n")[2].splitlines()
    tools = [re.split(r"['\s]", cell.strip())[0] for cell in table[0].split("|")[3:-1]]
    rows = [row.split("|")[3:-1] for row in table[2:]]
    return {
        (tool, name)
        for row in rows
        for tool, cell in zip(tools, row, strict=True)
        for name in re.findall(r"`(\w+)`", cell)
    }


def test_every_figure_that_the_page_says_a_tool_gives_is_compared() -> None:
    assert cells() == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS.values(), ids=map("-".join, CHECKS))
def test_what_a_tool_gives_is_what_neuroact_gives(check: Callable[[], None]) -> None:
    check()

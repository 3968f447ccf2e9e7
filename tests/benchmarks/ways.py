"""The ways to watch a network's layers that are timed side by side: ours and other tools'.

Each is a context manager that takes a case, and gives the function to call after each batch. Most
have nothing to do then; some metrics compute their figures from what the batch left behind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from networks import Case
from torch import Tensor

import neuroact
from neuroact import InterspikeIntervals, SpikeCounts, Synchrony, TimeCourse
from neuroact.layers.fan_out import CONNECTIONS
from neuroact.native import without_core

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in (".", "shared", "adapters")]
# This makes torchvision importable, which torchmetrics imports. It has to come first.
import_module("conftest")

AfterBatch = Callable[[], object]
Way = Callable[[Case], AbstractContextManager[AfterBatch]]


def nothing() -> None:
    """What most ways do after a batch."""


def spikes_of(output: Any) -> Tensor:
    """The spikes in what a neuron returned, with or without its state."""
    spikes: Tensor = output[0] if isinstance(output, tuple) else output
    return spikes


@contextmanager
def hooked(case: Case, hook: Callable[..., None]) -> Iterator[AfterBatch]:
    """A forward hook on each layer."""
    with ExitStack() as undo:
        for layer in case.layers:
            undo.callback(layer.register_forward_hook(hook).remove)
        yield nothing


@contextmanager
def bare(case: Case) -> Iterator[AfterBatch]:
    """Nothing watches the layers."""
    yield nothing


def no_op_hook(case: Case) -> AbstractContextManager[AfterBatch]:
    """The least that anything with forward hooks costs."""
    return hooked(case, lambda module, args, output: None)


def recorded(*statistics: Any, **options: Any) -> Way:
    """A recording, with statistics in addition to the default one."""

    @contextmanager
    def way(case: Case) -> Iterator[AfterBatch]:
        with neuroact.record(case.net, statistics=statistics, **options):
            yield nothing

    return way


@contextmanager
def with_inputs(case: Case) -> Iterator[AfterBatch]:
    """The default recording, and a second one of what arrives at the layers with weights."""
    layers = [module for module in case.net.modules() if isinstance(module, CONNECTIONS)]
    with neuroact.record(case.net), neuroact.record(case.net, layers=layers, of="input"):
        yield nothing


@contextmanager
def in_python(case: Case, way: Way) -> Iterator[AfterBatch]:
    """A recording without the compiled core."""
    with without_core(), way(case) as after_batch:
        yield after_batch


@contextmanager
def neurobench(
    case: Case, metric_class: Callable[[], Any], *, goes_on: bool
) -> Iterator[AfterBatch]:
    """NeuroBench's hooks, and a metric that reads them after each batch, as its Benchmark does.

    With `goes_on` there is one metric for all batches, otherwise a new one for each.
    """
    from neurobench.hooks.neuron import NeuronHook

    hooks, metric = [NeuronHook(layer) for layer in case.layers], metric_class()

    def after_batch() -> None:
        figures = metric if goes_on else metric_class()
        figures(SimpleNamespace(activation_hooks=hooks), None, None)
        for hook in hooks:
            hook.reset()

    try:
        yield after_batch
    finally:
        for hook in hooks:
            hook.close()


def workshop(case: Case, *, goes_on: bool = False) -> AbstractContextManager[AfterBatch]:
    """The workshop's metric: keeps all spikes, and computes everything again after each batch."""
    from neurobench_cases import WorkshopMetric

    return neurobench(case, WorkshopMetric, goes_on=goes_on)


def activation_sparsity(case: Case) -> AbstractContextManager[AfterBatch]:
    """NeuroBench's own metric."""
    from neurobench.metrics.workload import ActivationSparsity

    return neurobench(case, ActivationSparsity, goes_on=True)


@contextmanager
def spikingjelly_monitor(case: Case, *, mean: bool) -> Iterator[AfterBatch]:
    """SpikingJelly's OutputMonitor, which keeps each output or its mean."""
    from spikingjelly.activation_based.monitor import OutputMonitor

    kept = (lambda output: spikes_of(output).mean()) if mean else spikes_of
    with OutputMonitor(case.net, case.neurons, function_on_output=kept):
        yield nothing


@contextmanager
def snntorch_probe(case: Case) -> Iterator[AfterBatch]:
    """The OutputMonitor of snnTorch, which keeps each output."""
    from snntorch.functional.probe import OutputMonitor

    monitor = OutputMonitor(case.net, case.neurons, function_on_output=spikes_of)
    try:
        yield nothing
    finally:
        monitor.remove_hooks()


@contextmanager
def sinabs_analyzer(case: Case) -> Iterator[AfterBatch]:
    """The hook of sinabs' SNNAnalyzer, on layers that are not from sinabs."""
    import torch
    from sinabs.synopcounter import spiking_hook

    def reset() -> None:
        for layer in case.layers:
            layer.acc_output, layer.n_batches = torch.tensor(0), 0  # type: ignore[assignment]

    before = [dict(layer.__dict__) for layer in case.layers]
    reset()
    try:
        with hooked(case, lambda module, x, y: spiking_hook(module, x, spikes_of(y))):
            yield reset
    finally:
        for layer, attributes in zip(case.layers, before, strict=True):
            for name in layer.__dict__.keys() - attributes.keys():
                del layer.__dict__[name]


@contextmanager
def torchmetrics(case: Case) -> Iterator[AfterBatch]:
    """A SumMetric for each layer."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from torchmetrics import SumMetric

    sums = {layer: SumMetric() for layer in case.layers}
    with hooked(case, lambda module, x, y: sums[module].update(spikes_of(y))) as after:
        yield after


EVERY = (SpikeCounts, TimeCourse, InterspikeIntervals, Synchrony)
BUILT_IN = {
    "neuroact, default": recorded(),
    "neuroact, SpikeCounts and TimeCourse": recorded(SpikeCounts, TimeCourse),
    "neuroact, all of them": recorded(*EVERY),
}
OPERATIONS: dict[str, Way] = {
    "bare, once more (the noise)": bare,
    "neuroact, default": recorded(),
    "neuroact, default, and the inputs of layers with weights": with_inputs,
    "neuroact, `operations=True`": recorded(operations=True),
}
WAYS: dict[str, Way] = {
    "bare, once more (the noise)": bare,
    "no-op forward hook": no_op_hook,
    **BUILT_IN,
    **{f"neuroact, {cls.__name__}": recorded(cls) for cls in EVERY},
    **{f"{name}, without the core": partial(in_python, way=way) for name, way in BUILT_IN.items()},
    "workshop metric": workshop,
    "NeuroBench ActivationSparsity": activation_sparsity,
    "SpikingJelly OutputMonitor": partial(spikingjelly_monitor, mean=False),
    "SpikingJelly OutputMonitor, means": partial(spikingjelly_monitor, mean=True),
    "snnTorch OutputMonitor": snntorch_probe,
    "sinabs analyzer's hook": sinabs_analyzer,
    "torchmetrics SumMetric": torchmetrics,
}

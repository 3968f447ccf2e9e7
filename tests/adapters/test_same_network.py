"""The same network gives the same counts in each framework; some things cannot be seen in any."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import snntorch
import torch
from spikingjelly.activation_based import neuron
from torch import nn

import neuroact
from neuroact.errors import LayerNotCalledWarning, NothingRecordedError

EXAMPLE = Path(__file__).parents[2] / "examples/studies/same_network.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("same_network", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_hand(example: ModuleType, spikes: torch.Tensor) -> list[Any]:
    """The network in NumPy: events per neuron of both layers."""
    sizes = [(1, example.INPUTS, example.HIDDEN), (2, example.HIDDEN, example.OUTPUTS)]
    weights = [example.linear(*size).weight.detach().numpy() for size in sizes]
    potentials: list[Any] = [0.0, 0.0]
    events: list[Any] = [0, 0]
    for step in spikes.numpy():
        emitted = step
        for number, weight in enumerate(weights):
            potential = potentials[number] + emitted @ weight.T
            emitted = (potential > example.THRESHOLD).astype(np.float32)
            potentials[number] = np.where(emitted, 0.0, potential)
            events[number] = events[number] + emitted.sum(0)
    return events


@pytest.mark.parametrize("seed", range(3))
def test_each_framework_counts_what_numpy_counts(example: ModuleType, seed: int) -> None:
    torch.manual_seed(seed)
    shape = (example.STEPS, example.BATCH, example.INPUTS)
    spikes = (torch.rand(shape) < 0.3).float()
    expected = by_hand(example, spikes)
    assert all(layer.min() < layer.max() for layer in expected), "the test would prove little"
    for name, run in example.RUNS.items():
        layers = list(run(spikes).values())
        for layer, events in zip(layers, expected, strict=True):
            np.testing.assert_array_equal(layer.events, events, err_msg=name)
            assert layer.observations == example.STEPS * example.BATCH
            assert layer.sequences == example.BATCH


def test_the_example_says_so(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    example.main()
    assert "the same events in every neuron: True" in capsys.readouterr().out


NEURONS: dict[str, Any] = {
    "snntorch": lambda: snntorch.Leaky(0.9, init_hidden=True),
    "norse": norse.LIFCell,
    "spikingjelly": neuron.LIFNode,
}


@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS.keys())
def test_a_direct_forward_is_recorded_and_a_layer_left_out_is_named(build: Any) -> None:
    net = nn.Sequential(build(), build())
    with neuroact.record(net) as recording:
        with pytest.raises(NothingRecordedError, match=r"\(0, 1\)\. Likely causes"):
            recording.report()
        net[1].forward(torch.rand(2, 5))
        with pytest.warns(LayerNotCalledWarning, match=r"not in the report: 0\. Likely causes"):
            report = recording.report()
    assert report["1"].observations == 2


def test_spikingjellys_own_single_step_is_not_a_silent_zero() -> None:
    node = neuron.LIFNode()
    with neuroact.record(nn.Sequential(node)) as recording:
        node.single_step_forward(torch.rand(2, 5))
    with pytest.raises(NothingRecordedError, match="another method"):
        recording.report()


def test_what_no_hook_sees_is_fed_by_hand() -> None:
    node = neuron.LIFNode()
    recording = neuroact.Recording()
    emitted = torch.stack([node.single_step_forward(x) for x in torch.rand(6, 2, 5) * 4])
    recording.observe("node", emitted)
    np.testing.assert_array_equal(recording.report()["node"].events, emitted.sum((0, 1)).numpy())


def test_models_of_two_frameworks_in_one_stand_in_one_report() -> None:
    net = nn.ModuleDict({name: build() for name, build in NEURONS.items()})
    with neuroact.record(net) as recording:
        for name in NEURONS:
            net[name](torch.rand(2, 5))
    report = recording.report()
    assert {name: layer.framework for name, layer in report.items()} == {n: n for n in NEURONS}
    assert {"snntorch", "norse", "spikingjelly"} <= set(report.origin["versions"])

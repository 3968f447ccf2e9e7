"""Beside the operations stand updates, biases, memory and an ANN, as NumPy finds on raw data."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from toy import Integrator, Neuron, ToyAdapter

import neuroact
from neuroact import Recording
from neuroact.energy import HOROWITZ_45NM_FP32, HOROWITZ_45NM_INT32_SRAM, LOIHI_1
from neuroact.errors import MissingOperationsError, RecordingFileError, SamplesUnknownError

STEPS, SAMPLES = 5, 3


class Net(nn.Module):
    """A convolution with a bias that sees real values, and a pruned layer without one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.lif1 = nn.Conv2d(1, 2, 3), Neuron(hidden=True)
        self.fc, self.lif2 = nn.Linear(8, 3, bias=False), Neuron(hidden=True)
        with torch.no_grad():
            self.fc.weight[:, ::3] = 0
            self.conv.bias.fill_(0.5)  # type: ignore[union-attr]
        self.raw: dict[str, list[Any]] = {"x": [], "lif1": [], "lif2": []}

    def forward(self, steps: Tensor) -> Tensor:
        self.lif1.mem = self.lif2.mem = None
        for x in steps:
            one = self.lif1(self.conv(x))
            out: Tensor = self.lif2(self.fc(one.flatten(1)))
            for name, values in zip(self.raw, (x, one, out), strict=True):
                self.raw[name].append(values.numpy())
        return out


def images() -> Tensor:
    """Real values, a third of them 0."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(STEPS, SAMPLES, 1, 4, 4, generator=generator)
    return x * (x > 1 / 3)


def recorded(net: nn.Module, *calls: Any, **options: Any) -> Recording:
    """The recording of these calls, closed."""
    options = {"adapters": [ToyAdapter()], "operations": True} | options
    with torch.no_grad(), neuroact.record(net, **options) as recording:
        for call in calls:
            net(call)
    return recording


def fired(raw: list[Any]) -> int:
    return sum(int(np.count_nonzero(values)) for values in raw)


def test_what_stands_beside_is_what_numpy_counts_on_the_raw_values() -> None:
    net = Net()
    ops = recorded(net, images()).report().operations
    seen = STEPS * SAMPLES
    conv, fc = ops["conv"], ops["fc"]
    assert (conv.output_shape, fc.output_shape) == ((2, 2, 2), (3,))
    assert (conv.bias_additions, fc.bias_additions) == (seen * 8, 0)
    assert ops.total.bias_additions == seen * 8
    assert (conv.parameters, fc.parameters, ops.parameters) == (2 * 9 + 2, 24, 44)
    assert (conv.input_kind, fc.input_kind) == ("real", "binary")

    spikes = {name: fired(net.raw[name]) for name in ("lif1", "lif2")}
    assert spikes["lif1"] > 0
    assert {name: layer.spikes for name, layer in ops.neurons.items()} == spikes
    assert {n: layer.neurons for n, layer in ops.neurons.items()} == {"lif1": 8, "lif2": 3}
    assert {n: layer.updates for n, layer in ops.neurons.items()} == {
        "lif1": 8 * seen,
        "lif2": 3 * seen,
    }
    assert ops.updates == 11 * seen

    # Each place of a 4x4 image is taken by the taps that reach it, in 2 channels.
    taken = np.outer([1, 2, 2, 1], [1, 2, 2, 1]) * 2
    done = sum(int(((x != 0) * taken).sum()) for x in net.raw["x"])
    kept = np.count_nonzero(net.fc.weight.detach().numpy(), axis=0)
    done += sum(int(((s.reshape(SAMPLES, 8) != 0) * kept).sum()) for s in net.raw["lif1"])
    assert asdict(ops.memory) == {
        "weight_reads": done,
        "potential_reads": done + 11 * seen,
        "potential_writes": done + 11 * seen,
        "input_reads": fired(net.raw["x"]) + spikes["lif1"],
        "output_writes": sum(spikes.values()),
    }
    assert ops.memory.total == sum(asdict(ops.memory).values())
    assert ops["fc"].memory.input_reads == ops["fc"].events == spikes["lif1"]


def test_they_are_divided_by_samples_and_by_steps() -> None:
    ops = recorded(Net(), images()).report().operations
    assert (ops.sample_count, ops.step_count) == (SAMPLES, SAMPLES * STEPS)
    assert ops.per_sample["conv"].bias_additions == STEPS * 8
    assert ops.per_step.total.bias_additions == 8
    assert ops.per_step.updates == 11
    assert ops.per_sample.updates == 11 * STEPS
    assert ops.per_sample.memory.weight_reads == ops.total.effective / SAMPLES
    assert ops.per_sample.total.events == ops.total.events / SAMPLES


def test_any_split_merged_saved_or_copied_has_the_same_beside() -> None:
    x = images()
    whole = recorded(Net(), x).report()
    parts = [recorded(Net(), part) for part in x.split(1, dim=1)]
    for order in itertools.permutations(parts):
        merged = Recording()
        for part in order:
            merged.merge(Recording.from_bytes(part.to_bytes()))
        assert merged.report().operations == whole.operations
        assert merged.report().operations.memory == whole.operations.memory
    assert neuroact.ActivityReport.from_json(whole.to_json()).operations == whole.operations


def test_an_analog_layer_has_updates_and_no_spikes() -> None:
    net = nn.Sequential(nn.Linear(2, 3), Integrator())
    layer = recorded(net, torch.ones(4, 2, 2), layers="1").report().operations.neurons["1"]
    assert (layer.updates, layer.spikes, layer.memory.output_writes) == (4 * 2 * 3, None, 24)


def test_where_inputs_are_recorded_updates_are_unknown_and_no_zero() -> None:
    ops = recorded(Net(), images(), of="input", axes="BN").report().operations
    for ask in ("neurons", "updates", "memory"):
        with pytest.raises(MissingOperationsError, match="updates are those of the layers whose"):
            getattr(ops, ask)
    for costs in (LOIHI_1, HOROWITZ_45NM_INT32_SRAM):
        with pytest.raises(MissingOperationsError, match=r'record\(model, of="output"'):
            ops.energy(costs)
    assert ops.energy(HOROWITZ_45NM_FP32).total > 0
    assert ops.per_sample.total.acs > 0


def test_a_report_without_operations_has_no_energy_and_says_how_to_record_them() -> None:
    report = recorded(Net(), images(), operations=False).report()
    with pytest.raises(MissingOperationsError, match="record them by neuroact"):
        report.operations.energy(HOROWITZ_45NM_FP32)


def test_masks_and_parametrizations_add_no_parameters() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Conv1d(3, 2, 1), nn.ReLU())
    prune.l1_unstructured(net[0], "weight", 5)  # type: ignore[no-untyped-call]
    parametrizations.weight_norm(net[1])
    with neuroact.record(net, layers="2", operations=True) as recording:
        net[2](net[1](net[0](torch.ones(1, 1, 4)).mT))
    ops = recording.report().operations
    assert (ops["0"].parameters, ops["1"].parameters) == (15, 8)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (partial(nn.Linear, 5, 3), (2, 7, 5)),
        (partial(nn.Conv1d, 4, 6, 3, stride=2, groups=2), (2, 4, 9)),
        (partial(nn.Conv2d, 2, 3, (3, 1), padding="same"), (2, 2, 5, 4)),
        (partial(nn.Conv3d, 1, 2, 2, dilation=2), (2, 1, 4, 3, 5)),
        (partial(nn.ConvTranspose1d, 4, 6, 3, stride=2, groups=2, output_padding=1), (2, 4, 5)),
        (partial(nn.ConvTranspose2d, 2, 3, 3, stride=2, padding=1), (2, 2, 4, 3)),
    ],
)
def test_outputs_and_parameters_are_those_of_the_module(layer: Any, shape: Any, bias: bool) -> None:
    net = nn.Sequential(layer(bias=bias), nn.ReLU())
    out = net(torch.ones(shape))
    found = recorded(net, torch.ones(shape), layers="1").report().operations["0"]
    assert found.parameters == sum(p.numel() for p in net.parameters())
    assert found.output_shape == tuple(out.shape[-len(found.output_shape) :])
    assert found.bias_additions == (out.numel() if bias else 0)


def test_a_bias_in_one_recording_alone_is_named_in_whatever_order() -> None:
    def of(bias: bool) -> Recording:
        net = nn.Sequential(nn.Linear(2, 3, bias=bias), nn.ReLU())
        nn.init.ones_(net[0].weight)
        return recorded(net, torch.ones(1, 2), layers="1")

    for one, other in itertools.permutations([of(True), of(False)]):
        merged = Recording()
        merged.merge(one)
        merged.merge(other)
        assert merged.report().operations.not_counted == {
            "0": "it had a bias in one recording and none in another"
        }


@pytest.mark.parametrize(
    ("key", "value"),
    [("shape", [1.5]), ("parameters", -1), ("bias_additions", True), ("parameters", 2**62)],
)
def test_damaged_outputs_in_a_file_are_refused(
    key: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recorded(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2), layers="1")
    connections: Any = recording._connections
    document, tensors = connections.document()
    document["layers"][0]["outputs"][key] = value
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError, match="what a layer makes of an input is no numbers"):
        Recording.from_bytes(recording.to_bytes())


def test_the_ratio_to_an_ann_counts_time_steps_once() -> None:
    net, x = Net(), images()
    ops = recorded(net, x).report().operations
    ann = 2 * 4 * 9 + 8 * 3  # dense: 4 places of 2 channels with 9 taps, and a matrix
    assert ops.ann_macs == ann
    kept = np.count_nonzero(net.fc.weight.detach().numpy(), axis=0)
    acs = sum(int((s.reshape(SAMPLES, 8) * kept).sum()) for s in net.raw["lif1"])
    taken = np.outer([1, 2, 2, 1], [1, 2, 2, 1]) * 2
    macs = sum(int(((step != 0) * taken).sum()) for step in net.raw["x"])
    spiking = (0.9 * acs + 4.6 * macs) / SAMPLES
    ratio = ops.energy(HOROWITZ_45NM_FP32).ratio_to_dense
    assert ratio == pytest.approx(spiking / (4.6 * ann), rel=1e-12)
    # Twice the steps of the same images: twice the work of spikes, and the same ANN.
    again = recorded(Net(), torch.cat([x, x])).report().operations
    assert again.ann_macs == ann


def test_an_ann_of_no_time_steps_has_a_ratio_of_its_density() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    ops = recorded(net, torch.tensor([[0.5, 0, 0, 2.0]]), layers="1").report().operations
    assert ops.energy(HOROWITZ_45NM_FP32).ratio_to_dense == 0.5 == ops.total.share


class Once(nn.Module):
    """A layer in front of the time steps, one within them, and one that sees every token."""

    def __init__(self) -> None:
        super().__init__()
        self.front, self.within, self.tokens = nn.Linear(4, 2), nn.Linear(2, 3), nn.Linear(1, 5)
        self.lif = Neuron(hidden=True)

    def forward(self, x: Tensor) -> None:
        self.lif.mem, current = None, self.front(x)
        for _ in range(STEPS):
            self.tokens(self.lif(self.within(current)).unsqueeze(-1))


def test_a_layer_in_front_of_the_time_steps_is_run_once_a_sample_in_both() -> None:
    ops = recorded(Once(), torch.ones(SAMPLES, 4)).report().operations
    assert ops["front"].observations == SAMPLES
    assert ops["tokens"].observations == SAMPLES * STEPS * 3
    assert ops.ann_macs == 4 * 2 + 2 * 3 + 3 * 5


def test_a_layer_run_now_and_then_has_no_ratio_and_is_named() -> None:
    net = Once()
    with (
        torch.no_grad(),
        neuroact.record(net, adapters=[ToyAdapter()], operations=True) as recording,
    ):
        net(torch.ones(SAMPLES, 4))
        net.within(torch.ones(1, 2))
    ops = recording.report().operations
    with pytest.raises(SamplesUnknownError, match='"within" saw 16 inputs in 15 time') as refused:
        _ = ops.energy(HOROWITZ_45NM_FP32).ratio_to_dense
    assert refused.value.layer == "within"
    assert "not known: " in str(ops.energy(HOROWITZ_45NM_FP32))


def test_a_layer_that_is_divided_is_found_by_its_alias_and_named_where_there_is_none() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net.add_module("again", net[0])
    ops = recorded(net, torch.ones(1, 2), layers="1").report().operations
    assert ops.per_sample["again"] == ops.per_sample["0"]
    assert ops.energy(HOROWITZ_45NM_FP32)["again"] == ops.energy(HOROWITZ_45NM_FP32)["0"]
    for asked in (ops, ops.per_sample, ops.energy(HOROWITZ_45NM_FP32)):
        with pytest.raises(KeyError, match=r"no operations of a layer 'fc' .* There are: 0"):
            _ = asked["fc"]  # type: ignore[index]

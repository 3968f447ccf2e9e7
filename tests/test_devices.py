"""Layers of any type on any device. What needs CUDA is skipped where there is none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import neuroact
from neuroact import InterspikeIntervals, Recording, SpikeCounts, Synchrony, TimeCourse
from neuroact.errors import UnsupportedModelError
from neuroact.layer import LayerInfo, LayerRecorder
from neuroact.reader import CallReader
from neuroact.statistics import Firing, Statistic
from neuroact.stream import SignalKind, SpikeChunk
from toy import Neuron, ToyAdapter

STATISTICS = [InterspikeIntervals, SpikeCounts, Synchrony, TimeCourse]
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Hidden(nn.Sequential):
    """Two layers whose state lies on them."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(5, 7), Neuron(hidden=True), nn.Linear(7, 3), Neuron(hidden=True))

    def reset(self) -> None:
        self[1].mem = self[3].mem = None


def sequence(net: Hidden, x: Tensor) -> None:
    net.reset()
    for step in x:
        net(step)


def record(net: nn.Module, **options: Any) -> Recording:
    return neuroact.record(net, adapters=[ToyAdapter()], **options)


@pytest.mark.parametrize("statistics", [None, STATISTICS], ids=["default", "all"])
def test_a_model_may_change_its_type_in_the_middle(statistics: Any) -> None:
    torch.manual_seed(0)
    net, x = Hidden(), torch.randn(9, 4, 5)
    with record(net, statistics=statistics) as recording, torch.no_grad():
        with record(net, statistics=statistics) as single:
            sequence(net, x)
        with record(net, statistics=statistics) as double:
            sequence(net.double(), x.double())
        with record(net, statistics=statistics) as half:
            sequence(net.bfloat16(), x.bfloat16())
    for part in (double, half):
        single.merge(part)
    assert single.report() == recording.report()


def to_be_captured(*statistics: Statistic) -> tuple[LayerRecorder, CallReader]:
    info = LayerInfo("lif", (), "toy", "Neuron", SignalKind.BINARY)
    layer = LayerRecorder(info, statistics)
    layer.read_from(Neuron(hidden=True), ToyAdapter(), passed_by=False)
    assert layer._reader is not None
    layer._reader.prepare()
    return layer, layer._reader


def test_a_layer_that_is_to_be_captured_needs_counters_and_statistics_that_the_device_keeps() -> (
    None
):
    layer, reader = to_be_captured(Firing())
    with pytest.raises(UnsupportedModelError, match=r'layer "lif".*as a warm-up') as caught:
        reader.check_capture()
    assert caught.value.layer == "lif"
    chunk = SpikeChunk(torch.ones(1, 2, 3), SignalKind.BINARY, starts_sequence=True)
    layer.take(chunk)
    layer.flush()
    reader.check_capture()
    _, more = to_be_captured(Firing(), TimeCourse())
    with pytest.raises(UnsupportedModelError, match="and TimeCourse needs Python in each call"):
        more.check_capture()


def test_what_a_graphs_replay_repeats_is_counted_with_what_python_counted() -> None:
    """The device's part of a capture, played by hand: writing to the counters again."""
    net, x = Hidden(), torch.ones(2, 5)
    with record(net) as recording, torch.no_grad():
        sequence(net, x[None])
        reader = recording._layers["1"]._reader
        assert reader is not None
        before = recording.report()["1"]
        reader.check_capture()
        counts = reader.traced_calls._counts
        assert counts is not None
        for _ in range(3):
            reader.traced_calls._add(counts, torch.ones(1, 2, 7), SignalKind.BINARY, False)
        after = recording.report()["1"]
    assert after.observations == before.observations + 6
    assert (after.events - before.events).tolist() == [6] * 7


@cuda
@pytest.mark.parametrize("statistics", [None, STATISTICS], ids=["default", "all"])
def test_figures_on_cuda_are_those_on_the_cpu_and_a_model_may_move(statistics: Any) -> None:
    torch.manual_seed(0)
    net, x = Hidden(), torch.randn(9, 4, 5, dtype=torch.float64)
    net.double()
    with record(net, statistics=statistics) as recording, torch.no_grad():
        sequence(net, x)
        sequence(net.cuda(), x.cuda())
        sequence(net.cpu(), x)
    with record(net, statistics=statistics) as alone, torch.no_grad():
        for _ in range(3):
            sequence(net, x)
    assert recording.report() == alone.report()


@cuda
@pytest.mark.parametrize("statistics", [None, STATISTICS], ids=["default", "all"])
def test_nothing_waits_for_the_device_until_a_report(statistics: Any) -> None:
    net, x = Hidden().cuda(), torch.randn(9, 4, 5, device="cuda")
    with record(net, statistics=statistics) as recording, torch.no_grad():
        sequence(net, x)
        torch.cuda.set_sync_debug_mode("error")
        try:
            sequence(net, x)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert recording.report()["1"].observations == 72


@cuda
def test_layers_of_one_model_lie_on_several_devices() -> None:
    net = Hidden()
    net[:2].cuda()
    with record(net) as recording, torch.no_grad():
        net[2:](net[:2](torch.randn(4, 5, device="cuda")).cpu())
    assert [layer.observations for layer in recording.report().values()] == [4, 4]


@cuda
def test_a_cuda_graph_counts_at_each_replay() -> None:
    net, x = Hidden().cuda(), torch.randn(3, 4, 5, device="cuda")
    with record(net) as recording, torch.no_grad():
        warm_up = torch.cuda.Stream()
        with torch.cuda.stream(warm_up), record(net) as alone:
            sequence(net, x)
        torch.cuda.current_stream().wait_stream(warm_up)
        once = alone.report()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            sequence(net, x)
        for _ in range(5):
            graph.replay()
    for name, layer in recording.report().items():
        assert layer.events.tolist() == (6 * once[name].events).tolist()
        assert (layer.observations, layer.sequences) == (6 * 12, 6 * 4)

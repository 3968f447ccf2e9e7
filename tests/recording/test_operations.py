"""Synaptic operations of a recorded model are whole numbers that brute force gives too."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

import neuroact
from neuroact import Recording
from neuroact.errors import (
    MergeError,
    MissingOperationsError,
    RecordingFileError,
    SamplesUnknownError,
    UnknownLayerError,
    UnsupportedModelError,
)
from neuroact.table.operations import OperationsTable
from neuroact.training import TrainingMonitor


class Net(nn.Module):
    """Two connections in front of what is recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.act = nn.ReLU()
        self.fc = nn.Linear(12, 4)
        self.out = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.out(self.fc(self.act(self.conv(x)).flatten(1)))
        return result


def recorded(model: nn.Module, *calls: Any, layers: Any = nn.ReLU, **options: Any) -> Any:
    """The recording of these calls, closed."""
    with neuroact.record(model, layers=layers, operations=True, **options) as recording:
        for call in calls:
            model(call)
    return recording


def spikes(*shape: int, seed: int = 0, most: int = 2) -> Tensor:
    """Whole numbers from 0 to below `most`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(most, shape, generator=generator).float()


def by_hand(layer: Any, inputs: list[Tensor], run: Callable[[Any, Tensor, Tensor], Tensor]) -> Any:
    """What each kind of operation comes to: the layer run on flags, with flags as weights."""
    weights = (layer.weight != 0).double(), torch.ones_like(layer.weight).double()

    def pairs(flags: Callable[[Tensor], Tensor], weight: Tensor) -> int:
        return round(sum(float(run(layer, flags(x).double(), weight).sum()) for x in inputs))

    return {
        "acs": pairs(lambda x: x.abs() == 1, weights[0]),
        "macs": pairs(lambda x: (x != 0) & (x.abs() != 1), weights[0]),
        "unpruned": pairs(lambda x: x != 0, weights[1]),
        "dense": pairs(torch.ones_like, weights[1]),
    }


def linear(layer: Any, x: Tensor, weight: Tensor) -> Tensor:
    return x @ weight.T


def conv(layer: Any, x: Tensor, weight: Tensor) -> Tensor:
    result: Tensor = layer._conv_forward(x.reshape(-1, *x.shape[-3:]), weight, None)
    return result


def figures(layer: Any) -> dict[str, int]:
    return {name: getattr(layer, name) for name in ("acs", "macs", "unpruned", "dense")}


def test_operations_are_what_running_the_layers_on_flags_gives() -> None:
    net = Net()
    with torch.no_grad():
        net.conv.weight[0] = 0
        net.fc.weight[:, ::3] = 0
    calls = [spikes(3, 2, 4, 4, seed=1), spikes(1, 2, 4, 4, seed=2, most=4)]
    operations = recorded(net, *calls).report().operations
    middle = [net.act(net.conv(x)).flatten(1) for x in calls]
    assert figures(operations["conv"]) == by_hand(net.conv, calls, conv)
    assert figures(operations["fc"]) == by_hand(net.fc, middle, linear)
    assert operations["conv"].events == sum(int(x.count_nonzero()) for x in calls)
    assert operations["conv"].observations == operations["fc"].observations == 4
    assert operations["fc"].fan_out == 4 * 8 / 12
    assert operations.total.acs == operations["conv"].acs + operations["fc"].acs
    assert operations["conv"].effective == operations["conv"].acs + operations["conv"].macs
    assert not operations.not_counted


def test_graded_spikes_are_weighted_by_their_magnitude() -> None:
    net = nn.Sequential(nn.Linear(2, 5), nn.ReLU())
    layer = recorded(net, torch.tensor([[3.0, -2.0], [1.0, 0.0]])).report().operations["0"]
    assert (layer.acs, layer.macs, layer.weighted) == (5, 10, 30)
    assert recorded(net, torch.tensor([[0.5, 1.0]])).report().operations["0"].weighted is None


def test_the_split_does_not_depend_on_the_batch() -> None:
    net, x = Net(), spikes(6, 2, 4, 4, most=3)
    whole = recorded(net, x).report().operations
    for size in (1, 2, 4):
        assert recorded(net, *x.split(size)).report().operations == whole


def test_any_split_merged_in_any_order_is_the_whole() -> None:
    net, x = Net(), spikes(6, 2, 4, 4, most=3)
    parts = [recorded(net, part) for part in x.split([1, 3, 2])]
    whole = recorded(net, x).report().operations
    for order in ((0, 1, 2), (2, 0, 1)):
        merged = Recording(statistics=None)
        for number in order:
            merged.merge(Recording.from_bytes(parts[number].to_bytes()))
        assert merged.report().operations == whole
    with neuroact.record(net, layers=nn.ReLU, operations=True) as live:
        live.merge(parts[0])
        net(x[1:])
    assert live.report().operations == whole


def test_a_saved_recording_and_a_copy_have_the_same_operations() -> None:
    recording = recorded(Net(), spikes(2, 2, 4, 4))
    report = recording.report()
    assert report.operations["fc"].dense == 96
    assert Recording.from_bytes(recording.to_bytes()).report() == report
    assert copy.deepcopy(recording).report() == report


def test_an_open_recording_reports_goes_on_and_resets() -> None:
    net, x = Net(), spikes(2, 2, 4, 4)
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(x)
        once = recording.report()
        net(x)
        assert recording.report().operations.total.acs == 2 * once.operations.total.acs
        recording.reset()
        net(x)
        assert recording.report() == once


def test_operations_that_were_not_recorded_are_an_error_that_says_how() -> None:
    net = Net()
    with neuroact.record(net, layers=nn.ReLU) as recording:
        net(spikes(1, 2, 4, 4))
    with pytest.raises(MissingOperationsError, match=r"record\(model, operations=True\)"):
        _ = recording.report().operations
    with pytest.raises(TypeError, match="expected operations= to be True or False, came 'all'"):
        neuroact.record(net, layers=nn.ReLU, operations="all")  # type: ignore[arg-type]


def test_measure_takes_operations() -> None:
    net, x = Net(), spikes(4, 2, 4, 4)
    options: Any = {"layers": nn.ReLU, "statistics": "ClassActivity", "operations": True}
    report = neuroact.measure(net, [(x, torch.tensor([0, 1, 0, 1]))], **options)
    assert report.operations == recorded(net, x).report().operations


def test_per_sample_and_per_step_divide_by_what_the_recorded_layers_saw() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    x = spikes(5, 4, 3)  # 5 steps of 4 samples
    operations = recorded(net, x, axes="TBN").report().operations
    acs = int(x.sum()) * 2
    assert operations.per_sample["0"].acs == operations.per_sample.total.acs == acs / 4
    assert operations.per_step["0"].acs == acs / 20
    assert operations.per_step["0"].effective == acs / 20
    assert list(operations.per_step) == ["0"]


def test_layers_that_disagree_on_samples_give_no_figure_per_sample() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU())
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(spikes(4, 3))
        net[1](spikes(2, 3))
    operations = recording.report().operations
    with pytest.raises(SamplesUnknownError, match=r'sequences .* came "1" 6, "3" 4'):
        _ = operations.per_sample
    with pytest.raises(SamplesUnknownError, match=r'observations .* came "1" 6, "3" 4'):
        _ = operations.per_step


class Odd(nn.Module):
    """Weights of every kind that is not counted, and functions that use them."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.rand(3, 3))
        self.fc, self.unused = nn.Linear(3, 3), nn.Linear(3, 3)
        self.cell, self.gru = nn.LSTMCell(3, 3), nn.GRU(3, 3)
        self.pairs, self.bag = nn.Bilinear(3, 3, 2), nn.EmbeddingBag(4, 3)
        self.attention, self.norm = nn.MultiheadAttention(3, 1), nn.BatchNorm1d(3)
        self.out = nn.ReLU()
        self.fc.register_parameter("lora", nn.Parameter(torch.rand(3, 1)))

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x @ self.matrix) + nn.functional.linear(x, self.unused.weight)
        y = self.norm(y + self.cell(y)[0] + self.gru(y)[0])
        y = y + self.attention(y, y, y)[0] + self.bag(torch.zeros(4, 1, dtype=torch.int64))
        result: Tensor = self.out(self.pairs(y, y))
        return result


def test_every_weight_that_is_not_counted_is_named_with_the_reason() -> None:
    operations = recorded(Odd(), torch.rand(4, 3)).report().operations
    projections = ["attention.query", "attention.key", "attention.value"]
    assert list(operations) == ["fc", "cell", "gru", "pairs", "bag", *projections]
    assert set(operations.not_counted) == {
        *("model", "unused", "norm", "fc.lora", "attention.products", "attention.out_proj")
    }
    said = operations.not_counted
    assert said["model"] == "operations of Odd with its matrix are not counted"
    assert said["unused"].startswith("it was never called as a module")
    assert said["norm"] == "operations of BatchNorm1d with its weight, bias are not counted"
    assert said["fc.lora"] == "operations with it, a weight beside that of fc, are not counted"
    with pytest.raises(KeyError, match='"norm" is not counted: operations of BatchNorm1d'):
        _ = operations["norm"]
    with pytest.raises(UnknownLayerError, match="There are: fc"):
        _ = operations["other"]


def test_quantised_layers_are_named() -> None:
    net = nn.Sequential(torch.ao.nn.qat.Linear(2, 2, qconfig=qat()), nn.ReLU(), nn.Linear(2, 2))
    operations = recorded(net, torch.ones(1, 2)).report().operations
    assert list(operations) == ["2"]
    assert operations.not_counted["0"].startswith("operations of Linear with its weight, bias")


class Dequantised(nn.Linear):
    """A layer that keeps its weight in another form, and multiplies by its numbers."""

    def forward(self, x: Tensor) -> Tensor:
        dense = self.weight.dequantize() if self.weight.is_quantized else self.weight.to_dense()
        return nn.functional.linear(x, dense, self.bias)


@pytest.mark.filterwarnings("ignore", "error::neuroact.errors.NeuroactWarning")  # torch's own
@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(lambda w: w.to_sparse(), id="coordinates"),
        pytest.param(lambda w: w.to_sparse_csr(), id="rows"),
        pytest.param(lambda w: torch.quantize_per_tensor(w, 0.5, 0, torch.qint8), id="quantised"),
    ],
)
def test_a_sparse_or_quantised_weight_counts_its_values_that_are_not_zero(kept: Any) -> None:
    net = nn.Sequential(Dequantised(3, 2), nn.ReLU())
    weight = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, -1.5]])
    net[0].weight = nn.Parameter(kept(weight), requires_grad=False)
    layer = recorded(net, torch.tensor([[1.0, 1.0, 0.5]])).report().operations["0"]
    assert (layer.acs, layer.macs, layer.unpruned, layer.dense) == (1, 2, 6, 6)


def qat() -> Any:
    return torch.ao.quantization.get_default_qat_qconfig("fbgemm")


def test_a_layer_pruned_by_a_mask_counts_what_the_mask_leaves() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    mask = torch.tensor([[1, 1, 0, 0]] * 3)
    prune.custom_from_mask(net[0], "weight", mask)  # type: ignore[no-untyped-call]
    layer = recorded(net, torch.ones(2, 4)).report().operations["0"]
    assert (layer.acs, layer.unpruned, layer.dense) == (12, 24, 24)


def test_zeros_that_move_while_recording_are_found_out_whatever_their_number() -> None:
    net = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0.0]]))
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(torch.ones(1, 2))
        with torch.no_grad():
            net[0].weight.copy_(torch.tensor([[0.0, 1.0]]))
    operations = recording.report().operations
    assert operations.not_counted["0"].startswith("which of its weights are zero changed")
    assert operations.total.dense == 0


def test_recordings_of_other_zeros_do_not_add_up_to_a_figure() -> None:
    net = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    before = recorded(net, torch.ones(1, 2))
    with torch.no_grad():
        net[0].weight[0, 0] = 0
    after = recorded(net, torch.ones(1, 2))
    for one, other in ((before, after), (after, before)):
        merged = copy.copy(one)
        merged.merge(other)
        assert "zero changed" in merged.report().operations.not_counted["0"]


def test_the_reason_in_a_sum_does_not_depend_on_the_order() -> None:
    def of(size: int, weight: float = 1.0, *, freed: bool = False) -> Recording:
        net = nn.Sequential(nn.Conv1d(1, 1, 1), nn.ReLU())
        nn.init.constant_(net[0].weight, weight)
        with neuroact.record(net, layers="1", operations=True) as recording:
            net[0](torch.ones(1, 1, size))
            net[1](torch.ones(1, 4))
            if freed:
                net[0].weight.data = torch.empty(0)
        return recording

    for parts, why in (
        ([of(4), of(5), of(4, freed=True)], "its weight could not be read"),
        ([of(4), of(4, 0.0), of(4, freed=True)], "its weight could not be read"),
        ([of(4), of(5), of(5, 0.0)], "which of its weights are zero changed"),
        ([of(4), of(4, 0.0), of(5)], "which of its weights are zero changed"),
    ):
        for order in itertools.permutations(parts):
            merged = Recording()
            for part in order:
                merged.merge(part)
            assert merged.report().operations.not_counted["0"].startswith(why)
            assert Recording.from_bytes(merged.to_bytes()).report() == merged.report()


def test_tied_weights_in_two_modules_are_two_layers() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    net[2].weight = net[0].weight
    nn.init.ones_(net[0].weight)
    operations = recorded(net, torch.ones(1, 2)).report().operations
    assert [layer.effective for layer in operations.values()] == [4, 4]


def sized(*shapes: tuple[int, ...]) -> Recording:
    """The recording of calls with inputs of these shapes, all ones, of one convolution."""
    net = nn.ModuleDict({"conv": nn.Conv2d(1, 2, 3, padding=1), "act": nn.ReLU()})
    nn.init.ones_(net["conv"].weight)
    with neuroact.record(net, layers="act", operations=True) as recording:
        for shape in shapes:
            net["conv"](torch.ones(shape))
            net["act"](torch.ones(1, 1))
    return recording


def test_inputs_of_several_sizes_are_added_up_with_the_borders_of_each() -> None:
    shapes = [(2, 1, 8, 8), (1, 1, 4, 4), (2, 1, 8, 8), (3, 1, 4, 6)]
    alone = [sized(shape).report().operations["conv"] for shape in shapes]
    found = sized(*shapes).report().operations["conv"]
    for name in ("acs", "macs", "dense", "unpruned", "weighted", "events", "observations"):
        assert getattr(found, name) == sum(getattr(each, name) for each in alone)
    assert found.acs == 2 * (4 * 22 * 22 + 10 * 10 + 3 * 10 * 16)
    assert found.shape == (0,)
    assert math.isnan(found.fan_out)
    assert math.isnan(found.density)


def test_sizes_are_merged_saved_and_reset_in_any_order() -> None:
    parts = [sized((1, 1, 8, 8)), sized((1, 1, 4, 4), (1, 1, 8, 8)), sized((2, 1, 3, 3))]
    shapes = [(1, 1, 8, 8), (1, 1, 4, 4), (1, 1, 8, 8), (2, 1, 3, 3)]
    whole = sized(*shapes).report().operations
    for order in itertools.permutations(parts):
        merged = Recording()
        for part in order:
            merged.merge(Recording.from_bytes(part.to_bytes()))
        assert merged.report().operations == whole
        report = Recording.from_bytes(merged.to_bytes()).report()
        assert report.operations == whole
        assert neuroact.ActivityReport.from_json(report.to_json()) == report
        cells = {column.head: column.cells for column in OperationsTable(report.operations).columns}
        assert (cells["fan-out"], cells["density"]) == (("-",), ("-",))
    net = nn.ModuleDict({"conv": nn.Conv2d(1, 2, 3), "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        for size in (4, 5, 6):
            recording.reset()
            net["act"](net["conv"](torch.ones(1, 1, size, size)))
    assert recording.report().operations["conv"].shape == (1, 6, 6)


def test_zeros_that_move_between_inputs_of_two_sizes_are_found_out() -> None:
    net = nn.ModuleDict({"conv": nn.Conv2d(1, 2, 3), "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        for size in (4, 5):
            net["conv"](torch.ones(1, 1, size, size))
            net["act"](torch.ones(1, 1))
            nn.init.zeros_(net["conv"].weight)
    assert "zero changed" in recording.report().operations.not_counted["conv"]


def test_a_nan_in_an_input_of_any_size_is_named() -> None:
    net = nn.ModuleDict({"conv": nn.Conv1d(1, 2, 3), "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        for x in (torch.ones(1, 1, 4), torch.full((1, 1, 5), float("nan"))):
            net["conv"](x)
            net["act"](torch.ones(1, 1))
    assert "a NaN or an infinity" in recording.report().operations.not_counted["conv"]


def test_more_sizes_than_are_kept_are_named_in_a_sum_too() -> None:
    merged = Recording()
    for size in range(1, 18):
        merged.merge(sized((1, 1, size, 1)))
    said = merged.report().operations.not_counted["conv"]
    assert said == "its input came in more than 16 sizes"


def test_training_goes_on_and_is_counted() -> None:
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        for seed in range(2):
            net(spikes(2, 2, 4, 4, seed=seed)).sum().backward()
            optimizer.step()
    assert recording.report().operations["conv"].observations == 4


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([(torch.ones(1, 1, size),) for size in range(2, 19)], "more than 16 sizes"),
        ([(torch.ones(1, 1, 4), [10])], "not of the shape that follows"),
        ([(torch.ones(1, 1, 4),), (torch.full((1, 1, 4), float("nan")),)], "a NaN or an infinity"),
    ],
)
def test_a_call_that_cannot_be_counted_is_named_and_the_model_runs_on(calls: Any, why: str) -> None:
    net = nn.ModuleDict({"up": nn.ConvTranspose1d(1, 1, 3, stride=2), "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        for call in (*calls, (torch.ones(1, 1, 4),)):
            net["up"](*call)
            net["act"](torch.ones(1, 7))
    report = recording.report()
    assert why in report.operations.not_counted["up"]
    assert not report.operations
    again = Recording.from_bytes(recording.to_bytes())
    assert again.report() == report
    clean = recorded(nn.ModuleDict(net), layers="act")
    clean.merge(again)
    assert why in clean.report().operations.not_counted["up"]


def test_a_layer_in_two_places_twice_or_by_keyword_is_counted_once_each_call() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.out = nn.Linear(2, 2), nn.ReLU()
            self.again = self.fc

        def forward(self, x: Tensor) -> Tensor:
            self.fc(input=x)
            result: Tensor = self.out(self.again(x))
            return result

    operations = recorded(Tied(), torch.ones(3, 2)).report().operations
    assert (operations["fc"].acs, operations["again"].acs) == (24, 24)
    assert operations["fc"].aliases == ("again",)
    assert operations.total.acs == 24


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_grad_modes_count_alike(mode: Any) -> None:
    net, x = Net(), spikes(2, 2, 4, 4)
    with mode():
        inside = recorded(net, x)
        assert inside.report() == recorded(net, x).report()
    assert inside.report().operations["conv"].acs > 0


def test_autocast_and_half_precision_count_alike() -> None:
    net, x = nn.Sequential(nn.Linear(3, 300), nn.ReLU()), spikes(400, 3)
    whole = recorded(net, x).report().operations["0"].acs
    with torch.autocast("cpu"):
        assert recorded(net, x).report().operations["0"].acs == whole
    assert recorded(net.bfloat16(), x.bfloat16()).report().operations["0"].acs == whole


@pytest.mark.usefixtures("fresh_compiler")
def test_a_compiled_model_counts_alike() -> None:
    net, x = Net(), spikes(2, 2, 4, 4)
    whole = recorded(net, x, x).report().operations
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        compiled = torch.compile(net, backend="eager")
        with torch.no_grad():
            compiled(x)
            compiled(x)
    assert recording.report().operations == whole


def test_the_model_is_left_as_found() -> None:
    net, x = Net(), spikes(2, 2, 4, 4)
    expected, attributes = net(x), [dict(vars(m)) for m in net.modules()]
    random = torch.get_rng_state()
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        assert torch.equal(net(x), expected)
    recording.report()
    assert torch.equal(random, torch.get_rng_state())
    assert [dict(vars(m)) for m in net.modules()] == attributes
    model = weakref.ref(net)
    del net
    gc.collect()
    assert model() is None


def test_an_input_changed_in_place_afterwards_counts_as_it_arrived() -> None:
    net, x = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.ones(2, 2)
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(x)
        x.mul_(0)
    assert recording.report().operations["0"].acs == 12


def test_a_freed_weight_is_named() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(torch.ones(1, 2))
        net[0].weight.data = torch.empty(0)
    said = recording.report().operations.not_counted["0"]
    assert said.startswith("its weight could not be read: expected a weight of shape [3, 2]")


def test_a_recording_without_operations_is_not_added_to_one_with_them() -> None:
    net, x = Net(), spikes(1, 2, 4, 4)
    with neuroact.record(net, layers=nn.ReLU) as without:
        net(x)
    for one, other in ((recorded(net, x), without), (without, recorded(net, x))):
        with pytest.raises(MergeError, match=r"operations=(True|False)"):
            one.merge(other)


def test_a_layer_of_another_class_is_not_merged() -> None:
    one = recorded(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2))
    other = recorded(nn.Sequential(nn.Conv1d(2, 2, 1), nn.ReLU()), torch.ones(2, 2))
    with pytest.raises(MergeError, match=r'layer "0" .* cannot add operations of a torch Conv1d'):
        one.merge(other)


@pytest.mark.parametrize("change", ["faster", "lost", "foreign", "many", "wide"])
def test_damaged_operations_in_a_file_are_refused(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recorded(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.ones(1, 3))
    connections = recording._connections
    document, tensors = connections.document()
    if change == "faster":
        tensors["operations.0.ones"] += 5
    elif change == "lost":
        del tensors["operations.0.dense"]
    elif change == "many":
        tensors["operations.0.observations"].fill_(2**62 - 1)
        tensors["operations.0.ones"].fill_(2**62 - 1)
    elif change == "wide":
        tensors["operations.0.dense"].fill_(2**62 - 1)
    else:
        tensors["operations.0.ones"] = tensors["operations.0.ones"].float()
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError, match=r'layer "0" .* its operations are damaged'):
        Recording.from_bytes(recording.to_bytes())


@pytest.mark.parametrize("problem", [[], 0, False])
def test_a_file_whose_reason_is_no_text_is_refused(
    problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recorded(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2))
    connections = recording._connections
    document, tensors = connections.document()
    document["layers"][0]["problem"] = problem
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError, match="a name or a problem is no text"):
        Recording.from_bytes(recording.to_bytes())


@pytest.mark.parametrize("at_once", [-1, "3", 2**62, 0.5])
def test_a_file_whose_operations_at_once_are_no_number_is_refused(
    at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recorded(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2))
    connections = recording._connections
    document, tensors = connections.document()
    document["layers"][0]["at_once"] = at_once
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError, match="the operations of one input are no number"):
        Recording.from_bytes(recording.to_bytes())


def test_a_file_with_a_layer_twice_at_one_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = sized((1, 1, 4, 4), (1, 1, 5, 5))
    connections: Any = recording._connections
    document, tensors = connections.document()
    document["layers"][1]["shape"] = document["layers"][0]["shape"]
    tensors |= {
        key.replace(".0.", ".1."): tensor for key, tensor in tensors.items() if ".0." in key
    }
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError, match="two layers of one name"):
        Recording.from_bytes(recording.to_bytes())


@pytest.mark.parametrize("reentrant", [True, False])
def test_training_has_the_same_gradients_and_a_checkpoint_counts_once(reentrant: bool) -> None:
    def step(operations: bool) -> tuple[list[Tensor], Recording]:
        torch.manual_seed(0)
        net, x = Net(), spikes(2, 2, 4, 4).requires_grad_()
        with neuroact.record(net, layers="act", operations=operations) as recording:
            for _ in range(2):
                checkpoint(net, x, use_reentrant=reentrant).square().sum().backward()
        return [p.grad for p in net.parameters() if p.grad is not None], recording

    (with_them, recording), (without, _) = step(True), step(False)
    assert len(without) == 4
    assert all(map(torch.equal, with_them, without))
    operations = recording.report().operations
    assert operations["conv"].observations == operations["fc"].observations == 4


def test_a_cuda_graph_is_refused_since_its_replays_could_not_count() -> None:
    net = Net()
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(spikes(1, 2, 4, 4))
        layers: list[Any] = [each for each in recording._watched if hasattr(each, "reader")]
        for watched in layers[-2:]:
            refused = pytest.raises(UnsupportedModelError, match="operations=True needs Python")
            with refused as caught:
                watched.reader.check_capture()
            assert caught.value.layer in ("conv", "fc")


def test_operations_of_all_ranks_are_added() -> None:
    recording = recorded(Net(), spikes(2, 2, 4, 4))
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        assert neuroact.distributed.merge(recording).report() == recording.report()
    finally:
        dist.destroy_process_group()


def test_a_weight_that_changes_when_it_is_asked_for_is_left_as_found() -> None:
    net = nn.Sequential(nn.Bilinear(2, 2, 2), nn.Linear(2, 2), nn.ReLU())
    for module in net[:2]:
        parametrizations.spectral_norm(module)
    before = {name: tensor.clone() for name, tensor in net.train().state_dict().items()}
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net[2](torch.ones(1, 2))
    assert set(recording.report().operations.not_counted) == {"0", "1"}
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_a_layer_that_got_its_weight_while_recording_is_named() -> None:
    net = nn.Sequential(nn.LazyLinear(2), nn.ReLU())
    said = recorded(net, torch.ones(1, 3)).report().operations.not_counted["0"]
    assert said.endswith("its weight has no values yet: call the model once before recording")
    assert recorded(net, torch.ones(1, 3)).report().operations["0"].acs == 6


def test_layers_of_a_transformer_that_a_fast_path_passes_by_are_counted() -> None:
    net = nn.Sequential(nn.TransformerEncoderLayer(4, 1, 8, batch_first=True), nn.ReLU()).eval()
    with torch.no_grad():
        operations = recorded(net, torch.rand(2, 3, 4)).report().operations
    projections = [f"0.self_attn.{name}" for name in ("query", "key", "value")]
    assert list(operations) == [*projections, "0.linear1", "0.linear2"]
    assert operations["0.linear1"].dense == 2 * 3 * 4 * 8


def test_a_layer_of_a_kind_that_cannot_be_read_does_not_stop_the_model() -> None:
    class Strange(nn.Conv1d):
        def forward(self, x: Tensor) -> Tensor:
            self.padding_mode = "mirror"  # type: ignore[assignment]
            return x

    net = nn.Sequential(Strange(1, 1, 1), nn.ReLU())
    operations = recorded(net, torch.ones(1, 1, 4)).report().operations
    assert "mirror" in operations.not_counted["0"]


def test_a_monitor_of_training_has_the_operations_of_the_epoch() -> None:
    net, x = Net(), spikes(2, 2, 4, 4)
    monitor = TrainingMonitor(net, every=1, layers=nn.ReLU, operations=True)
    for _ in range(2):
        with monitor.step():
            net(x)
    report = monitor.end_epoch()
    monitor.close()
    assert report.operations == recorded(net, x, x).report().operations

"""Operations per sample of a recorded model equal brute force on what went in."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrize

import neuroact
from neuroact import ActivityReport, Recording
from neuroact.errors import RecordingFileError, SamplesUnknownError
from neuroact.results.spread import OperationSpread
from neuroact.testing.syncs import HostSyncs


class Net(nn.Module):
    """Two connections, on what is laid out as `[time, batch]` or `[batch, time]`."""

    def __init__(self, flat: bool = False) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv1d(2, 3, 3, padding=1), nn.ReLU()
        self.fc, self.out = nn.Linear(12, 4), nn.ReLU()
        self.flat = flat
        with torch.no_grad():
            self.fc.weight[:, ::3] = 0

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        y = self.act(y).flatten(2)
        y = self.fc(y.flatten(0, 1)).unflatten(0, x.shape[:2]) if self.flat else self.fc(y)
        result: Tensor = self.out(y)
        return result


def spikes(*shape: int, seed: int = 0) -> Tensor:
    """Zeros, ones and a few twos."""
    generator = torch.Generator().manual_seed(seed)
    kept = (torch.rand(shape, generator=generator) < 0.4).float()
    return kept * torch.randint(1, 3, shape, generator=generator)


def by_hand(net: Net, x: Tensor, axes: str) -> tuple[Any, Any]:
    """Operations of each sample in `conv` and in `fc`, by running both on flags."""
    flags = (x != 0).double()
    kernel = (net.conv.weight != 0).double()
    of_conv = nn.functional.conv1d(flags.flatten(0, 1), kernel, padding=1)
    middle = torch.relu(net.conv(x.flatten(0, 1)).unflatten(0, x.shape[:2])).flatten(2)
    of_fc = (middle != 0).double() @ (net.fc.weight != 0).double().T
    over = (0, 2) if axes == "TBN" else (1, 2)
    return (
        of_conv.unflatten(0, x.shape[:2]).flatten(2).sum(over).int().numpy(),
        of_fc.sum(over).int().numpy(),
    )


def recorded(net: nn.Module, *calls: Tensor, axes: str = "TBN", **options: Any) -> Recording:
    """The recording of these calls, closed."""
    options = {"layers": nn.ReLU, "operations": True, "axes": axes} | options
    with torch.no_grad(), neuroact.record(net, **options) as recording:
        for call in calls:
            net(call)
    return recording


def check(report: ActivityReport, expected: list[tuple[Any, Any]]) -> None:
    """That the spreads are of these operations of `conv` and `fc`."""
    conv, fc = (np.concatenate(each) for each in zip(*expected, strict=True))
    operations = report.operations
    assert operations["conv"].spread == OperationSpread.of(conv)
    assert operations["fc"].spread == OperationSpread.of(fc)
    assert operations.spread == OperationSpread.of(conv + fc)
    assert operations.spread.sum == operations.total.effective > 0
    assert operations.spread.mean == pytest.approx(operations.per_sample.total.effective)
    assert operations["fc"].spread.quantile(0.9) == np.quantile(fc, 0.9)


@given(
    st.sampled_from(["TBN", "BTN"]),
    st.booleans(),
    st.integers(1, 4),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.data(),
)
def test_spreads_are_those_of_the_raw_data_in_any_layout_split_and_merge(
    axes: str, flat: bool, steps: int, batches: list[int], data: Any
) -> None:
    net = Net(flat)
    shapes = [(steps, b) if axes == "TBN" else (b, steps) for b in batches]
    calls = [spikes(*shape, 2, 4, seed=seed) for seed, shape in enumerate(shapes)]
    with torch.no_grad():
        expected = [by_hand(net, x, axes) for x in calls]
    check(recorded(net, *calls, axes=axes).report(), expected)
    parts = [recorded(net, x, axes=axes) for x in data.draw(st.permutations(calls))]
    merged = Recording()
    for part in parts:
        merged.merge(Recording.from_bytes(part.to_bytes()))
    check(merged.report(), expected)
    check(copy.deepcopy(merged).report(), expected)
    check(ActivityReport.from_json(merged.report().to_json()), expected)


@given(
    st.sampled_from(["TBN", "BTN"]),
    st.booleans(),
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.integers(0, 1),
    st.booleans(),
)
def test_padding_is_in_no_figure(
    axes: str, flat: bool, lengths: list[int], more: int, by_mask: bool
) -> None:
    net, steps = Net(flat), max(lengths) + more
    valid = torch.arange(steps).unsqueeze(1) < torch.tensor(lengths)
    x = spikes(steps, len(lengths), 2, 4)
    laid_out = x if axes == "TBN" else x.transpose(0, 1)
    said: Any = {"valid": valid} if by_mask else {"lengths": lengths}
    with (
        torch.no_grad(),
        neuroact.record(net, layers=nn.ReLU, axes=axes, operations=True) as recording,
    ):
        with recording.batch(**said):
            net(laid_out)
        if any(lengths):  # else no sample has begun
            report = recording.report()
    # Each sample alone, without its padding.
    with torch.no_grad():
        alone = [by_hand(net, x[:n, i : i + 1], "TBN") for i, n in enumerate(lengths) if n]
    if not alone:
        return
    check(report, alone)
    observed = report.operations["conv"].observations
    assert observed == report.operations["fc"].observations == sum(lengths)
    assert report.operations["conv"].effective == sum(int(conv.sum()) for conv, _ in alone)
    check(Recording.from_bytes(recording.to_bytes()).report(), alone)


def test_whole_samples_of_padding_are_no_samples() -> None:
    net, x = nn.Sequential(nn.Linear(3, 2), nn.ReLU()), spikes(4, 3)
    with neuroact.record(net, layers="1", operations=True) as recording:
        with recording.batch(valid=[True, False, True, False]):
            net(x)
        net(x[:1])
    operations = recording.report().operations
    kept = x[[0, 2, 0]]
    assert operations["0"].effective == 2 * int((kept != 0).sum())
    assert operations.spread == OperationSpread.of(2 * (kept != 0).sum(1).numpy())


def test_an_inner_block_that_says_nothing_of_padding_leaves_that_of_the_outer() -> None:
    net, x = nn.Sequential(nn.Linear(3, 2), nn.ReLU()), spikes(4, 3)
    with (
        neuroact.record(net, layers="1", operations=True, statistics="ClassActivity") as recording,
        recording.batch(valid=[True, False, True, False]),
        recording.batch(labels=[0, 1, 2, 3]),
    ):
        net(x)
    assert recording.report().operations["0"].effective == 2 * int((x[::2] != 0).sum())


def test_a_layer_whose_steps_are_not_those_of_the_recorded_ones_is_named_in_a_padded_batch() -> (
    None
):
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act = nn.Linear(3, 3), nn.ReLU()

        def forward(self, x: Tensor) -> None:
            self.act(self.fc(x) + self.fc(x))

    net = Twice()
    with (
        neuroact.record(net, layers=nn.ReLU, operations=True) as recording,
        recording.batch(lengths=[1, 0]),
    ):
        net(spikes(2, 3))
    said = recording.report().operations.not_counted["fc"]
    assert said.endswith("it took 2 steps of a padded batch, the recorded spiking layers 1")


def test_a_padded_call_that_can_be_read_in_two_ways_is_named() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    with (
        neuroact.record(net, layers="1", operations=True) as recording,
        recording.batch(lengths=[1, 1]),
    ):
        net(spikes(2, 2, 3))
    assert "not clear where the 2 samples are" in recording.report().operations.not_counted["0"]


def test_one_step_calls_are_read_by_the_size_of_the_batch() -> None:
    net, x = nn.Sequential(nn.Linear(3, 5), nn.ReLU()), spikes(4, 7, 3)  # 7 tokens
    spread = recorded(net, x, axes="BN").report().operations["0"].spread
    assert spread == OperationSpread.of(5 * (x != 0).sum((1, 2)).numpy())


def test_an_open_recording_reports_goes_on_and_resets() -> None:
    net, x = Net(), spikes(2, 3, 2, 4)
    with torch.no_grad():
        expected = by_hand(net, x, "TBN")
    with (
        torch.no_grad(),
        neuroact.record(net, layers=nn.ReLU, axes="TBN", operations=True) as recording,
    ):
        net(x)
        check(recording.report(), [expected])
        net(x)
        check(recording.report(), [expected] * 2)
        recording.reset()
        net(x)
        check(recording.report(), [expected])
        recording.pause()
        net(x)
        recording.resume()
        net(x)
        recording.merge(recorded(copy.deepcopy(net), x))
    check(recording.report(), [expected] * 3)


def test_after_a_reset_inputs_and_zeros_may_be_others() -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 1), nn.ReLU())
    with torch.no_grad(), neuroact.record(net, layers="1", operations=True) as recording:
        net(spikes(2, 1, 4))
        recording.reset()
        net[0].weight[0] = 0
        recording.reset()
        x = spikes(3, 1, 5)
        net(x)
    spread = recording.report().operations.spread
    assert spread == OperationSpread.of((x != 0).sum((1, 2)).numpy())


def test_a_weight_that_is_made_at_each_call_is_not_asked_for_in_the_midst_of_one() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.ones(()))
            self.asked = 0

        def forward(self, weight: Tensor) -> Tensor:
            self.asked += 1
            scale: Any = self.scale
            return weight * scale.add_(1)  # kept for the backward pass, and changed in place

    net, x = nn.Sequential(nn.Linear(3, 2), nn.ReLU()), spikes(4, 3)
    scaled = Scaled()
    parametrize.register_parametrization(net[0], "weight", scaled)
    with neuroact.record(net, layers="1", operations=True) as recording:
        scaled.asked = 0
        output = net(x)
        assert scaled.asked == 1
        output.sum().backward()
    assert recording.report().operations.spread.samples == 4


def test_batches_kept_on_the_device_are_all_counted() -> None:
    net, x = Net(), spikes(1, 2, 2, 4)
    with torch.no_grad():
        expected = by_hand(net, x, "TBN")
    check(recorded(net, *[x] * 200).report(), [expected] * 200)


def test_no_call_waits_for_a_device() -> None:
    net, x = Net(), spikes(2, 3, 2, 4)
    said: Any = {"valid": torch.ones(2, 3, dtype=torch.bool)}
    with (
        torch.no_grad(),
        neuroact.record(net, layers=nn.ReLU, axes="TBN", operations=True) as recording,
    ):
        net(x)  # the first call looks at the weights
        with HostSyncs() as syncs:
            net(x)
            with recording.batch(**said):
                net(x)
    assert not syncs.found
    assert recording.report().operations.spread.samples == 9


def test_marks_of_sequences_by_hand_are_followed() -> None:
    net, x = nn.Sequential(nn.Linear(3, 2), nn.ReLU()), spikes(6, 2, 3)
    with neuroact.record(net, layers="1", operations=True) as recording:
        for step, values in enumerate(x):
            if step in (0, 2):
                recording.new_sequence()
            net(values)
    events = (x != 0).sum(2)
    expected = torch.cat([events[:2].sum(0), events[2:].sum(0)])
    assert recording.report().operations.spread == OperationSpread.of(2 * expected.numpy())


def test_a_report_in_the_midst_of_a_call_has_no_spread() -> None:
    net, x = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.ReLU()), spikes(2, 3)
    found: list[Any] = []
    with neuroact.record(net, layers="1", operations=True) as recording:
        net[2].register_forward_hook(lambda *_: found.append(recording.report().operations))
        net(x)
    with pytest.raises(SamplesUnknownError, match="a call of the model is under way"):
        _ = found[0].spread
    assert recording.report().operations.spread.samples == 2


def test_measure_tells_samples_apart_also_if_run_calls_the_layers_itself() -> None:
    net, x = Net(), spikes(2, 3, 2, 4)
    options: Any = {"layers": nn.ReLU, "axes": "TBN", "operations": True}
    with torch.no_grad():
        expected = by_hand(net, x, "TBN")
    check(neuroact.measure(net, [x, x], **options), [expected] * 2)

    def run(model: nn.Module, batch: Tensor) -> None:
        Net.forward(model, batch)  # type: ignore[arg-type]  # it is a Net

    check(neuroact.measure(net, [x, x], run=run, **options), [expected] * 2)


def test_calls_outside_of_the_model_have_no_spread_until_a_block_says_their_batch() -> None:
    net, x = nn.Sequential(nn.Linear(3, 2), nn.ReLU()), spikes(4, 3)
    with neuroact.record(net, layers="1", operations=True) as recording:
        net[1](net[0](x))
    operations = recording.report().operations
    with pytest.raises(SamplesUnknownError, match=r'"0": .* outside of a call of the .* model'):
        _ = operations["0"].spread
    with pytest.raises(SamplesUnknownError, match=r'together: .* of the layer "0": it was called'):
        _ = operations.spread
    with neuroact.record(net, layers="1", operations=True) as recording:
        for part in x.split(2):
            with recording.batch():
                net[1](net[0](part))
    spread = recording.report().operations.spread
    assert spread == OperationSpread.of(2 * (x != 0).sum(1).numpy())


def test_what_is_called_in_only_some_batches_has_zeros_in_the_others() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.late, self.act = nn.Linear(3, 2), nn.Linear(3, 4), nn.ReLU()

        def forward(self, x: Tensor) -> None:
            self.act(self.fc(x))
            if len(x) == 2:
                self.late(x)

    x = spikes(5, 3)
    operations = recorded(Early(), x[:3], x[3:], axes="BN").report().operations
    late = np.array([0, 0, 0, *(4 * (x[3:] != 0).sum(1)).tolist()])
    assert operations["late"].spread == OperationSpread.of(late)
    assert operations.spread == OperationSpread.of(late + 2 * (x != 0).sum(1).numpy())


def test_a_layer_called_twice_a_step_has_both_calls_in_each_sample() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act = nn.Linear(3, 3), nn.ReLU()

        def forward(self, x: Tensor) -> None:
            self.act(self.fc(x) + self.fc(input=x))

    x = spikes(4, 3)
    spread = recorded(Twice(), x, axes="BN").report().operations.spread
    assert spread == OperationSpread.of(6 * (x != 0).sum(1).numpy())


def test_samples_that_cannot_be_told_apart_leave_the_totals() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    x = spikes(4, 4, 3)  # 4 tokens: which 4 is the batch?
    operations = recorded(net, x, axes="BN").report().operations
    assert operations["0"].effective == 2 * int((x != 0).sum())
    with pytest.raises(SamplesUnknownError, match=r"dimensions \[4, 4\], of which it is not clear"):
        _ = operations["0"].spread


def test_layers_of_other_batches_in_one_call_give_no_spread() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.one, self.two = nn.Linear(3, 3), nn.ReLU(), nn.ReLU()

        def forward(self, x: Tensor) -> None:
            self.two(self.one(self.fc(x))[:2])

    operations = recorded(Half(), spikes(4, 3), axes="BN").report().operations
    with pytest.raises(SamplesUnknownError, match="different numbers of samples in one call"):
        _ = operations["fc"].spread


def test_two_batches_in_one_call_give_no_spread() -> None:
    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act = nn.Linear(3, 3), nn.ReLU()

        def forward(self, x: Tensor) -> None:
            for half in x.split(2):
                self.act(self.fc(half))

    operations = recorded(Halves(), spikes(4, 3), axes="BN").report().operations
    assert operations.per_sample.total.effective > 0
    with pytest.raises(SamplesUnknownError, match=r'called with 2 samples, .* sequences: "act" 4'):
        _ = operations["fc"].spread


def test_a_call_without_a_recorded_layer_gives_no_spread() -> None:
    net = nn.ModuleDict({"fc": nn.Linear(3, 3), "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        with recording.batch():
            net["fc"](spikes(2, 3))
        net["act"](spikes(2, 3))
    with pytest.raises(SamplesUnknownError, match="no recorded spiking layer was called with it"):
        _ = recording.report().operations["fc"].spread


def test_a_call_that_raised_keeps_its_operations() -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.act, self.broken = nn.Linear(3, 3), nn.ReLU(), True

        def forward(self, x: Tensor) -> None:
            self.act(self.fc(x))
            if self.broken:
                raise KeyError

    net, x = Broken(), spikes(5, 3)
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        with pytest.raises(KeyError):
            net(x[:2])
        net.broken = False
        net(x[2:])
    spread = recording.report().operations.spread
    assert spread == OperationSpread.of(3 * (x != 0).sum(1).numpy())


@pytest.mark.usefixtures("fresh_compiler")
def test_a_compiled_model_has_totals_and_no_spread() -> None:
    net, x = Net(), spikes(2, 3, 2, 4)
    with (
        torch.no_grad(),
        neuroact.record(net, layers=nn.ReLU, axes="TBN", operations=True) as recording,
    ):
        torch.compile(net, backend="eager")(x)
    operations = recording.report().operations
    assert operations == recorded(net, x).report().operations
    with pytest.raises(SamplesUnknownError, match="or in a compiled program"):
        _ = operations.spread


def test_samples_that_do_not_add_up_to_the_total_have_no_spread() -> None:
    recording = recorded(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), spikes(4, 3), axes="BN")
    connections: Any = recording._connections
    effective = recording.report().operations["0"].effective
    assert connections.samples.spread_of("0", effective).sum == effective
    assert "not seen" in connections.samples.spread_of("0", effective + 1)
    assert "not seen" in connections.samples.spread_of_total({"0": effective + 1})


def test_zeros_that_move_while_recording_give_no_spread() -> None:
    net = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(torch.ones(1, 2))
        with torch.no_grad():
            net[0].weight.copy_(torch.tensor([[0.0, 1.0]]))
    assert "zero changed" in recording.report().operations.not_counted["0"]


def test_a_fan_out_above_what_float32_holds_is_exact() -> None:
    net = nn.Sequential(nn.Linear(40, 3_000_001, bias=False), nn.ReLU())
    nn.init.ones_(net[0].weight)
    x = spikes(3, 40)
    spread = recorded(net, x, axes="BN", layers="1").report().operations.spread
    assert spread == OperationSpread.of(3_000_001 * (x != 0).sum(1).numpy())


def test_all_dtypes_give_the_same() -> None:
    net, x = nn.Sequential(nn.Linear(3, 300), nn.ReLU()), spikes(40, 3)
    whole = recorded(net, x, axes="BN").report().operations.spread
    half = recorded(net.bfloat16(), x.bfloat16(), axes="BN").report().operations.spread
    double = recorded(net.double(), x.double(), axes="BN").report().operations.spread
    assert whole == half == double == OperationSpread.of(300 * (x != 0).sum(1).numpy())


def test_inference_mode_and_training_give_the_same() -> None:
    net, x = Net(), spikes(2, 3, 2, 4)
    with torch.no_grad():
        expected = by_hand(net, x, "TBN")
    with neuroact.record(net, layers=nn.ReLU, axes="TBN", operations=True) as recording:
        with torch.inference_mode():
            net(x)
        net(x).sum().backward()
    check(recording.report(), [expected] * 2)


def test_a_closed_recording_lets_go_of_the_model() -> None:
    net = Net()
    recording = recorded(net, spikes(2, 3, 2, 4))
    model, act = weakref.ref(net), weakref.ref(net.act)
    del net
    gc.collect()
    assert model() is None
    assert act() is None
    assert recording.report().operations.spread.samples == 3


@pytest.mark.parametrize("change", ["more", "fewer", "text", "count", "lost", "float", "exact"])
def test_damaged_samples_in_a_file_are_refused(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = recorded(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), spikes(4, 3), axes="BN")
    connections: Any = recording._connections
    document, tensors = connections.document()
    samples, counts = document["samples"], tensors["operations.samples0.counts"]
    if change == "more":
        counts += 1
    elif change == "fewer":
        samples["sums"].pop()
    elif change == "text":
        samples["sums"][0]["problem"] = 3
    elif change == "count":
        samples["count"] = -1
    elif change == "lost":
        del tensors["operations.samples0.values"]
    elif change == "float":
        tensors["operations.samples0.counts"] = counts.float()
    else:
        samples["sums"][0]["exact"] = None
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError, match="damaged"):
        Recording.from_bytes(recording.to_bytes())

"""A pool in front of a layer, folded into it: what brute force over input and output gives."""

from __future__ import annotations

import gc
import itertools
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import neuroact
from neuroact import ActivityReport, Recording

POOLS: Any = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
CONVOLUTIONS: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def recording_of(model: nn.Module, *calls: Any, **options: Any) -> Recording:
    """The recording of these calls, closed."""
    with (
        neuroact.record(model, layers=nn.ReLU, operations=True, **options) as recording,
        torch.no_grad(),
    ):
        for call in calls:
            model(call)
    return recording


def folded(recording: Recording, name: str = "fed") -> Any:
    return recording.report().operations[name].folded


class Pooled(nn.Module):
    """A pool, what is done between, and a layer."""

    def __init__(
        self, pool: nn.Module, fed: nn.Module, between: Callable[[Tensor], Tensor] = lambda x: x
    ) -> None:
        super().__init__()
        self.pool, self.fed, self.between, self.out = pool, fed, between, nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        return self.out(self.fed(self.between(self.pool(x))))


def small(between: Callable[[Tensor], Tensor] = lambda x: x) -> Pooled:
    """3 spikes of which 2 lie in one window, and a fan-out of 2, are 6 operations."""
    return Pooled(nn.AvgPool1d(2), nn.Conv1d(1, 2, 1), between)


SPIKES = torch.tensor([[[1.0, 1.0, 0.0, 1.0]]])


def spikes(*shape: int, seed: int = 0, most: int = 2) -> Tensor:
    return torch.randint(most, shape, generator=torch.Generator().manual_seed(seed)).float()


def in_window(pool: Any, dims: int, place: tuple[int, ...], window: tuple[int, ...]) -> bool:
    """Whether a place of the input lies in a window, by PyTorch's words on its settings."""
    each = [
        given if isinstance(given, tuple) else (given,) * dims
        for given in (pool.kernel_size, pool.stride, pool.padding)
    ]
    return all(
        o * s - p <= i < o * s - p + k for i, o, k, s, p in zip(place, window, *each, strict=True)
    )


def by_brute_force(pool: Any, flags: Any, run: Callable[[Tensor], Tensor], dims: int) -> int:
    """For each element, window that holds it and channel: the layer run on that window alone."""
    outputs = pool(torch.zeros(flags.shape)).shape[1:]
    total = 0
    for _, channel, *place in zip(*np.nonzero(flags), strict=True):
        for window in itertools.product(*map(range, outputs[1:])):
            if in_window(pool, dims, tuple(place), window):
                alone = torch.zeros(1, *outputs, dtype=torch.float64)
                alone[(0, channel, *window)] = 1
                total += round(float(run(alone).sum()))
    return total


@st.composite
def pooled(draw: st.DrawFn, dims: int) -> tuple[Any, tuple[int, ...]]:
    """A pool and the shape of its input, with an output that is not empty."""
    most = {1: 8, 2: 5, 3: 4}[dims]
    sizes = tuple(draw(st.integers(2, most)) for _ in range(dims))
    taps = tuple(draw(st.integers(1, min(3, n))) for n in sizes)
    strides = tuple(draw(st.integers(1, 3)) for _ in sizes)
    pads = tuple(draw(st.integers(0, k // 2)) for k in taps)
    pool = POOLS[dims - 1](taps, strides, pads, ceil_mode=draw(st.booleans()))
    return pool, (draw(st.integers(1, 2)), *sizes)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("flat", [False, True])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_folded_is_what_brute_force_gives(data: st.DataObject, dims: int, flat: bool) -> None:
    pool, shape = data.draw(pooled(dims))
    torch.manual_seed(data.draw(st.integers(0, 99)))
    outputs = pool(torch.zeros(1, *shape)).shape[1:]
    if flat:
        fed: Any = nn.Linear(math.prod(outputs), 3)
    else:
        padding = data.draw(st.integers(0, 1))
        taps = [data.draw(st.integers(1, min(2, n))) for n in outputs[1:]]
        fed = CONVOLUTIONS[dims - 1](shape[0], 2, taps, padding=padding)
    with torch.no_grad():
        fed.weight.mul_(torch.rand_like(fed.weight) < 0.6)
    calls = [spikes(n, *shape, seed=n, most=3) for n in (1, 2)]
    net = Pooled(pool, fed, lambda x: x.flatten(1) if flat else x)
    found = folded(recording_of(net, *calls))

    def runs(weight: Tensor) -> Callable[[Tensor], Tensor]:
        if flat:
            return lambda x: x.flatten(1) @ weight.T
        return lambda x: fed._conv_forward(x, weight, None)

    connected = runs((fed.weight != 0).double())
    values = torch.cat(calls)
    assert found.acs == by_brute_force(pool, (values == 1).numpy(), connected, dims)
    assert found.macs == by_brute_force(pool, (values == 2).numpy(), connected, dims)
    every = runs(torch.ones_like(fed.weight).double())
    assert found.dense == by_brute_force(pool, np.ones(values.shape), every, dims)
    assert found.events == int(values.count_nonzero())
    assert found.effective == found.acs + found.macs


def test_three_spikes_two_in_one_window_are_six_operations_and_four_by_what_arrives() -> None:
    layer = recording_of(small(), SPIKES).report().operations["fed"]
    assert (layer.acs, layer.macs, layer.events) == (2, 2, 2)  # a window is 1, one 0.5
    assert (layer.folded.acs, layer.folded.macs, layer.folded.events) == (6, 0, 3)
    assert layer.folded.pool == "pool"


def test_all_steps_at_once_are_the_same_as_step_by_step() -> None:
    x, net = spikes(4, 3, 1, 4), small()
    assert folded(recording_of(net, x.flatten(0, 1))) == folded(recording_of(net, *x))


def test_a_linear_layer_along_the_last_axis_is_folded_for_each_channel() -> None:
    x = spikes(2, 3, 6)
    found = folded(recording_of(Pooled(nn.AvgPool1d(2), nn.Linear(3, 5)), x))
    assert (found.acs, found.dense) == (5 * int(x.sum()), 5 * x.numel())


class TwoLayers(nn.Module):
    """A pool whose output goes to two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.fed, self.other = nn.AvgPool1d(2), nn.Conv1d(1, 2, 1), nn.Conv1d(1, 3, 1)
        self.out = nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        x = self.pool(x)
        self.other(x)
        return self.out(self.fed(x))


def test_a_pool_that_feeds_two_layers_is_folded_into_none() -> None:
    operations = recording_of(TwoLayers(), SPIKES).report().operations
    assert operations["fed"].folded is operations["other"].folded is None


class OtherInputToo(nn.Module):
    """A layer that gets something else beside the pool's output, of the same number of calls."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.pool, self.fed, self.out = nn.AvgPool1d(2), nn.Conv1d(1, 2, 1), nn.ReLU()
        self.first = first

    def forward(self, x: Tensor) -> Any:
        one = self.pool(x)
        if self.first:
            self.fed(one)
            self.pool(x)  # to nobody
            return self.out(self.fed(one))
        self.fed(torch.ones(1, 1, 2))
        return self.out(self.fed(one))


@pytest.mark.parametrize("first", [False, True])
def test_nothing_is_folded_where_the_layer_got_something_else_too(first: bool) -> None:
    assert folded(recording_of(OtherInputToo(first), SPIKES)) is None


@pytest.mark.parametrize(
    "between",
    [
        lambda x: x.mul_(2),
        lambda x: x * 2,
        lambda x: x.clone(),
        lambda x: x[..., :1],
        lambda x: x.unflatten(2, (2, 1)).transpose(1, 2).squeeze(3).transpose(1, 2).flip(2),
        nn.ReLU(inplace=True),
    ],
)
def test_nothing_is_folded_where_the_pool_s_output_is_changed(between: Any) -> None:
    net = small(between)
    assert folded(recording_of(net, SPIKES)) is None


def test_nothing_is_folded_where_elements_are_in_another_order() -> None:
    net = Pooled(nn.AvgPool1d(2), nn.Linear(2, 3), lambda x: x.transpose(1, 2))
    assert folded(recording_of(net, spikes(3, 2, 4))) is None


@pytest.mark.parametrize("between", [lambda x: x, nn.Identity(), nn.Dropout(0.5).eval()])
def test_what_leaves_the_output_as_it_is_does_not_matter(between: Any) -> None:
    assert folded(recording_of(small(between), SPIKES)).acs == 6


def test_nothing_is_folded_without_a_pool_or_with_an_adaptive_one() -> None:
    assert folded(recording_of(Pooled(nn.Identity(), nn.Conv1d(1, 2, 1)), SPIKES)) is None
    adaptive = Pooled(nn.AdaptiveAvgPool1d(2), nn.Conv1d(1, 2, 1))
    assert folded(recording_of(adaptive, SPIKES)) is None


def test_nothing_is_folded_of_nan_of_other_sizes_and_in_inference_mode() -> None:
    net = Pooled(nn.AvgPool1d(2, stride=4), nn.Conv1d(1, 2, 1))
    skipped = torch.tensor([[[1.0, 1.0, math.nan, 0.0]]])
    assert folded(recording_of(net, skipped)) is None
    net = small()
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(SPIKES)
        net.fed(net.pool(torch.ones(1, 1, 8)))
    assert recording.report().operations["fed"].observations == 2
    assert folded(recording) is None
    record = neuroact.record(net, layers=nn.ReLU, operations=True)
    with record as recording, torch.inference_mode():
        net(SPIKES)
    assert folded(recording) is None


def test_nothing_is_folded_where_compiled_calls_were_not_seen() -> None:
    net = small()
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        compiled = torch.compile(net, backend="eager", fullgraph=True)
        compiled(SPIKES)
        net(SPIKES)
    assert recording.report().operations["fed"].observations == 2
    assert folded(recording) is None
    torch._dynamo.reset()


def test_padding_is_not_folded() -> None:
    net = nn.Sequential(nn.AvgPool1d(2), nn.Conv1d(1, 2, 1), nn.ReLU())
    recording = neuroact.record(net, layers="2", operations=True)
    with recording, recording.batch(valid=torch.tensor([[True, False]])):
        net(SPIKES.repeat(2, 1, 1))
    assert recording.report().operations["1"].observations == 1
    assert folded(recording, "1") is None


def test_it_is_counted_anew_after_a_reset() -> None:
    net = TwoLayers()
    with neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
        net(SPIKES)
        recording.reset()
        net.out(net.fed(net.pool(SPIKES)))
        assert folded(recording).acs == 6
        net.out(net.fed(net.pool(SPIKES)))
    assert folded(recording).acs == 12


def test_files_merges_and_json_keep_it() -> None:
    net, calls = small(), [spikes(2, 1, 4, seed=n) for n in range(3)]
    whole = recording_of(net, *calls)
    parts = [Recording.from_bytes(recording_of(net, call).to_bytes()) for call in calls]
    for order in (parts[:], parts[::-1]):
        first = Recording.from_bytes(order[0].to_bytes())
        for part in order[1:]:
            first.merge(part)
        assert folded(first) == folded(whole) != None  # noqa: E711  # not to be skipped
    report = whole.report()
    read = ActivityReport.from_json(report.to_json())
    assert read.operations == report.operations
    assert read.operations["fed"].folded == folded(whole)


def test_a_merge_with_other_windows_or_another_layer_folds_nothing() -> None:
    for other in (Pooled(nn.AvgPool1d(2, 1), nn.Conv1d(1, 2, 1)), small(lambda x: x.clone())):
        one = recording_of(small(), SPIKES[..., :3])
        one.merge(recording_of(other, SPIKES[..., :2]))
        assert folded(one) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("strides", [0]), ("pads", [2]), ("taps", ["2"]), ("lost", 0), ("calls", -1), ("shape", [4])],
)
def test_a_damaged_pool_in_a_file_is_refused(key: str, value: object) -> None:
    from neuroact.recording.pool import Pool

    recording = recording_of(small(), SPIKES)
    assert recording._connections is not None
    entry, state = recording._connections.pools["pool"].document()
    Pool.from_document(entry, state)
    with pytest.raises((TypeError, ValueError)):
        Pool.from_document(entry | {key: value}, state)


def test_no_tensor_is_kept_alive_and_the_model_is_left_as_found() -> None:
    net = small()
    before = {name: dict(vars(m)) for name, m in net.named_modules()}
    held: list[weakref.ref[Tensor]] = []
    net.pool.register_forward_hook(lambda m, args, output: held.append(weakref.ref(output)))
    before["pool"] = dict(vars(net.pool))
    with neuroact.record(net, layers=nn.ReLU, operations=True):
        net(SPIKES)
        gc.collect()
        assert held[0]() is None
    assert {name: dict(vars(m)) for name, m in net.named_modules()} == before


def test_a_model_without_pools_has_no_more_watchers() -> None:
    net = Pooled(nn.Identity(), nn.Conv1d(1, 2, 1))
    with neuroact.record(net, layers=nn.ReLU, operations=True):
        assert len(vars(net.fed)["forward"].watchers) == 1
        assert "forward" not in vars(net.pool)


def test_a_model_and_its_open_recording_are_let_go_of() -> None:
    net = small()
    recording = neuroact.record(net, layers=nn.ReLU, operations=True)
    net(SPIKES)
    held = weakref.ref(net), weakref.ref(recording)
    del net, recording
    gc.collect()
    assert [each() for each in held] == [None, None]


def test_a_model_is_as_found_once_nobody_holds_the_recording() -> None:
    net = small()
    recording = neuroact.record(net, layers=nn.ReLU, operations=True)
    assert "forward" in vars(net.pool)
    del recording
    gc.collect()
    assert not any("forward" in vars(module) for module in net.modules())

"""Merging recordings: its laws, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from stored import ALL_BUT_FIRING, LEVELS, Largest, bits_of, fed, feed
from torch import nn
from toy import Net, ToyAdapter

import neuroact
from neuroact import Raster, Recording, SignalKind, SpikeCounts
from neuroact.errors import MergeError
from neuroact.testing.strategies import Stream

ADAPTERS = [ToyAdapter()]
# Not Raster: it keeps the first sequences, so there the order of merging shows.
COUNTED = [cls for cls in ALL_BUT_FIRING if cls is not Raster]
NEURONS = {"a": (3,), "b": (2, 2), "c": ()}
SPIKING = (SignalKind.BINARY, SignalKind.GRADED)

Part = Mapping[str, tuple[SignalKind, Stream]]


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """What one machine recorded: some of the layers, a few sequences of unequal length each."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    part = {}
    for name in draw(st.sets(st.sampled_from(sorted(NEURONS)))):
        kind = draw(st.sampled_from(SPIKING))
        sequences = [
            rng.choice(LEVELS[kind], size=(rng.integers(0, 5), rng.integers(0, 3), *NEURONS[name]))
            for _ in range(rng.integers(1, 4))
        ]
        part[name] = (kind, Stream(tuple(sequences), NEURONS[name]))
    return part


def recorded(parts: Sequence[Part], statistics: Sequence[Any] = COUNTED) -> Recording:
    """The recording of one process over all of them."""
    recording = Recording(statistics=[*statistics, Largest])
    for part in parts:
        for name, (kind, stream) in part.items():
            feed(recording, stream, kind, name)
    return recording


def merged(parts: Sequence[Recording]) -> Recording:
    total = Recording(statistics=[*COUNTED, Largest])
    for part in parts:
        total.merge(part)
    return total


def figures(recording: Recording) -> tuple[Any, ...]:
    """All that a report shows: each layer's figures, and the results of every statistic."""
    if not recording.layers:
        return ()
    report = recording.report()
    return report, {name: dict(layer.results) for name, layer in report.items()}


@given(st.lists(parts(), max_size=4), st.randoms(use_true_random=False))
def test_any_order_of_any_parts_equals_one_process_over_all(parts: list[Part], draw: Any) -> None:
    recordings = [recorded([part]) for part in parts]
    before = [bits_of(recording) for recording in recordings]
    draw.shuffle(recordings)
    assert figures(merged(recordings)) == figures(recorded(parts))
    assert sorted(map(str, before)) == sorted(str(bits_of(recording)) for recording in recordings)


@given(parts(), parts(), parts())
def test_merging_is_associative_and_commutative(a: Part, b: Part, c: Part) -> None:
    def of(part: Part) -> Recording:
        return recorded([part])

    left, right, turned = of(a), of(b), of(c)
    left.merge(of(b))
    left.merge(of(c))
    right.merge(of(c))
    first = of(a)
    first.merge(right)
    turned.merge(of(b))
    turned.merge(of(a))
    assert figures(left) == figures(first) == figures(turned)


@given(parts(), parts())
def test_a_file_in_between_changes_nothing(a: Part, b: Part) -> None:
    def through_bytes(part: Part) -> Recording:
        return Recording.from_bytes(
            recorded([part], ALL_BUT_FIRING).to_bytes(), statistics=[Largest]
        )

    direct, stored = recorded([a], ALL_BUT_FIRING), through_bytes(a)
    direct.merge(recorded([b], ALL_BUT_FIRING))
    stored.merge(through_bytes(b))
    assert bits_of(direct) == bits_of(stored)
    assert direct.layers == stored.layers


@given(parts(), parts())
def test_ones_own_open_sequence_continues_after_a_merge(a: Part, b: Part) -> None:
    split, whole = recorded([a]), recorded([a])
    split.merge(recorded([b]))
    for recording in (split, whole):
        for name, (kind, stream) in a.items():
            last = torch.from_numpy(stream.sequences[-1])
            recording.observe(name, last, axes=stream.axes, kind=kind, starts_sequence=False)
    whole.merge(recorded([b]))
    assert figures(split) == figures(whole)


def test_layers_that_only_one_has_are_kept_called_or_not() -> None:
    net = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.ReLU())
    with neuroact.record(net, layers=["0", "1"]) as ours:
        net[0](torch.eye(3))
    with neuroact.record(net, layers=["1", "2"]) as theirs:
        net[2](torch.eye(3))
    ours.merge(theirs)
    assert list(ours.layers) == ["0", "1", "2"]
    with pytest.warns(neuroact.errors.LayerNotCalledWarning, match="not called.*: 1. "):
        assert list(ours.report()) == ["0", "2"]


def test_reports_are_equal_whatever_the_order_of_their_layers() -> None:
    ones = Stream((np.ones((5, 2, 3)),), (3,))
    first, second = fed(ones, name="a"), fed(ones, name="b")
    first.merge(fed(ones, name="b"))
    second.merge(fed(ones, name="a"))
    assert first.report() == second.report()
    assert list(first.report()) != list(second.report())
    assert first.report() != fed(ones, name="a").report()


def lif(width: int = 3, **options: Any) -> Recording:
    return fed(Stream((np.ones((5, 2, width)),), (width,)), **options)


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        (lif(3), lif(4), r"neurons of shape \[4\] to figures of neurons of shape \[3\]"),
        (lif(dt=0.1), lif(dt=0.2), r"recorded with dt=0\.2 to figures recorded with dt=0\.1"),
        (lif(), lif(dt=0.1), r"recorded with dt=0\.1 to figures recorded with dt=None"),
        (lif(), lif(statistics=[Largest]), r"statistics=\[Firing, Largest\].*=\[Firing\]"),
    ],
)
def test_recordings_that_do_not_fit_are_refused_with_the_layers_name_and_nothing_is_added(
    ours: Recording, theirs: Recording, message: str
) -> None:
    before = bits_of(ours), bits_of(theirs)
    with pytest.raises(MergeError, match=r'layer "lif" \(observed by hand\).*' + message) as caught:
        ours.merge(theirs)
    assert caught.value.layer == "lif"
    assert (bits_of(ours), bits_of(theirs)) == before


def test_figures_of_inputs_are_not_added_to_figures_of_outputs() -> None:
    net = nn.Sequential(nn.ReLU())
    with (
        neuroact.record(net, layers="0") as ours,
        neuroact.record(net, layers="0", of="input") as theirs,
    ):
        net(torch.eye(3))
    with pytest.raises(MergeError, match="recorded with of=input to figures recorded with of=out"):
        ours.merge(theirs)


def test_layers_of_one_name_and_other_classes_are_refused() -> None:
    ours, theirs = Recording(), Recording()
    for recording, module in ((ours, nn.ReLU()), (theirs, nn.Tanh())):
        with neuroact.record(nn.Sequential(module), layers="0") as run:
            module(torch.eye(3))
        recording.merge(run)
    with pytest.raises(MergeError, match="class torch Tanh to figures of the class torch ReLU"):
        ours.merge(theirs)


def test_a_recording_is_not_merged_into_itself() -> None:
    recording = lif()
    with pytest.raises(MergeError, match="would count everything twice"):
        recording.merge(recording)


def test_a_statistic_that_refuses_names_the_layer_and_nothing_is_added() -> None:
    ours = lif(statistics=[SpikeCounts, Raster(5)])
    before, empty = bits_of(ours), Recording(statistics=[SpikeCounts, Raster(5)])
    for total in (ours, empty):
        with pytest.raises(
            MergeError, match=r'layer "lif".*rasters that differ .* numbers'
        ) as caught:
            total.merge(lif(statistics=[SpikeCounts, Raster]))
        assert caught.value.layer == "lif"
    assert bits_of(ours) == before
    assert not empty.layers


class Choosy(Largest):
    """A statistic that refuses to merge more than two recordings."""

    def merge(self, other: Largest, /) -> None:
        super().merge(other)
        if self.steps > 10:
            raise MergeError("two are enough")


def test_where_the_last_layers_last_statistic_refuses_nothing_is_added_to_any() -> None:
    options = {"statistics": [Largest, Raster, Choosy]}
    ours = lif(name="a", **options)
    for _ in range(2):
        ours.merge(lif(name="b", **options))
    theirs, before = lif(name="new", **options), bits_of(ours)
    theirs.merge(lif(name="a", **options))
    theirs.merge(lif(name="b", **options))
    with pytest.raises(MergeError, match=r'layer "b" .*: two are enough') as caught:
        ours.merge(theirs)
    assert caught.value.layer == "b"
    assert bits_of(ours) == before
    assert list(ours.layers) == ["a", "b"]


def test_functions_and_configured_statistics_that_build_one_class_fit() -> None:
    ours = lif(statistics=[lambda: Largest(1.0)])
    ours.merge(lif(statistics=[Largest(1.0)]))
    ours.merge(lif(statistics=[Largest]))
    assert ours.report()["lif"].results["Largest"] == ([1.0] * 15, 15)


def test_an_empty_recording_takes_over_the_origin() -> None:
    net = Net()
    with neuroact.record(net, adapters=ADAPTERS) as part:
        net(torch.randn(3, 2, 5))
    total = Recording()
    total.merge(part)
    assert total.report().origin == part.report().origin


@pytest.mark.parametrize("names", [[("0", "x")], [("y",), ("x",)], [("y", "x"), ("x",), ()]])
def test_aliases_of_all_are_kept_whatever_the_order_of_the_merge(
    names: list[tuple[str, ...]],
) -> None:
    def under(aliases: tuple[str, ...]) -> Recording:
        recording = lif()
        layer = recording._layers["lif"]
        layer.info = replace(layer.info, aliases=aliases)
        return recording

    def sum_of(order: Sequence[tuple[str, ...]]) -> Recording:
        return reduce(lambda a, b: a.merge(b) or a, map(under, order))

    assert dict(sum_of(names).layers) == dict(sum_of(names[::-1]).layers)
    assert set(sum_of(names).layers["lif"].aliases) == {name for part in names for name in part}

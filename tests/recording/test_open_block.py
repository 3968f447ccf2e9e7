"""A layer's statistics end in the same state whether the core or rows collect its chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from emitting import ALL, BINARY, NEURONS, as_it_comes, same
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neuroact import Firing, SignalKind, SpikeChunk, SpikeCounts
from neuroact.layers.layer_info import LayerInfo
from neuroact.native import without_core
from neuroact.recording.known_batch import KnownBatch
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.merging import merge_layer
from neuroact.statistics.counting.step_block import BLOCK_STEPS


def layer(*statistics: type) -> LayerRecorder:
    """A layer with statistics beside `Firing`."""
    info = LayerInfo("lif", (), "test", "LIF", BINARY)
    return LayerRecorder(info, [Firing(), *(cls() for cls in statistics)])


def states(of: LayerRecorder) -> list[dict[str, Tensor]]:
    with of.settled() as statistics:
        return [statistic.state_dict() for statistic in statistics]


def spikes(generator: np.random.Generator, steps: int, batch: int) -> Tensor:
    rate = generator.choice([0.0, 0.05, 0.3, 1.0])
    return torch.from_numpy(generator.random((steps, batch, *NEURONS)) < rate).float()


WHAT = ["chunk", "start", "steps", "masked", "lengths", "look", "reset", "merge", "load", "other"]
TALES = st.lists(
    st.tuples(
        st.sampled_from(WHAT),
        st.integers(1, 2 * BLOCK_STEPS + 3),
        st.sampled_from(["plain", "plain", "plain", "strided", "float64", "bool"]),
    ),
    min_size=1,
    max_size=8,
)


def happen(of: LayerRecorder, what: str, values: Tensor, mask: Tensor) -> None:
    """Do to a layer one event of a tale."""
    if what == "steps":
        for step in values.split(1):
            of.take(SpikeChunk(step, BINARY, starts_sequence=False))
    elif what in ("chunk", "start"):
        of.take(SpikeChunk(values, BINARY, what == "start"))
    elif what == "masked":
        of.take(SpikeChunk(values, BINARY, starts_sequence=False, valid=mask))
    elif what == "lengths":
        batch = KnownBatch(lengths=mask.sum(0))
        of.enter(batch)
        for step in values.split(
            [1, *[1] * (len(values) // 2), len(values) - 1 - len(values) // 2]
        ):
            of.take(SpikeChunk(step, BINARY, starts_sequence=False))
        of.leave(batch)
    elif what == "reset":
        of.reset()
    elif what == "load":
        for statistic, state in zip(of.statistics, states(of), strict=True):
            statistic.load_state_dict(state)
    elif what == "merge":
        other = layer(*ALL)
        other.take(SpikeChunk(values, BINARY, starts_sequence=True))
        merge_layer(of, other)
    elif what == "other":
        of.take(SpikeChunk(values[:, :1].repeat(1, 4, 1, 1), BINARY, starts_sequence=False))


@given(TALES, st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_all_ways_of_collecting_leave_the_same_state_to_the_bit(
    tale: list[tuple[str, int, str]], batch: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    ours, theirs = layer(*ALL), layer(*ALL)
    alone, bare = layer(), layer()
    for what, steps, how in tale:
        values = as_it_comes(spikes(generator, steps, batch), how)
        mask = torch.from_numpy(generator.random((steps, batch)) < 0.7)
        happen(ours, what, values, mask)
        with without_core():
            happen(theirs, what, values, mask)
        if what != "merge":
            happen(alone, what, values, mask)
            with without_core():
                happen(bare, what, values, mask)
        if what == "look":
            assert same(states(ours), states(theirs))
    assert same(states(ours), states(theirs))
    assert same(states(alone), states(bare))


def test_steps_whose_counting_was_interrupted_are_not_among_those_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of, ones = layer(SpikeCounts), torch.ones(1, 2, *NEURONS)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    happen(of, "steps", ones.repeat(4, 1, 1, 1), ones)
    with monkeypatch.context() as patch:
        patch.setattr(SpikeCounts, "count", interrupted)
        with pytest.raises(KeyboardInterrupt):
            of.flush()
    of.reset()
    happen(of, "steps", 0 * ones.repeat(4, 1, 1, 1), ones)
    assert states(of)[0]["events"].sum() == 0


def test_steps_after_graded_ones_were_merged_add_to_the_total() -> None:
    found = []
    for way in (None, without_core()):
        of, other, ones = layer(*ALL), layer(*ALL), torch.ones(1, 2, *NEURONS)
        with way or torch.no_grad():
            other.take(SpikeChunk(ones / 2, SignalKind.GRADED, starts_sequence=True))
            happen(of, "steps", ones.repeat(4, 1, 1, 1), ones)
            merge_layer(of, other)
            happen(of, "steps", ones.repeat(100, 1, 1, 1), ones)
        found.append(states(of))
        assert found[-1][0]["events"].eq(2 * 105).all()
        assert found[-1][0]["total"].eq(2 * 104.5).all()
    assert same(*found)

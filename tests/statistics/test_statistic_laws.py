"""Laws of neuroact's own statistics beside those that the shipped contract checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from with_core import with_core

from neuroact import (
    ClassActivity,
    Firing,
    InterspikeIntervals,
    Raster,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import StatisticKindError
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.testing.packing import block_of
from neuroact.testing.strategies import Stream, cuts, streams

SPIKES_ONLY = (InterspikeIntervals, Raster, SpikeCounts, Synchrony, TimeCourse)
ALL = (ClassActivity, Firing, *SPIKES_ONLY)
BINARY = SignalKind.BINARY


def begun_by(raw: list[tuple[Any, bool, Any]]) -> int:
    """How many sequences have begun after chunks of (values, start, mask), by NumPy."""
    begun, open_ones = 0, np.zeros(0, dtype=bool)
    for number, (values, starts, valid) in enumerate(raw):
        if starts or number == 0 or len(open_ones) != values.shape[1]:
            open_ones = np.zeros(values.shape[1], dtype=bool)
        came = valid.any(0) & ~open_ones
        begun += int(came.sum())
        open_ones |= came
    return begun


@given(st.data(), streams())
def test_all_statistics_agree_on_the_sequences_of_any_stream(
    data: st.DataObject, stream: Stream
) -> None:
    """Whatever chunks say, and also if states are saved and loaded in mid-sequence."""
    counted: list[Any] = [Firing(), SpikeCounts(), Raster()]
    raw: list[tuple[Any, bool, Any]] = []
    for sequence in stream.sequences:
        for piece in data.draw(cuts(len(sequence))):
            values, starts = sequence[piece], data.draw(st.booleans())
            size = values.shape[0] * values.shape[1]
            drawn = data.draw(st.none() | st.lists(st.booleans(), min_size=size, max_size=size))
            valid = np.ones(size, dtype=bool) if drawn is None else np.array(drawn, dtype=bool)
            valid = valid.reshape(values.shape[:2])
            raw.append((values, starts, valid))
            mask = None if drawn is None else torch.from_numpy(valid)
            for place, statistic in enumerate(counted):
                statistic.update(SpikeChunk(torch.from_numpy(values), BINARY, starts, mask))
                if data.draw(st.booleans()):
                    counted[place] = type(statistic)()
                    counted[place].load_state_dict(statistic.state_dict())
            firing, counts, raster = (statistic.result() for statistic in counted)
            assert firing.sequences == counts.sequences == raster.begun == begun_by(raw)


@with_core
@given(st.data(), streams())
def test_they_agree_in_blocks_too(data: st.DataObject, stream: Stream) -> None:
    counted: list[Any] = [Firing(), SpikeCounts(), Raster()]
    raw: list[tuple[Any, bool, Any]] = []
    for sequence in stream.sequences:
        for piece in data.draw(cuts(len(sequence), most=64)):
            values, starts = sequence[piece], data.draw(st.booleans())
            steps, batch = values.shape[:2]
            drawn = st.lists(st.integers(0, steps), min_size=batch, max_size=batch)
            lengths = np.array(data.draw(drawn), dtype=np.int64)
            raw.append((values, starts, np.arange(steps)[:, None] < lengths))
            for statistic in counted:
                statistic.count(block_of(values, starts=starts, lengths=lengths))
            firing, counts, raster = (statistic.result() for statistic in counted)
            assert firing.sequences == counts.sequences == raster.begun == begun_by(raw)


@pytest.mark.parametrize("cls", SPIKES_ONLY)
def test_statistics_of_spikes_refuse_real_values_and_say_why(cls: Any) -> None:
    statistic = cls()
    with pytest.raises(StatisticKindError, match=f"{cls.__name__} applies to binary and graded"):
        statistic.update(SpikeChunk(torch.ones(2, 1, 3), SignalKind.ANALOG, True))
    assert statistic.state_dict() == {}


@with_core
@pytest.mark.parametrize("cls", ALL)
def test_a_block_of_other_neurons_is_refused_and_nothing_is_counted(cls: Any) -> None:
    statistic = cls()
    statistic.update(SpikeChunk(torch.ones(2, 1, 3), BINARY, True))
    before = statistic.state_dict()
    with pytest.raises(ValueError, match=r"expected neurons of shape \[3\], came \[4\]"):
        statistic.count(block_of(np.ones((2, 1, 4)), starts=True))
    after = statistic.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("cls", ALL)
def test_a_subclass_that_overrides_one_way_of_counting_is_refused_unless_it_overrides_both(
    cls: Any,
) -> None:
    def update(self: Any, chunk: SpikeChunk) -> None:
        """Count nothing."""

    def count(self: Any, block: StepBlock) -> None:
        """Count nothing."""

    with pytest.raises(TypeError, match=r"Mine overrides update and inherits count.*override both"):
        type("Mine", (cls,), {"update": update})
    with pytest.raises(TypeError, match="Mine overrides count and inherits update"):
        type("Mine", (cls,), {"count": count})
    type("Mine", (cls,), {"update": update, "count": count})
    type("Mine", (cls,), {"result": lambda self: None})


def test_without_the_core_a_block_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("neuroact.native.core", lambda: None)
    monkeypatch.setattr("neuroact.native.why_missing", lambda: "no compiler")
    firing = Firing()
    with pytest.raises(RuntimeError, match="without the core: no compiler"):
        firing.count(block_of(np.ones((2, 1, 4)), starts=True))
    assert firing.state_dict() == {}

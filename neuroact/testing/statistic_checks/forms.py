"""The checks of a statistic: dtypes, blocks, kinds and shapes in which spikes come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroact.native import core, why_missing
from neuroact.recording.event_blocks import count_events
from neuroact.recording.open_block import count
from neuroact.statistics.counting.step_block import StepBlock, valid_steps
from neuroact.stream.chunk import SignalKind
from neuroact.stream.events import BinnedEvents, EventList, binned
from neuroact.testing import strategies
from neuroact.testing.outcomes import NotCheckedError
from neuroact.testing.packing import block_of
from neuroact.testing.same import assert_same_result, assert_same_state
from neuroact.testing.statistic_checks.case import (
    BINARY,
    GRADED,
    LEVELS,
    StatisticCase,
    chunk,
    hold,
    kinds_and_streams,
    statistic_check,
)
from neuroact.testing.strategies import SPIKE_DTYPES, Stream, cuts, ends, streams


@statistic_check(applies=lambda case: BINARY in case.kinds)
def dtypes(case: StatisticCase) -> None:
    """Spikes of any dtype are counted alike."""

    @hold(streams(), st.sampled_from(SPIKE_DTYPES))
    def _(stream: Stream, dtype: torch.dtype) -> None:
        sequences = [torch.from_numpy(s).to(dtype) for s in stream.sequences]
        whole = case.fed(stream.sequences, BINARY)
        assert_same_state(case.fed(sequences, BINARY), whole, f"spikes of {dtype} and of float64")


@statistic_check(applies=lambda case: BINARY in case.kinds)
def event_lists(case: StatisticCase) -> None:
    """A list of events leaves the state of the array of the same events, to the bit."""
    several = [0.0, 0.0, 1.0, 3.0]
    kinds = {BINARY: strategies.BINARY_LEVELS} | ({GRADED: several} if GRADED in case.kinds else {})
    shapes = strategies.neuron_shapes.filter(len)

    @hold(st.data(), st.sampled_from([*kinds]))
    def _(data: st.DataObject, kind: SignalKind) -> None:
        stream = data.draw(streams(kinds[kind], most_steps=150, neurons=shapes))
        listed, whole = case.build(), case.build()
        for values in stream.sequences:
            if 0 in values.shape[:2]:
                continue  # a list of events is of one step and one sample at the least
            lengths = np.maximum(1, data.draw(ends(values)))
            valid = np.arange(len(values))[:, None] < lengths
            whole.update(chunk(values, kind, True, valid))
            counts = np.where(valid.reshape(*valid.shape, *(1,) * len(stream.neurons)), values, 0)
            count_events([listed], _events_of(counts, lengths, kind), lambda add: add(listed))
        assert_same_state(listed, whole, f"lists of {kind.value} events and their arrays")


def _events_of(counts: NDArray[Any], lengths: NDArray[np.int64], kind: SignalKind) -> BinnedEvents:
    """So many events at each (step, sample, neuron), in steps of a second, in no order."""
    places = np.nonzero(counts)
    order = np.random.default_rng(0).permutation(int(counts.sum()))
    step, sample, *neuron = (np.repeat(at, counts[places].astype(int))[order] for at in places)
    events = EventList(
        times=step + 0.5,
        indices=tuple(neuron),
        shape=counts.shape[2:],
        duration=lengths.astype(float),
        samples=sample,
        batch=counts.shape[1],
        several="error" if kind is BINARY else "count",
    )
    return binned(events, 1.0)


@statistic_check(applies=lambda case: BINARY in case.kinds)
def blocks(case: StatisticCase) -> None:
    """Blocks, chunks, and both in turn leave the same state to the bit."""

    @hold(st.data(), streams(most_steps=150))
    def _(data: st.DataObject, stream: Stream) -> None:
        in_blocks, in_turns, in_chunks = case.build(), case.build(), case.build()
        for sequence in stream.sequences:
            for number, piece in enumerate(data.draw(cuts(len(sequence), most=64))):
                values, starts = sequence[piece], number == 0
                lengths = data.draw(st.none() | ends(values))
                block = block_of(values, starts=starts, lengths=lengths)
                valid = None if lengths is None else valid_steps(lengths, len(values))
                plain = chunk(values, BINARY, starts, valid)
                in_chunks.update(plain)
                _count(in_blocks, block)
                if data.draw(st.booleans()):
                    _count(in_turns, block)
                else:
                    in_turns.update(plain)
        assert_same_state(in_blocks, in_chunks, "steps in blocks and in chunks")
        assert_same_state(in_turns, in_chunks, "steps in blocks and chunks by turns, and in chunks")


def _count(statistic: Any, block: StepBlock) -> None:
    try:
        count(statistic, block)
    except Exception as cause:
        if core() is not None:
            raise
        raise NotCheckedError(
            f"counting blocks needs the compiled core, which is missing: {why_missing()}"
        ) from cause


@statistic_check(applies=lambda case: len(case.kinds) > 1)
def mixed_kinds(case: StatisticCase) -> None:
    """Chunks of all its kinds may follow each other, and be merged."""

    @hold(st.data(), strategies.neuron_shapes)
    def _(data: st.DataObject, neurons: tuple[int, ...]) -> None:
        whole, parts = case.build(), []
        for kind in data.draw(st.permutations(case.kinds)):
            stream = data.draw(streams(LEVELS[kind], neurons=st.just(neurons)))
            for sequence in stream.sequences:
                whole.update(chunk(sequence, kind))
            parts.append(case.fed(stream.sequences, kind))
        together = case.merged(*data.draw(st.permutations(parts)))
        case.assert_same(together, whole, "chunks of several kinds merged and in one")


@statistic_check()
def negative_zero(case: StatisticCase) -> None:
    """-0.0 is no spike, just like 0.0."""

    @hold(kinds_and_streams(case))
    def _(drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        negated = [np.where(s == 0, -0.0, s) for s in stream.sequences]
        plain = case.fed(stream.sequences, kind)
        assert_same_result(case.fed(negated, kind).result(), plain.result(), "-0.0 and 0.0")


@statistic_check()
def reset(case: StatisticCase) -> None:
    """Reset forgets everything, even the neurons' shape."""

    @hold(st.sampled_from(case.kinds), streams(), streams())
    def _(kind: SignalKind, before: Stream, after: Stream) -> None:
        statistic = case.fed(before.sequences, kind)
        statistic.reset()
        assert statistic.state_dict() == {}, (
            f"expected an empty state_dict after reset, came {[*statistic.state_dict()]}"
        )
        for sequence in after.sequences:
            statistic.update(chunk(sequence, kind))
        assert_same_state(statistic, case.fed(after.sequences, kind), "after a reset and fresh")


@statistic_check()
def edge_shapes(case: StatisticCase) -> None:
    """Chunks with no or one step, sample or neuron are counted like any other."""
    shapes = [(4, 0, 3), (0, 2, 3), (4, 2, 0), (4, 2), (1, 1, 1), (1, 2, 3)]
    for kind in case.kinds:
        for shape in shapes:
            for value in (0.0, 1.0):
                _assert_edge(case, np.full(shape, value), kind)


def _assert_edge(case: StatisticCase, values: NDArray[Any], kind: SignalKind) -> None:
    some, none = np.ones(values.shape[:2], dtype=bool), np.zeros(values.shape[:2], dtype=bool)
    masks: Sequence[Any] = (None, some, none)
    in_turn = case.build()
    parts = []
    for mask in masks:
        in_turn.update(chunk(values, kind, valid=mask))
        parts.append(case.build())
        parts[-1].update(chunk(values, kind, valid=mask))
    together = case.merged(*parts)
    case.assert_same(together, in_turn, f"chunks of shape {values.shape} merged and in turn")


CHECKS = (dtypes, event_lists, blocks, mixed_kinds, negative_zero, reset, edge_shapes)

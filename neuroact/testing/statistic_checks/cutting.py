"""The checks of a statistic: how a stream is cut, split and merged does not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st

from neuroact.stream.chunk import SignalKind
from neuroact.testing.same import assert_same_result, assert_same_state
from neuroact.testing.statistic_checks.case import (
    StatisticCase,
    chunk,
    hold,
    kinds_and_streams,
    pieces,
    statistic_check,
)
from neuroact.testing.strategies import Stream


@statistic_check()
def cut_in_time(case: StatisticCase) -> None:
    """The state is the same to the bit, however a sequence is cut in time."""
    _in_pieces(case, lambda statistic: statistic, "a sequence in pieces and the whole")


@statistic_check()
def asked_in_between(case: StatisticCase) -> None:
    """Asking for a result or a state in the middle of a sequence changes nothing."""

    def asked(statistic: Any) -> Any:
        statistic.result()
        statistic.state_dict()
        return statistic

    _in_pieces(case, asked, "with and without results asked in between")


@statistic_check()
def state_round_trip(case: StatisticCase) -> None:
    """Saving and loading the state anywhere, even in the middle of a sequence, changes nothing."""

    def loaded(statistic: Any) -> Any:
        again = case.resumed(statistic)
        assert_same_state(again, statistic, "a loaded state and the saved one")
        assert_same_result(again.result(), statistic.result(), "after and before a load")
        return again

    _in_pieces(case, loaded, "with loads in mid-sequence and without")


def _in_pieces(case: StatisticCase, between: Callable[[Any], Any], what: str) -> None:
    """Sequences in pieces, with something done after each, count as whole sequences do."""

    @hold(st.data(), kinds_and_streams(case))
    def _(data: st.DataObject, drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        statistic = case.build()
        for sequence in stream.sequences:
            for piece in data.draw(pieces(sequence, kind)):
                statistic.update(piece)
                statistic = between(statistic)
        whole = case.fed(stream.sequences, kind)
        assert_same_state(statistic, whole, what)
        assert_same_result(statistic.result(), whole.result(), what)


@statistic_check()
def split_and_merged(case: StatisticCase) -> None:
    """Samples may be split among statistics and merged, in any order and grouping."""

    @hold(st.data(), kinds_and_streams(case))
    def _(data: st.DataObject, drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        parts = [case.build() for _ in range(data.draw(st.integers(1, 4)))]
        for sequence in stream.sequences:
            owners = data.draw(st.lists(st.integers(0, len(parts) - 1), min_size=4, max_size=4))
            for owner, part in enumerate(parts):
                mine = [n for n in range(sequence.shape[1]) if owners[n] == owner]
                for piece in data.draw(pieces(sequence[:, mine], kind)):
                    part.update(piece)
        while len(parts) > 1:
            ours, theirs = data.draw(st.permutations(range(len(parts))))[:2]
            _merge_unchanged(parts[ours], parts[theirs])
            del parts[theirs]
        whole = case.fed(stream.sequences, kind)
        case.assert_same(parts[0], whole, "samples merged and the whole")


def _merge_unchanged(ours: Any, theirs: Any) -> None:
    before = theirs.state_dict()
    ours.merge(theirs)
    after = theirs.state_dict()
    same = before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)
    assert same, "merging changed the one that was merged in; it has to stay as it was"


@statistic_check()
def continues_after_merge(case: StatisticCase) -> None:
    """An open sequence continues after another statistic was merged in."""

    @hold(st.data(), kinds_and_streams(case))
    def _(data: st.DataObject, drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        other = case.fed(stream.sequences, kind)
        statistic, whole = case.build(), case.build()
        for sequence in stream.sequences:
            for piece in data.draw(pieces(sequence, kind)):
                statistic.update(piece)
                statistic.merge(other)
                whole.merge(other)
        for sequence in stream.sequences:
            whole.update(chunk(sequence, kind))
        case.assert_same(statistic, whole, "merged in mid-sequence and before it")


CHECKS = (cut_in_time, asked_in_between, state_round_trip, split_and_merged, continues_after_merge)

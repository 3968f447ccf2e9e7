"""The checks of a statistic: how a stream is cut, split, merged and padded does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroact.native import core, why_missing
from neuroact.recording.open_block import count
from neuroact.statistics import Statistic
from neuroact.statistics.counting.step_block import StepBlock, valid_steps
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.testing import strategies
from neuroact.testing.outcomes import Check, NotCheckedError
from neuroact.testing.packing import block_of
from neuroact.testing.same import assert_same_result, assert_same_state, difference
from neuroact.testing.strategies import SPIKE_DTYPES, Stream, cuts, ends, ragged, streams

BINARY, GRADED, ANALOG = SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG
LEVELS = {
    BINARY: strategies.BINARY_LEVELS,
    GRADED: strategies.GRADED_LEVELS,
    ANALOG: (0.0, -1.25, 0.375, 2.5, 0.0625),
}
Expected = Callable[[Stream, SignalKind], Mapping[str, Any]]


@dataclass(frozen=True)
class StatisticCase:
    """A statistic to check.

    Attributes:
        build: builds one.
        expected: from the raw values of a stream to attributes of `result()`, by NumPy.
    """

    build: Callable[[], Any]
    expected: Expected | None = None

    @property
    def kinds(self) -> list[SignalKind]:
        """The kinds it applies to, in the order of their generality."""
        applies = getattr(self.build(), "kinds", frozenset(SignalKind))
        return [kind for kind in SignalKind if kind in applies]

    def fed(self, sequences: Iterable[Any], kind: SignalKind) -> Any:
        """A fresh one, told of each sequence in one chunk."""
        statistic = self.build()
        for sequence in sequences:
            statistic.update(chunk(sequence, kind))
        return statistic

    def merged(self, *parts: Any) -> Any:
        """A fresh one into which all parts are merged."""
        whole = self.build()
        for part in parts:
            whole.merge(part)
        return whole

    def resumed(self, statistic: Any) -> Any:
        """A fresh one that took over the state."""
        again = self.build()
        again.load_state_dict(statistic.state_dict())
        return again

    def assert_same(self, came: Any, expected: Any, what: str) -> None:
        """The two counted the same; which sequences are still open does not matter."""
        assert_same_result(came.result(), expected.result(), what)
        assert_same_state(self.merged(came), self.merged(expected), what)


def chunk(values: Any, kind: SignalKind, starts: bool = True, valid: Any = None) -> SpikeChunk:
    """A chunk of an array."""
    mask = None if valid is None else torch.as_tensor(valid)
    return SpikeChunk(torch.as_tensor(values), kind, starts, mask)


Function = Callable[[StatisticCase], None]


def statistic_check(
    applies: Callable[[StatisticCase], bool] = lambda case: True,
) -> Callable[[Function], Check[StatisticCase]]:
    """Make a function a check by its name, its claim the docstring's first line."""

    def made(run: Function) -> Check[StatisticCase]:
        claim = (run.__doc__ or "").strip().splitlines()[0].rstrip(".")
        return Check(run.__name__, claim, run, applies)

    return made


def hold(*drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Run a law at once on what Hypothesis draws, as often as its profile says."""
    quiet = settings(
        deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False
    )

    def run(law: Callable[..., None]) -> None:
        quiet(given(*drawn)(law))()

    return run


@st.composite
def kinds_and_streams(draw: st.DrawFn, case: StatisticCase) -> tuple[SignalKind, Stream]:
    """One of the statistic's kinds, and a stream of its levels."""
    kind = draw(st.sampled_from(case.kinds))
    return kind, draw(streams(LEVELS[kind]))


@st.composite
def pieces(draw: st.DrawFn, sequence: NDArray[Any], kind: SignalKind) -> list[SpikeChunk]:
    """A sequence in consecutive chunks."""
    ways = draw(cuts(len(sequence)))
    return [chunk(sequence[piece], kind, number == 0) for number, piece in enumerate(ways)]


@statistic_check()
def interface(case: StatisticCase) -> None:
    """It has the verbs of `Statistic`, and is built without arguments."""
    statistic = case.build()
    assert isinstance(statistic, Statistic), (
        f"{type(statistic).__name__} lacks one of update, merge, reset, state_dict, "
        "load_state_dict, result"
    )
    assert case.kinds, "`kinds` is empty: it applies to no layer"


@statistic_check()
def nothing_yet(case: StatisticCase) -> None:
    """Before the first chunk there is nothing: an empty state, which can be merged and loaded."""
    statistic = case.build()
    assert statistic.state_dict() == {}, (
        f"expected an empty state_dict before the first chunk, came {[*statistic.state_dict()]}"
    )
    statistic.result()
    statistic.merge(case.build())
    assert case.resumed(statistic).state_dict() == {}, "merging nothing made something"


@statistic_check(applies=lambda case: case.expected is not None)
def figures(case: StatisticCase) -> None:
    """The result is what NumPy makes of the raw values."""

    @hold(kinds_and_streams(case))
    def _(drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        assert case.expected is not None
        result = case.fed(stream.sequences, kind).result()
        for name, value in case.expected(stream, kind).items():
            differs = difference(getattr(result, name), value)
            assert not differs, f"{name} is not what NumPy makes of the raw values: {differs}"


@statistic_check()
def cut_in_time(case: StatisticCase) -> None:
    """However a sequence is cut in time, the state is the same to the bit."""

    @hold(st.data(), kinds_and_streams(case))
    def _(data: st.DataObject, drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        statistic = case.build()
        for sequence in stream.sequences:
            for piece in data.draw(pieces(sequence, kind)):
                statistic.update(piece)
        whole = case.fed(stream.sequences, kind)
        assert_same_state(statistic, whole, "a sequence in pieces and the whole")
        assert_same_result(statistic.result(), whole.result(), "a sequence in pieces and the whole")


@statistic_check()
def asked_in_between(case: StatisticCase) -> None:
    """Asking for a result or a state in mid-sequence changes nothing."""

    @hold(st.data(), kinds_and_streams(case))
    def _(data: st.DataObject, drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        asked = case.build()
        for sequence in stream.sequences:
            for piece in data.draw(pieces(sequence, kind)):
                asked.update(piece)
                asked.result()
                asked.state_dict()
        whole = case.fed(stream.sequences, kind)
        assert_same_state(asked, whole, "with and without results asked in between")


@statistic_check()
def state_round_trip(case: StatisticCase) -> None:
    """A state saved and loaded anywhere, in mid-sequence too, changes nothing."""

    @hold(st.data(), kinds_and_streams(case))
    def _(data: st.DataObject, drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        statistic = case.build()
        for sequence in stream.sequences:
            for piece in data.draw(pieces(sequence, kind)):
                statistic.update(piece)
                again = case.resumed(statistic)
                assert_same_state(again, statistic, "a loaded state and the saved one")
                assert_same_result(again.result(), statistic.result(), "after and before a load")
                statistic = again
        whole = case.fed(stream.sequences, kind)
        assert_same_state(statistic, whole, "with loads in mid-sequence and without")


@statistic_check()
def split_and_merged(case: StatisticCase) -> None:
    """Samples split among statistics and merged, in any order and grouping, are the whole."""

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
def goes_on_after_merge(case: StatisticCase) -> None:
    """A sequence that is open goes on after another statistic was merged in."""

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


@statistic_check()
def padding(case: StatisticCase) -> None:
    """Padding, anywhere and whatever stands in it, is as if it were not there."""

    @hold(st.data(), st.sampled_from([0.0, 1.0, float("nan"), float("inf")]))
    def _(data: st.DataObject, filler: float) -> None:
        kind = data.draw(st.sampled_from(case.kinds))
        neurons = data.draw(strategies.neuron_shapes)
        masked, plain = case.build(), case.build()
        for _ in range(data.draw(st.integers(1, 3))):
            batch = data.draw(ragged(neurons, levels=LEVELS[kind], filler=filler))
            plain.update(chunk(batch.values[:0, :0], kind))
            for sample in batch.samples:
                plain.update(chunk(sample[:, None], kind))
            for number, piece in enumerate(data.draw(cuts(len(batch.values)))):
                valid = batch.valid[piece]
                # A mask that hides nothing may be left out.
                mask = None if bool(valid.all()) and data.draw(st.booleans()) else valid
                masked.update(chunk(batch.values[piece], kind, number == 0, mask))
                if data.draw(st.booleans()):
                    masked = case.resumed(masked)
        case.assert_same(masked, plain, "padded sequences and the same without padding")


@statistic_check()
def starts(case: StatisticCase) -> None:
    """The first chunk and one of another batch size start sequences, whatever they say."""

    @hold(kinds_and_streams(case))
    def _(drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        unsaid, said, before = case.build(), case.build(), None
        for sequence in stream.sequences:
            batch = sequence.shape[1]
            unsaid.update(chunk(sequence, kind, False))
            said.update(chunk(sequence, kind, batch != before))
            before = batch
        assert_same_state(unsaid, said, "starts that chunks did not say, and did")


@statistic_check(applies=lambda case: BINARY in case.kinds)
def dtypes(case: StatisticCase) -> None:
    """Spikes of any type are counted alike."""

    @hold(streams(), st.sampled_from(SPIKE_DTYPES))
    def _(stream: Stream, dtype: torch.dtype) -> None:
        sequences = [torch.from_numpy(s).to(dtype) for s in stream.sequences]
        whole = case.fed(stream.sequences, BINARY)
        assert_same_state(case.fed(sequences, BINARY), whole, f"spikes of {dtype} and of float64")


@statistic_check(applies=lambda case: BINARY in case.kinds)
def blocks(case: StatisticCase) -> None:
    """Steps that come in blocks, in chunks or in turns leave the same state to the bit."""

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
    """Chunks of all its kinds may follow each other, and merge."""

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
    """-0.0 is silence, as 0.0 is."""

    @hold(kinds_and_streams(case))
    def _(drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        negated = [np.where(s == 0, -0.0, s) for s in stream.sequences]
        plain = case.fed(stream.sequences, kind)
        assert_same_result(case.fed(negated, kind).result(), plain.result(), "-0.0 and 0.0")


@statistic_check()
def reset(case: StatisticCase) -> None:
    """Reset forgets everything, the neurons' shape too."""

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
    """Chunks without a step, a sample or a neuron, and single ones, count like any other."""
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


CHECKS = (
    interface,
    nothing_yet,
    figures,
    cut_in_time,
    asked_in_between,
    state_round_trip,
    split_and_merged,
    goes_on_after_merge,
    padding,
    starts,
    dtypes,
    blocks,
    mixed_kinds,
    negative_zero,
    reset,
    edge_shapes,
)

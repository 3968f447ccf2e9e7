"""The checks of a statistic: padding, and where sequences start."""

from __future__ import annotations

from hypothesis import strategies as st

from neuroact.stream.chunk import SignalKind
from neuroact.testing import strategies
from neuroact.testing.same import assert_same_state
from neuroact.testing.statistic_checks.case import (
    LEVELS,
    StatisticCase,
    chunk,
    hold,
    kinds_and_streams,
    statistic_check,
)
from neuroact.testing.strategies import Stream, cuts, ragged


@statistic_check()
def padding(case: StatisticCase) -> None:
    """Padding changes nothing, wherever it is and whatever its values are."""

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
    """The first chunk, and a chunk of another batch size, always start sequences."""

    @hold(kinds_and_streams(case))
    def _(drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        unsaid, said, before = case.build(), case.build(), None
        for sequence in stream.sequences:
            batch = sequence.shape[1]
            unsaid.update(chunk(sequence, kind, False))
            said.update(chunk(sequence, kind, batch != before))
            before = batch
        assert_same_state(unsaid, said, "starts that chunks do not declare, and declare")


CHECKS = (padding, starts)

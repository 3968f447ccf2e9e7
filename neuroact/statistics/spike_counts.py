"""How many spikes a neuron has in a sequence: the distribution over samples and neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from neuroact.statistics.counted import CountedResult, Floats, Integers, exact_spread, ratio
from neuroact.statistics.native import loops_for
from neuroact.statistics.stepwise import (
    EXACT,
    StepwiseStatistic,
    count_into,
    rows_of,
    whole,
)

if TYPE_CHECKING:
    from neuroact.statistics.packed_steps import PackedBlock


@dataclass(frozen=True, eq=False)
class SpikeCountsResult(CountedResult):
    """Spikes per (sequence, neuron) of one layer.

    The figures without `_per_neuron` are of all (sequence, neuron) pairs together: each neuron's
    count in each sample's sequence is one value. A sequence counts once it had a step that was
    not padding.

    Attributes:
        histogram: how many pairs have k spikes, int64 `[most + 1]`; `[0]` where there is no pair.
        sums: spikes of each neuron over all sequences, int64 `[*neurons]`.
        squares: sum of the squares of its counts, int64 `[*neurons]`.
        sequences: number of sequences.

    >>> import numpy as np
    >>> from neuroact.statistics import SpikeCountsResult
    >>> result = SpikeCountsResult(          # two neurons: 0 and 4 spikes, 1 and 3 spikes
    ...     histogram=np.array([1, 1, 0, 1, 1]), sums=np.array([4, 4]),
    ...     squares=np.array([16, 10]), sequences=2,
    ... )
    >>> result.mean, result.median, result.max, result.fano_factor.tolist()
    (2.0, 2.0, 4.0, [2.0, 0.5])
    """

    sums: Integers
    squares: Integers
    sequences: int

    per_neuron: ClassVar = frozenset({"sums", "squares"})

    @property
    def mean_per_neuron(self) -> Floats:
        """Mean count over sequences, `sums / sequences`, float64 `[*neurons]`.

        In spikes per sequence. NaN where there is no sequence.
        """
        return ratio(self.sums, self._sequences)

    @property
    def variance_per_neuron(self) -> Floats:
        """Variance of the count over sequences (ddof 0), float64 `[*neurons]`.

        `squares / sequences - mean²`, from exact integers. 0 for one sequence, NaN for none.
        """
        spread = exact_spread(self._sequences, self.sums, self.squares)
        return ratio(spread, float(self._sequences) ** 2)

    @property
    def fano_factor(self) -> Floats:
        """Variance of the count over sequences divided by its mean, float64 `[*neurons]`.

        1 for a Poisson process, 0 for counts that are all the same. NaN for a neuron that never
        fired, whose mean is 0, and where there are fewer than two sequences, since one count has
        no variance to see. The definition of `elephant.statistics.fanofactor` (ddof 0), which
        gives 0 for one spike train.

        Source: Fano, Ionization yield of radiations II, Physical Review 72, 1947,
        doi:10.1103/PhysRev.72.26.
        """
        if self._sequences < 2:
            return np.full(self.sums.shape, np.nan)
        spread = exact_spread(self._sequences, self.sums, self.squares)
        return ratio(spread, float(self._sequences) * self.sums)

    @property
    def _sequences(self) -> int:
        return 0 if self.fault is not None else self.sequences


class SpikeCounts(StepwiseStatistic):
    """Spikes per (sequence, neuron): an exact histogram over samples and neurons, Fano factors.

    An event is a value that is not zero, so a graded layer's spikes count once each, whatever
    their size. Applies to binary and graded layers; the values of an analog layer are hardly ever
    exactly zero, so counting them would count steps.

    One operation a step: values are added into a float32 window, which becomes an int64 count when
    the sequence ends. A window holds 2^24 steps exactly, and a longer sequence takes another.

    Memory: one `[batch, *neurons]` window; int64 sums and squares per neuron; 8 bytes times the
    steps of the longest sequence. Sums of squares are exact below 2^63.

    With zero spikes all pairs have a count of 0; before any chunk there is no result.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk, SpikeCounts
    >>> counts = SpikeCounts()
    >>> spikes = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[1.0, 1.0]]])
    >>> counts.update(SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True))
    >>> counts.result().histogram
    array([0, 1, 0, 1])
    """

    _growing: ClassVar = frozenset({"histogram"})

    def result(self) -> SpikeCountsResult | None:
        """The figures so far, open sequences as they stand; None before the first chunk."""
        totals = self._on_host()
        if totals is None:
            return None
        sequences = int(totals.pop("sequences"))
        return SpikeCountsResult(**totals, sequences=sequences)

    def advance(self, values: Tensor) -> None:
        """Count one more step, as `StepwiseStatistic.advance`: here a single operation."""
        if self._clock is not None or self._held == EXACT:
            super().advance(values)
            return
        self._window.add_(values)
        self._held += 1
        self._steps += 1

    def count_packed(self, block: PackedBlock) -> None:
        """Count a block of steps; see `PackedStatistic`."""
        self._make_room(block.steps)
        for plane in block.words:
            block.loops.add_counts(plane, rows_of(self._window))
        self._steps += block.steps

    def _make_totals(self) -> dict[str, Tensor]:
        shape = self._shape or ()
        return {
            "histogram": self._zeros(0),
            "sums": self._zeros(*shape),
            "squares": self._zeros(*shape),
            "sequences": self._zeros(),
        }

    def _begin(self, like: Tensor) -> None:
        self._window = self._cleared("window", like)
        self._held = 0  # steps in the window
        self._before: Tensor | None = None  # int64 counts, from windows that were full

    def _add(self, events: Tensor, amounts: Tensor | None) -> None:
        if len(events) == 1:
            super()._add(events, amounts)
            return
        for part in torch.split(events, EXACT) if len(events) else ():
            self._make_room(len(part))
            self._window.add_(part.sum(0, dtype=torch.float32))
            self._steps += len(part)

    def _step(self, events: Tensor, amounts: Tensor | None) -> None:
        self._make_room(1)
        self._window.add_(events)

    def _masked_step(self, events: Tensor, amounts: Tensor | None, valid: Tensor) -> None:
        self._step(events, amounts)

    def _is_plain(self) -> bool:
        return self._window.is_contiguous()

    def _make_room(self, steps: int) -> None:
        if self._held + steps > EXACT:
            counts = self._counts()
            self._before = self._zeros(*counts.shape).copy_(counts)
            self._window.zero_()
            self._held = 0
        self._held += steps

    def _counts(self) -> Tensor:
        counts = whole(self._window, self._held)
        return counts if self._before is None else counts + self._before

    def _close(self) -> None:
        if self._clock is None and self._before is None and self._steps:
            loops = loops_for(self._window) if self._is_plain() else None
            if loops is not None:
                self._close_compiled(loops)
                return
        seen, counts = self._seen(), self._counts()
        if seen is None:
            self._totals["sequences"].add_(len(counts))
        else:
            self._totals["sequences"].add_(seen.sum())
            seen = seen.to(torch.int64).reshape(-1, *(1,) * (counts.ndim - 1)).expand_as(counts)
        count_into(self._room("histogram", self._steps + 1), counts, seen)
        self._totals["sums"].add_(counts.sum(0))
        self._totals["squares"].add_(counts.square().sum(0))

    def _close_compiled(self, loops: ModuleType) -> None:
        totals, most = self._totals, self._held
        histogram = self._room("histogram", most + 1).numpy()
        sums, squares = (totals[name].view(-1).numpy() for name in ("sums", "squares"))
        loops.add_distribution(rows_of(self._window), most, histogram, sums, squares)
        totals["sequences"].add_(len(self._window))

    def _settle(self) -> None:
        """Nothing waits: counts of an open sequence are no totals yet."""

    def _open_state(self) -> dict[str, Tensor]:
        return {"counts": self._counts()}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        counts = state["counts"]
        self._before = self._zeros(*counts.shape).copy_(counts)

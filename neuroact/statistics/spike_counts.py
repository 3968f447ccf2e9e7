"""Spikes of a neuron in a sequence: their distribution over samples and neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.counting.stepwise import (
    BlockPlaces,
    PlacedSteps,
    StepwiseStatistic,
    add_at,
)
from neuroact.statistics.results import CountedResult, Floats, Integers, exact_spread, ratio


@dataclass(frozen=True, eq=False)
class SpikeCountsResult(CountedResult):
    """Spikes per (sequence, neuron) of one layer.

    Each neuron's number of spikes in each sample's sequence is one value. The figures without
    `_per_neuron` are of all these values together. A sequence counts if it has a step that is not
    padding.

    Attributes:
        histogram: at index k, how many (sequence, neuron) pairs have k spikes, int64 `[most + 1]`;
            empty if there are no pairs.
        sums: spikes of each neuron over all sequences, int64 `[*neurons]`.
        squares: sum of the squares of each neuron's counts, int64 `[*neurons]`.
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

        In spikes per sequence. NaN if there are no sequences.
        """
        return ratio(self.sums, self._sequences)

    @property
    def variance_per_neuron(self) -> Floats:
        """Variance of the count over sequences (ddof 0), float64 `[*neurons]`.

        `squares / sequences - mean²`, from exact integers. 0 for one sequence; NaN for none.
        """
        spread = exact_spread(self._sequences, self.sums, self.squares)
        return ratio(spread, float(self._sequences) ** 2)

    @property
    def fano_factor(self) -> Floats:
        """Variance of the count over sequences divided by its mean, float64 `[*neurons]`.

        1 for a Poisson process, 0 if all counts are equal. NaN for a neuron that never fired, since
        its mean is 0, and for fewer than two sequences, since one count shows no variance. The
        definition of `elephant.statistics.fanofactor` (ddof 0), which gives 0 for one spike train.

        Source: Fano, Ionization yield of radiations II, Physical Review 72, 1947,
        doi:10.1103/PhysRev.72.26.
        """
        if self._sequences < 2:
            return np.full(self.sums.shape, np.nan)
        spread = exact_spread(self._sequences, self.sums, self.squares)
        return ratio(spread, float(self._sequences) * self.sums)

    @property
    def _sequences(self) -> int:
        return 0 if self.unreliable is not None else self.sequences


class SpikeCounts(StepwiseStatistic):
    """Spikes per (sequence, neuron): an exact histogram over samples and neurons, Fano factors.

    An event is a value that is not zero, so each spike of a graded layer counts once, whatever its
    size. Applies to binary and graded layers. An analog layer's values are hardly ever exactly
    zero, so nearly every step would count as a spike.

    Memory: one int64 count `[batch, *neurons]`; int64 sums and squares for each neuron; 8 bytes for
    each step of the longest sequence. Sums of squares are exact below 2^63.

    With zero spikes all pairs have a count of 0. Before any chunk there is no result.

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

    def _make_totals(self) -> dict[str, Tensor]:
        shape = self._shape or ()
        return {
            "histogram": self._zeros(0),
            "sums": self._zeros(*shape),
            "squares": self._zeros(*shape),
            "sequences": self._zeros(),
        }

    def _begin(self, batch: int) -> None:
        self._counts = self._zeros(batch, *(self._shape or ()))

    def _add(self, steps: PlacedSteps) -> None:
        self._counts[steps.samples].add_(steps.events.sum(0).to(torch.int64))

    def _add_block(self, core: Any, block: StepBlock, at: BlockPlaces) -> None:
        core.add_counts(block.words, self._counts.numpy().reshape(block.words.shape))

    def _close(self) -> None:
        counts, sequences = self._counts, self._sequences
        seen = sequences.clocks(self._device).gt(0).to(torch.int64)
        self._totals["sequences"].add_(seen.sum())
        weights = seen.reshape(-1, *(1,) * (counts.ndim - 1)).expand_as(counts)
        add_at(self._room("histogram", sequences.steps + 1), counts, weights)
        self._totals["sums"].add_(counts.sum(0))
        self._totals["squares"].add_((counts * counts).sum(0))

    def _open_state(self) -> dict[str, Tensor]:
        return {"counts": self._counts}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        # At most the steps so far: a file may hold any numbers, and these index a histogram.
        self._counts.copy_(state["counts"].clamp(0, self._sequences.steps))

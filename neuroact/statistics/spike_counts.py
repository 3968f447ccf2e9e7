"""Spikes of a neuron in a sequence, or in a window: their distribution over both and neurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from neuroact.statistics.counting.parts import per_sample
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.counting.stepwise import (
    BlockPlaces,
    PlacedSteps,
    StepwiseStatistic,
    add_at,
)
from neuroact.statistics.counting.windows import (
    checked_width,
    windows_of_block,
    windows_of_steps,
)
from neuroact.statistics.results import CountedResult, Floats, Integers, exact_spread, ratio


@dataclass(frozen=True, eq=False, repr=False)
class SpikeCountsResult(CountedResult):
    """Spikes per (sequence, neuron) of one layer.

    Each neuron's number of spikes in each sample's sequence is one value. The figures without
    `_per_neuron` are of all these values together. A sequence counts if it has a step that is not
    padding.

    With a `window`, each sequence is cut into windows of so many steps, and each window counts as a
    sequence of its own. What is left at a sequence's end, shorter than a window, is not counted.

    Attributes:
        histogram: at index k, how many (sequence, neuron) pairs have k spikes, int64 `[most + 1]`;
            empty if there are no pairs.
        sums: spikes of each neuron over all sequences, int64 `[*neurons]`.
        squares: sum of the squares of each neuron's counts, int64 `[*neurons]`.
        sequences: number of sequences; with a window, number of windows.
        window: steps in a window; None where sequences are counted whole.

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
    window: int | None = field(default=None, kw_only=True)

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
        With a window the counts are those of all windows, so that one long trial has one too: a
        neuron whose rate changes slowly has a larger one in longer windows.

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
    """Spikes per (sequence, neuron), or per window: an exact histogram, Fano factors.

    An event is a value that is not zero, so each spike of a graded layer counts once, whatever its
    size. Applies to binary and graded layers. An analog layer's values are hardly ever exactly
    zero, so nearly every step would count as a spike.

    Memory: one int64 count `[batch, *neurons]`; int64 sums and squares for each neuron; 8 bytes for
    each step of the longest sequence, or of a window. Sums of squares are exact below 2^63.

    With zero spikes all pairs have a count of 0. Before any chunk there is no result.

    Args:
        window: steps in a window. Each sequence is cut into windows from its start on, and the
            spikes in each are counted apart; what is left at its end is not counted, as in
            `elephant.conversion.BinnedSpikeTrain`. None counts each sequence whole. Two widths
            cannot be merged.

    Raises:
        ValueError: `window` is not a whole number from 1 on.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk, SpikeCounts
    >>> counts = SpikeCounts()
    >>> spikes = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[1.0, 1.0]]])
    >>> counts.update(SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True))
    >>> counts.result().histogram
    array([0, 1, 0, 1])

    One long trial, in windows of two steps:

    >>> counts = SpikeCounts(window=2)
    >>> train = torch.tensor([1, 1, 0, 0, 1, 0, 1]).reshape(7, 1, 1)     # counts 2, 0 and 1
    >>> counts.update(SpikeChunk(train, SignalKind.BINARY, starts_sequence=True))
    >>> counts.result().sequences, round(counts.result().fano_factor.item(), 4)
    (3, 0.6667)
    """

    _growing: ClassVar = frozenset({"histogram"})
    _options: ClassVar = ("window",)

    def __init__(self, *, window: int | None = None) -> None:
        if window is not None:
            self._settings = {"window": checked_width("window", window)}
        super().__init__()

    def result(self) -> SpikeCountsResult | None:
        """The figures so far, open sequences as they stand; None before the first chunk."""
        totals = self._on_host()
        if totals is None:
            return None
        sequences = int(totals.pop("sequences"))
        return SpikeCountsResult(**totals, sequences=sequences, window=self._window)

    @property
    def _window(self) -> int | None:
        return self._settings.get("window")

    def _make_totals(self) -> dict[str, Tensor]:
        shape = self._shape or ()
        return {
            "histogram": self._zeros(0),
            "sums": self._zeros(*shape),
            "squares": self._zeros(*shape),
            "sequences": self._zeros(),
        }

    def _begin(self, batch: int) -> None:
        self._counts = self._zeros(batch, self._neurons)

    def _add(self, steps: PlacedSteps) -> None:
        if self._window is not None:
            self._add_counts(*windows_of_steps(steps, self._counts, self._window))
        else:
            self._counts[steps.samples].add_(per_sample(steps.events).sum(0).to(torch.int64))

    def _add_block(self, core: Any, block: StepBlock, at: BlockPlaces) -> None:
        if self._window is None:
            core.add_counts(block.words, self._counts.numpy())
            return
        for counts, complete in windows_of_block(core, block, at, self._counts, self._window):
            self._add_counts(counts, complete)

    def _close(self) -> None:
        if self._window is None:
            seen = self._sequences.clocks(self._device).gt(0)
            self._add_counts(self._counts, seen.to(torch.int64))

    def _add_counts(self, counts: Tensor, seen: Tensor) -> None:
        """Add the counts, `[n, neurons]`, of which those count that were seen, `[n]`, 0 or 1."""
        most = min(self._sequences.steps, self._window or self._sequences.steps)
        each = seen.unsqueeze(1).expand_as(counts)
        add_at(self._room("histogram", most + 1), counts, each)
        self._totals["sequences"].add_(seen.sum())
        self._totals["sums"].view(-1).add_((counts * each).sum(0))
        self._totals["squares"].view(-1).add_((counts * counts * each).sum(0))

    def _open_state(self) -> dict[str, Tensor]:
        return {"counts": self._counts}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        # At most the steps so far: a file may hold any numbers, and these index a histogram.
        steps = self._sequences.clocks(self._device)
        most = (steps if self._window is None else steps % self._window).unsqueeze(1)
        self._counts.copy_(state["counts"].reshape(self._counts.shape).clamp(min=0).minimum(most))

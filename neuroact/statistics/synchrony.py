"""Whether a layer's neurons fire together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.counting.stepwise import (
    BlockPlaces,
    PlacedSteps,
    StepwiseStatistic,
    add_at,
    flat,
    sums_of_samples,
)
from neuroact.statistics.counting.windows import (
    checked_width,
    windows_of_block,
    windows_of_steps,
)
from neuroact.statistics.results import CountedResult, Integers, exact_spread


@dataclass(frozen=True, eq=False, repr=False)
class SynchronyResult(CountedResult):
    """Spikes per (time bin, sample) of one layer, and how synchronous its neurons are.

    A bin is `bin_width` steps. The figures of `histogram` are of the population's spike count: how
    many spikes all neurons of the layer have in a bin of a sample. In bins of one step, these are
    the neurons that fire at the step.

    Attributes:
        histogram: at index k, how many (time bin, sample) pairs have k spikes, int64 `[most + 1]`.
        events: non-zero values per neuron, int64 `[*neurons]`.
        observations: number of (time bin, sample) pairs; in bins of one step, of valid steps.
        neurons: number of neurons.
        squares: sum of the squares of each neuron's spikes in a bin, int64 `[*neurons]`; None in
            bins of one step, where it equals `events`.
        bin_width: steps in a bin.

    >>> import numpy as np
    >>> from neuroact.statistics import SynchronyResult
    >>> SynchronyResult(                     # two neurons that always fire together
    ...     histogram=np.array([3, 0, 2]), events=np.array([2, 2]), observations=5, neurons=2
    ... ).chi
    1.0
    """

    events: Integers
    observations: int
    neurons: int
    squares: Integers | None = field(default=None, kw_only=True)
    bin_width: int = field(default=1, kw_only=True)

    per_neuron: ClassVar = frozenset({"events", "squares"})

    @property
    def chi(self) -> float:
        """Synchrony index χ of Golomb and Rinzel, in [0, 1].

        `χ² = Var(V) / mean_i Var(x_i)`: x_i is the number of events of neuron i in a bin; V is the
        mean of x_i over the N neurons; both variances (ddof 0) are over all observations, that is,
        over bins and samples together. 1 if all neurons always do the same; about 1/√N if they fire
        independently of each other; 0 if all bins have the same number of spikes. Computed from
        exact integers: with M observations, K spikes in one of them, e_i events of neuron i and s_i
        the sum of the squares of its events in a bin, `χ² = (M ΣK² - (ΣK)²) / (N Σ_i (M s_i -
        e_i²))`. In bins of one step, x_i is 0 or 1, and s_i is e_i.

        Neurons that fire together, but not at the same step, are in synchrony in wider bins only:
        choose them as wide as what counts as together, some milliseconds.

        NaN if no neuron varies (each fires always or never), if nothing was observed, and if the
        layer has no neurons.

        Differences to the source: it uses the membrane potentials of one trial. Here spikes are
        used, in bins, and samples are pooled. So if samples differ in how much all
        neurons fire, that counts as synchrony.

        Source: Golomb and Rinzel, Clustering in globally coupled inhibitory neurons, Physica D 72,
        1994, doi:10.1016/0167-2789(94)90214-3; Golomb, Scholarpedia 2(1):1347, 2007.
        """
        n, total, squares = self._moments
        each = self.events if self.squares is None else self.squares
        spreads = exact_spread(self.observations, self.events, each)
        apart = self.neurons * sum(spreads.ravel().tolist())
        return math.sqrt((n * squares - total * total) / apart) if n and apart else math.nan


class Synchrony(StepwiseStatistic):
    """The population's spike count in each time bin of each sample, and the synchrony index χ.

    An event is a value that is not zero. Applies to binary and graded layers. An analog layer's
    values are hardly ever exactly zero, so all neurons would seem to fire at each step.

    Memory: int64 events for each neuron; 8 bytes for each neuron for the histogram, from which a
    result leaves out trailing zeros. With bins wider than a step: int64 squares for each neuron, an
    int64 count `[batch, *neurons]`, and 8 bytes for each neuron and step of a bin for the
    histogram.

    With zero spikes every (time bin, sample) pair has a count of 0, and χ is NaN. Before any chunk
    there is no result.

    Args:
        bin_width: steps in a bin. Bins follow each other from the start of a sequence; what is left
            at its end, shorter than a bin, is not counted. Two widths cannot be merged.

    Raises:
        ValueError: `bin_width` is not a whole number from 1 on.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk, Synchrony
    >>> synchrony = Synchrony()
    >>> spikes = torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 0.0]]])
    >>> synchrony.update(SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True))
    >>> synchrony.result().histogram.tolist(), round(synchrony.result().chi, 4)
    ([1, 1, 1], 0.866)
    """

    _growing: ClassVar = frozenset({"histogram"})
    _options: ClassVar = ("bin_width",)

    def __init__(self, *, bin_width: int = 1) -> None:
        if checked_width("bin_width", bin_width) > 1:
            self._settings = {"bin_width": int(bin_width)}
        super().__init__()

    def result(self) -> SynchronyResult | None:
        """The figures so far; None before the first chunk."""
        totals = self._on_host()
        if totals is None:
            return None
        observations = int(totals.pop("observations"))
        return SynchronyResult(
            **totals,
            observations=observations,
            neurons=self._neurons,
            bin_width=self._bin_width,
        )

    @property
    def _bin_width(self) -> int:
        return self._settings.get("bin_width", 1)

    def _make_totals(self) -> dict[str, Tensor]:
        shape = self._shape or ()
        squares = {"squares": self._zeros(*shape)} if self._settings else {}
        return {
            "histogram": self._zeros(self._neurons + 1),
            "events": self._zeros(*shape),
            "observations": self._zeros(),
            **squares,
        }

    def _begin(self, batch: int) -> None:
        if self._settings:  # a step's count does not depend on the steps before, a bin's does
            self._counts = self._zeros(batch, self._neurons)

    def _add(self, steps: PlacedSteps) -> None:
        if self._settings:
            self._add_bins(*windows_of_steps(steps, self._counts, self._bin_width))
            return
        add_at(self._totals["histogram"], sums_of_samples(steps.events), steps.valid)
        self._totals["observations"].add_(steps.valid.sum())
        self._totals["events"].add_(steps.events.sum((0, 1)).to(torch.int64))

    def _add_block(self, core: Any, block: StepBlock, at: BlockPlaces) -> None:
        if self._settings:
            for counts, full in windows_of_block(core, block, at, self._counts, self._bin_width):
                self._add_bins(counts, full)
            return
        core.add_to_histogram(block.sums, at.lengths, flat(self._totals["histogram"]))
        self._totals["observations"].add_(int(at.lengths.sum()))
        core.add_events(block.words, flat(self._totals["events"]))

    def _add_bins(self, counts: Tensor, full: Tensor) -> None:
        """Add each neuron's counts in bins, `[bins, neurons]`, where these are full, `[bins]`."""
        most = self._neurons * min(self._bin_width, self._sequences.steps)
        add_at(self._room("histogram", most + 1), counts.sum(1), full)
        self._totals["observations"].add_(full.sum())
        each = full.unsqueeze(1)
        self._totals["events"].view(-1).add_((counts * each).sum(0))
        self._totals["squares"].view(-1).add_((counts * counts * each).sum(0))

    def _open_state(self) -> dict[str, Tensor]:
        return {"counts": self._counts} if self._settings else {}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        # At most the steps so far: a file may hold any numbers, and these index a histogram.
        most = (self._sequences.clocks(self._device) % self._bin_width).unsqueeze(1)
        self._counts.copy_(state["counts"].reshape(self._counts.shape).clamp(min=0).minimum(most))

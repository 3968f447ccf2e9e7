"""Whether a layer's neurons fire together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from neuroact.quantiles import tally
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.counting.stepwise import (
    BlockPlaces,
    PlacedSteps,
    StepwiseStatistic,
    add_at,
    flat,
    sums_of_samples,
)
from neuroact.statistics.results import CountedResult, Integers


@dataclass(frozen=True, eq=False)
class SynchronyResult(CountedResult):
    """Spikes per (time step, sample) of one layer, and how synchronous its neurons are.

    The figures of `histogram` are of the population's spike count: how many neurons of the layer
    fire at a step of a sample.

    Attributes:
        histogram: at index k, how many (time step, sample) pairs have k spikes, int64 `[most + 1]`.
        events: non-zero values per neuron, int64 `[*neurons]`.
        observations: number of valid (time step, sample) pairs.
        neurons: number of neurons.

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

    per_neuron: ClassVar = frozenset({"events"})

    @property
    def chi(self) -> float:
        """Synchrony index χ of Golomb and Rinzel, in [0, 1].

        `χ² = Var(V) / mean_i Var(x_i)`: x_i is 1 where neuron i has an event, else 0; V is the mean
        of x_i over the N neurons; both variances (ddof 0) are over all observations, that is, over
        steps and samples together. 1 if all neurons always do the same; about 1/√N if they fire
        independently of each other; 0 if the same number of neurons fires at each step. Computed
        from exact integers: with M observations, K spikes in one of them and e_i events of neuron
        i, `χ² = (M ΣK² - (ΣK)²) / (N Σ_i e_i (M - e_i))`.

        NaN if no neuron varies (each fires always or never), if nothing was observed, and if the
        layer has no neurons.

        Differences to the source: it uses the membrane potentials of one trial. Here spikes are
        used, in bins of one step, and samples are pooled. So if samples differ in how much all
        neurons fire, that counts as synchrony.

        Source: Golomb and Rinzel, Clustering in globally coupled inhibitory neurons, Physica D 72,
        1994, doi:10.1016/0167-2789(94)90214-3; Golomb, Scholarpedia 2(1):1347, 2007.
        """
        n, total, squares = self._moments
        events, neurons = (part.tolist() for part in tally(self.events))
        apart = self.neurons * sum(
            count * k * (self.observations - k) for k, count in zip(events, neurons, strict=True)
        )
        return math.sqrt((n * squares - total * total) / apart) if n and apart else math.nan


class Synchrony(StepwiseStatistic):
    """The population's spike count at each step of each sample, and the synchrony index χ.

    An event is a value that is not zero. Applies to binary and graded layers. An analog layer's
    values are hardly ever exactly zero, so all neurons would seem to fire at each step.

    Memory: int64 events for each neuron; 8 bytes for each neuron for the histogram, from which a
    result leaves out trailing zeros.

    With zero spikes every (time step, sample) pair has a count of 0, and χ is NaN. Before any chunk
    there is no result.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk, Synchrony
    >>> synchrony = Synchrony()
    >>> spikes = torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 0.0]]])
    >>> synchrony.update(SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True))
    >>> synchrony.result().histogram.tolist(), round(synchrony.result().chi, 4)
    ([1, 1, 1], 0.866)
    """

    _growing: ClassVar = frozenset({"histogram"})

    def result(self) -> SynchronyResult | None:
        """The figures so far; None before the first chunk."""
        totals = self._on_host()
        if totals is None:
            return None
        observations = int(totals.pop("observations"))
        return SynchronyResult(**totals, observations=observations, neurons=self._neurons)

    def _make_totals(self) -> dict[str, Tensor]:
        return {
            "histogram": self._zeros(self._neurons + 1),
            "events": self._zeros(*(self._shape or ())),
            "observations": self._zeros(),
        }

    def _begin(self, batch: int) -> None:
        """Nothing to open: a step's count does not depend on the steps before."""

    def _add(self, steps: PlacedSteps) -> None:
        add_at(self._totals["histogram"], sums_of_samples(steps.events), steps.valid)
        self._totals["observations"].add_(steps.valid.sum())
        self._totals["events"].add_(steps.events.sum((0, 1)).to(torch.int64))

    def _add_block(self, core: Any, block: StepBlock, at: BlockPlaces) -> None:
        core.add_to_histogram(block.sums, at.lengths, flat(self._totals["histogram"]))
        self._totals["observations"].add_(int(at.lengths.sum()))
        core.add_events(block.words, flat(self._totals["events"]))

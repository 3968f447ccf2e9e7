"""Whether a layer's neurons fire together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from neuroact.quantiles import tally
from neuroact.statistics.counted import CountedResult, Integers
from neuroact.statistics.stepwise import (
    EXACT,
    StepwiseStatistic,
    count_into,
    sums_of_samples,
    whole,
)

if TYPE_CHECKING:
    from neuroact.statistics.packed_steps import PackedBlock

# Steps whose sums per sample wait, as floats, to be counted into the histogram in one go.
_ROWS = 64


@dataclass(frozen=True, eq=False)
class SynchronyResult(CountedResult):
    """Spikes per (time step, sample) of one layer, and how synchronous its neurons are.

    The figures of `histogram` are of the population's spike count: how many of the layer's
    neurons fire at a step of a sample.

    Attributes:
        histogram: how many (step, sample) pairs have k spikes, int64 `[most + 1]`.
        events: non-zero values per neuron, int64 `[*neurons]`.
        observations: number of valid (step, sample) pairs.
        neurons: number of neurons.

    >>> import numpy as np
    >>> from neuroact.statistics import SynchronyResult
    >>> SynchronyResult(                     # two neurons, always both or none
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

        `χ² = Var(V) / mean_i Var(x_i)`, with x_i the events of neuron i, 0 or 1, V their mean over
        the N neurons, and both variances (ddof 0) over all observations, steps and samples
        together. 1 where all neurons always do the same; about 1/√N where they fire independently
        of each other; 0 where the number that fires is always the same. From exact integers: with
        M observations, K spikes in one of them and e_i events of a neuron,
        `χ² = (M ΣK² - (ΣK)²) / (N Σ_i e_i (M - e_i))`.

        NaN where no neuron varies (none or all fire always), where nothing was observed, and where
        the layer has no neurons.

        Differences to the source: it takes membrane potentials and one trial; here spikes are
        taken, in bins of one step, and samples are pooled, so that what the samples' differences
        do to all neurons counts as synchrony.

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

    An event is a value that is not zero. Applies to binary and graded layers; the values of an
    analog layer are hardly ever exactly zero, so all neurons would always seem to fire.

    Memory: one float32 `[batch, *neurons]` window and int64 events per neuron; 8 bytes times the
    neurons for the histogram, of which a result keeps what is not zero.

    With zero spikes every (step, sample) pair has a count of 0 and χ is NaN; before any chunk there
    is no result.

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

    @property
    def _neurons(self) -> int:
        return math.prod(self._shape or ())

    def count_packed(self, block: PackedBlock) -> None:
        """Count a block of steps; see `PackedStatistic`."""
        block.loops.add_to_histogram(block.sums, self._totals["histogram"].numpy())
        events = self._totals["events"].view(-1).numpy()
        for plane in block.words:
            block.loops.add_events(plane, events)
        self._totals["observations"].add_(block.sums.size)
        self._steps += block.steps

    def _make_totals(self) -> dict[str, Tensor]:
        return {
            "histogram": self._zeros(self._neurons + 1),
            "events": self._zeros(*(self._shape or ())),
            "observations": self._zeros(),
        }

    def _begin(self, like: Tensor) -> None:
        self._window = self._cleared("window", like)
        self._row: tuple[Tensor, ...] = ()
        self._filled = self._held = 0  # rows filled, steps in the window

    def _make_rows(self) -> None:
        """What waits to be counted: the sums of each sample at some steps."""
        self._axes = tuple(range(1, self._window.ndim))
        exact = torch.float32 if self._neurons <= EXACT else torch.float64
        self._rows = self._zeros(_ROWS, len(self._window), dtype=exact)
        # Views of single steps, made once: making one costs as much as summing a small layer.
        self._row = self._rows.unbind()

    def _step(self, events: Tensor, amounts: Tensor | None) -> None:
        if not self._row:
            self._make_rows()
        if self._filled == _ROWS:
            self._count_rows()
        if self._held == EXACT:
            self._count_events()
        row = self._row[self._filled]
        if self._axes:
            torch.sum(events, self._axes, dtype=row.dtype, out=row)
        else:
            row.copy_(events)
        self._window.add_(events)
        self._filled += 1
        self._held += 1

    def _masked_step(self, events: Tensor, amounts: Tensor | None, valid: Tensor) -> None:
        if self._held == EXACT:
            self._count_events()
        self._window.add_(events)
        self._held += 1
        count_into(self._totals["histogram"], sums_of_samples(events), valid.to(torch.int64))
        self._totals["observations"].add_(valid.sum())

    def _settle(self) -> None:
        if self._batch is not None:
            self._count_rows()
            self._count_events()

    def _count_rows(self) -> None:
        if not self._filled:
            return
        counts = whole(self._rows[: self._filled], self._neurons)
        count_into(self._totals["histogram"], counts)
        self._totals["observations"].add_(counts.numel())
        self._filled = 0

    def _count_events(self) -> None:
        if not self._held:
            return
        self._totals["events"].add_(whole(self._window, self._held).sum(0))
        self._window.zero_()
        self._held = 0

    def _close(self) -> None:
        self._settle()

    def _open_state(self) -> dict[str, Tensor]:
        return {}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing is open but the clock: a step's count does not depend on the steps before."""

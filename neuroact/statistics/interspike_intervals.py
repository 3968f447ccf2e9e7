"""How regularly neurons fire: the intervals between their spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from neuroact.statistics.counting.interval_words import (
    FRACTION_BITS,
    WIDTH,
    add_words,
    histogram_inside,
    words_of,
)
from neuroact.statistics.counting.parts import per_sample
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.counting.stepwise import BlockPlaces, PlacedSteps, StepwiseStatistic, flat
from neuroact.statistics.results import (
    CountedResult,
    Floats,
    Integers,
    exact_spread,
    ms_per_step,
    ratio,
)

_PER_NEURON = (
    "intervals",
    "sums",
    "squares",
    "pairs",
    "cv2_whole",
    "cv2_fraction",
    "lv_whole",
    "lv_fraction",
)
# The totals that the core's loop adds to, in its order.
_COUNTED = ("intervals", "sums", "squares", "pairs", "cv2_fraction", "lv_fraction")
# A neuron's terms in a block add up to less than 63 · 3 · 2^44, so int64 holds their sum over so
# many samples. The same is true of its terms in a word.
_MOST_SAMPLES = 2**11


@dataclass(frozen=True, eq=False, repr=False)
class InterspikeIntervalsResult(CountedResult):
    """Intervals between the spikes of each neuron of one layer.

    An interval is the number of steps from one spike to the next of the same neuron in the same
    sample's sequence. Spikes in adjacent steps have an interval of 1. Padded steps are not counted,
    and no interval crosses the start of a sequence.

    The figures of `histogram` are of all intervals of the layer together, in steps. The other
    figures are one number for each neuron, over its intervals in all sequences.

    Attributes:
        histogram: at index k, how many intervals are k steps long, int64 `[longest + 1]`.
        intervals: number of intervals of each neuron, int64 `[*neurons]`.
        sums: sum of each neuron's intervals, in steps, int64 `[*neurons]`.
        squares: sum of their squares, int64 `[*neurons]`.
        pairs: number of each neuron's pairs of adjacent intervals, int64 `[*neurons]`.
        cv2_whole: whole part of the sum of the pairs' terms of `cv2`, int64 `[*neurons]`.
        cv2_fraction: the rest of that sum, in units of 2^-44, int64 `[*neurons]`.
        lv_whole: whole part of the sum of the pairs' terms of `lv`, int64 `[*neurons]`.
        lv_fraction: the rest of that sum, in units of 2^-44, int64 `[*neurons]`.
        dt: seconds per time step, or None.

    >>> import torch
    >>> from neuroact import InterspikeIntervals, SignalKind, SpikeChunk
    >>> intervals = InterspikeIntervals()
    >>> train = torch.tensor([1, 0, 1, 0, 0, 0, 1]).reshape(7, 1, 1)    # intervals 2 and 4
    >>> intervals.update(SpikeChunk(train, SignalKind.BINARY, starts_sequence=True))
    >>> result = intervals.result()
    >>> result.mean, result.max, result.mean_interval.item(), round(result.cv2.item(), 4)
    (3.0, 4.0, 3.0, 0.6667)
    """

    intervals: Integers
    sums: Integers
    squares: Integers
    pairs: Integers
    cv2_whole: Integers
    cv2_fraction: Integers
    lv_whole: Integers
    lv_fraction: Integers
    dt: float | None = field(default=None, kw_only=True)

    per_neuron: ClassVar = frozenset(_PER_NEURON)

    @property
    def mean_interval(self) -> Floats:
        """Mean interval of each neuron, `sums / intervals`, float64 `[*neurons]`.

        In steps. NaN for a neuron without intervals, which fired at most once in each sequence.
        """
        return ratio(self.sums, self._trusted(self.intervals))

    @property
    def cv(self) -> Floats:
        """Coefficient of variation of each neuron's intervals, float64 `[*neurons]`.

        Their standard deviation (ddof 0) divided by their mean,
        `sqrt(intervals · squares - sums²) / sums`. 0 for a clock, 1 for a Poisson process of small
        rate. NaN for fewer than two intervals, which show no spread; `elephant.statistics.cv`,
        whose definition this is, gives 0 for one interval. The intervals of all sequences are
        pooled, as if concatenated for `elephant`.

        Source: Softky and Koch, The highly irregular firing of cortical cells is inconsistent with
        temporal integration of random EPSPs, Journal of Neuroscience 13(1), 1993.
        """
        spread = exact_spread(self.intervals, self.sums, self.squares).astype(np.float64)
        return ratio(np.sqrt(spread), np.where(self._trusted(self.intervals) > 1, self.sums, 0))

    @property
    def cv2(self) -> Floats:
        """CV2 of each neuron, in [0, 2], float64 `[*neurons]`.

        Mean of `2 |I' - I| / (I' + I)` over the neuron's pairs of adjacent intervals. It measures
        local variability, and a slow change of the rate hardly changes it. 0 for a clock, 1 for a
        Poisson process of small rate. NaN for a neuron without such a pair, which never fired three
        times in a sequence; `elephant.statistics.cv2`, whose definition this is, raises for fewer
        than two intervals. The pairs are those of all sequences; none crosses a start. Each term is
        rounded to 2^-44, so that sums do not depend on their order.

        Source: Holt, Softky, Koch and Douglas, Comparison of discharge variability in vitro and in
        vivo in cat visual cortex neurons, Journal of Neurophysiology 75(5), 1996,
        doi:10.1152/jn.1996.75.5.1806.
        """
        return self._mean_term(self.cv2_whole, self.cv2_fraction)

    @property
    def lv(self) -> Floats:
        """Local variation LV of each neuron, in [0, 3], float64 `[*neurons]`.

        Mean of `3 ((I' - I) / (I' + I))²` over the neuron's pairs of adjacent intervals. 0 for a
        clock, 1 for a Poisson process of small rate. NaN for a neuron without such a pair, which
        never fired three times in a sequence; `elephant.statistics.lv`, whose definition this is,
        raises for fewer than two intervals. The pairs are those of all sequences; none crosses a
        start. Each term is rounded to 2^-44, so that sums do not depend on their order.

        Source: Shinomoto, Shima and Tanji, Differences in spiking patterns among cortical neurons,
        Neural Computation 15(12), 2003, doi:10.1162/089976603322518759.
        """
        return self._mean_term(self.lv_whole, self.lv_fraction)

    @property
    def mean_ms(self) -> float:
        """Mean of all intervals of the layer in ms, `1000 · mean · dt`; NaN if there are none.

        Raises:
            NoTimeStepError: the recording has no time step `dt`.
        """
        return self.mean * ms_per_step(self.dt, "mean_ms")

    @property
    def mean_interval_ms(self) -> Floats:
        """Mean interval of each neuron in ms, `1000 · mean_interval · dt`, float64 `[*neurons]`.

        NaN for a neuron without intervals.

        Raises:
            NoTimeStepError: the recording has no time step `dt`.
        """
        return self.mean_interval * ms_per_step(self.dt, "mean_interval_ms")

    def quantile_ms(self, q: float, method: str = "linear") -> float:
        """Quantile of all intervals of the layer in ms, `1000 · quantile(q, method) · dt`.

        NaN if there are no intervals.

        Raises:
            NoTimeStepError: the recording has no time step `dt`.
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return self.quantile(q, method) * ms_per_step(self.dt, "quantile_ms")

    def _mean_term(self, whole_part: Integers, fraction: Integers) -> Floats:
        total = whole_part + fraction / 2.0**FRACTION_BITS
        return ratio(total, self._trusted(self.pairs))

    def _trusted(self, counts: Integers) -> Integers:
        return counts if self.unreliable is None else np.zeros_like(counts)


class InterspikeIntervals(StepwiseStatistic):
    """Interspike intervals: an exact histogram for the layer; mean, CV, CV2, LV of each neuron.

    An event is a value that is not zero. Applies to binary and graded layers. An analog layer's
    values are hardly ever exactly zero, so nearly all intervals would be one step.

    Memory: two int64 numbers `[batch, *neurons]`; eight int64 numbers for each neuron; 8 bytes for
    each step of the longest sequence; and 32 KiB.

    With zero spikes there are no intervals, and every figure is NaN. Before any chunk there is no
    result.

    >>> import torch
    >>> from neuroact import InterspikeIntervals, SignalKind, SpikeChunk
    >>> intervals = InterspikeIntervals()
    >>> spikes = torch.tensor([[[1.0, 1.0]], [[1.0, 0.0]], [[1.0, 1.0]]])
    >>> intervals.update(SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True))
    >>> intervals.result().histogram.tolist(), intervals.result().mean_interval.tolist()
    ([0, 2, 1], [1.0, 2.0])
    """

    _growing: ClassVar = frozenset({"histogram"})
    _together: ClassVar = WIDTH
    _added = 0  # samples whose terms were added since the last carry

    def result(self) -> InterspikeIntervalsResult | None:
        """The figures so far, open sequences as they stand; None before the first chunk."""
        totals = self._on_host()
        return None if totals is None else InterspikeIntervalsResult(**totals)

    def _make_totals(self) -> dict[str, Tensor]:
        per_neuron = {name: self._zeros(*(self._shape or ())) for name in _PER_NEURON}
        # How often each word came. The intervals inside these words are not in the totals yet.
        self._seen = self._zeros(2**WIDTH)
        return {"histogram": self._zeros(0), **per_neuron}

    def _begin(self, batch: int) -> None:
        # Steps from each neuron's last spike to the next step, 0 if it has not fired; and its last
        # interval, 0 if there is none.
        self._age = self._zeros(batch, self._neurons)
        self._last = self._zeros(batch, self._neurons)

    def _add(self, steps: PlacedSteps) -> None:
        events = per_sample(steps.events)
        self._room("histogram", self._sequences.steps + 1)
        samples = steps.samples.start or 0
        for start in range(0, events.shape[1], _MOST_SAMPLES):
            rows = slice(start, start + _MOST_SAMPLES)
            kept = slice(samples + start, samples + start + events[:, rows].shape[1])
            age, last = self._age[kept], self._last[kept]
            self._add_events(events[:, rows], steps.valid[:, rows], age, last)

    def _add_events(self, events: Tensor, valid: Tensor, age: Tensor, last: Tensor) -> None:
        ages, lasts = age.to(torch.float64), last.to(torch.float64)
        for step in range(0, len(events), WIDTH):
            some = slice(step, step + WIDTH)
            # Padded steps are skipped: the bits are those of the valid steps, in order.
            places = valid[some].cumsum(0) - 1
            lengths = valid[some].sum(0).to(torch.float64)
            self._expect(len(age))
            words = words_of(events[some], places)
            add_words(words, lengths, ages, lasts, self._totals, self._seen)
        age.copy_(ages)
        last.copy_(lasts)

    def _add_block(self, core: Any, block: StepBlock, at: BlockPlaces) -> None:
        totals = [flat(self._totals[name]) for name in _COUNTED]
        histogram = self._room("histogram", self._sequences.steps + 1).numpy()
        for start in range(0, block.batch, _MOST_SAMPLES):
            rows = slice(start, start + _MOST_SAMPLES)
            age, last = self._age[rows].numpy(), self._last[rows].numpy()
            self._expect(len(age))
            core.add_intervals(block.words[rows], at.lengths[rows], age, last, histogram, *totals)

    def _expect(self, samples: int) -> None:
        """Make room in the fractions for the terms of more samples."""
        if self._added + samples > _MOST_SAMPLES:
            self._carry()
        self._added += samples

    def _carry(self) -> None:
        """Move whole numbers from the fractions to the whole parts."""
        self._added = 0
        for name in ("cv2", "lv"):
            fraction = self._totals[f"{name}_fraction"]
            self._totals[f"{name}_whole"].add_(fraction >> FRACTION_BITS)
            fraction.bitwise_and_((1 << FRACTION_BITS) - 1)

    def _totals_so_far(self) -> dict[str, Tensor]:
        self._carry()
        inside = histogram_inside(self._seen)
        self._room("histogram", len(inside))[: len(inside)].add_(inside)
        self._seen.zero_()
        return super()._totals_so_far()

    def _add_total(self, name: str, tensor: Tensor) -> None:
        self._expect(_MOST_SAMPLES)
        super()._add_total(name, tensor)

    def _open_state(self) -> dict[str, Tensor]:
        return {"age": self._age, "last": self._last}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        # At most the steps so far: a file may hold any numbers, and these index a histogram.
        for name, kept in (("age", self._age), ("last", self._last)):
            kept.copy_(state[name].reshape(kept.shape).clamp(0, self._sequences.steps))

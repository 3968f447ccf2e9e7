"""How regularly neurons fire: the intervals between their spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.statistics import interval_blocks as blocks
from neuroact.statistics.counted import (
    CountedResult,
    Floats,
    Integers,
    exact_spread,
    ratio,
    seconds_per_step,
)
from neuroact.statistics.native import loops_for
from neuroact.statistics.stepwise import StepwiseStatistic, per_sample, whole

if TYPE_CHECKING:
    from neuroact.statistics.packed_steps import PackedBlock

# Steps in a block that a compiled loop counts: float32 holds a word of so many bits exactly.
_COMPILED_WIDTH = 24
_ALWAYS = 2**62  # values a step: PyTorch's own way takes many times longer, whatever its threads
# Up to here a neuron's terms of 64 steps, below 63 · 3 · 2^44, fit when summed over samples.
_MOST_SAMPLES = 2**11

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
# What a compiled loop adds to, in its order.
_COUNTED = ("intervals", "sums", "squares", "pairs", "cv2_fraction", "lv_fraction")


@dataclass(frozen=True, eq=False)
class InterspikeIntervalsResult(CountedResult):
    """Intervals between the spikes of each neuron of one layer.

    An interval is the number of steps from one spike to the next of the same neuron in the same
    sample's sequence; spikes in adjacent steps are an interval of 1. The figures of `histogram` are
    of all intervals of the layer together, in steps; the others are one number per neuron, over all
    its intervals in all sequences. Intervals never cross a sequence's start, and padded steps do
    not exist.

    Attributes:
        histogram: how many intervals are k steps long, int64 `[most + 1]`.
        intervals: number of intervals of each neuron, int64 `[*neurons]`.
        sums: sum of its intervals, in steps, int64 `[*neurons]`.
        squares: sum of their squares, int64 `[*neurons]`.
        pairs: number of its pairs of adjacent intervals, int64 `[*neurons]`.
        cv2_whole: whole part of the sum of the pairs' terms of `cv2`, int64 `[*neurons]`.
        cv2_fraction: the rest of it, in units of 2^-44, int64 `[*neurons]`.
        lv_whole: whole part of the sum of the pairs' terms of `lv`, int64 `[*neurons]`.
        lv_fraction: the rest of it, in units of 2^-44, int64 `[*neurons]`.
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

        In steps. NaN for a neuron without an interval: one that fired at most once a sequence.
        """
        return ratio(self.sums, self._trusted(self.intervals))

    @property
    def cv(self) -> Floats:
        """Coefficient of variation of each neuron's intervals, float64 `[*neurons]`.

        Their standard deviation (ddof 0) divided by their mean,
        `sqrt(intervals · squares - sums²) / sums`: 0 for a clock, 1 for a Poisson process of small
        rate. NaN for fewer than two intervals, which have no spread to see. The definition of
        `elephant.statistics.cv`, which gives 0 for one interval; here the intervals of all
        sequences are pooled, which for `elephant` is their concatenation.

        Source: Softky and Koch, The highly irregular firing of cortical cells is inconsistent with
        temporal integration of random EPSPs, Journal of Neuroscience 13(1), 1993.
        """
        spread = exact_spread(self.intervals, self.sums, self.squares).astype(np.float64)
        return ratio(np.sqrt(spread), np.where(self._trusted(self.intervals) > 1, self.sums, 0))

    @property
    def cv2(self) -> Floats:
        """CV2 of each neuron, in [0, 2], float64 `[*neurons]`.

        Mean over its pairs of adjacent intervals of `2 |I' - I| / (I' + I)`: local variability, not
        misled by a rate that drifts. 0 for a clock, 1 for a Poisson process of small rate. NaN for
        a neuron without such a pair: one that never fired three times in a sequence. The definition
        of `elephant.statistics.cv2`, which refuses fewer than two intervals; here over the pairs of
        all sequences, none of them across a start. Each term is rounded to 2^-44, so that sums do
        not depend on their order.

        Source: Holt, Softky, Koch and Douglas, Comparison of discharge variability in vitro and in
        vivo in cat visual cortex neurons, Journal of Neurophysiology 75(5), 1996,
        doi:10.1152/jn.1996.75.5.1806.
        """
        return self._mean_term(self.cv2_whole, self.cv2_fraction)

    @property
    def lv(self) -> Floats:
        """Local variation LV of each neuron, in [0, 3], float64 `[*neurons]`.

        Mean over its pairs of adjacent intervals of `3 ((I' - I) / (I' + I))²`. 0 for a clock, 1
        for a Poisson process of small rate. NaN for a neuron without such a pair: one that never
        fired three times in a sequence. The definition of `elephant.statistics.lv`, which refuses
        fewer than two intervals; here over the pairs of all sequences, none of them across a start.
        Each term is rounded to 2^-44, so that sums do not depend on their order.

        Source: Shinomoto, Shima and Tanji, Differences in spiking patterns among cortical neurons,
        Neural Computation 15(12), 2003, doi:10.1162/089976603322518759.
        """
        return self._mean_term(self.lv_whole, self.lv_fraction)

    @property
    def mean_seconds(self) -> float:
        """Mean of all intervals of the layer in seconds, `mean · dt`; NaN where there is none.

        Raises:
            NoTimeStepError: the recording was not told the time step.
        """
        return self.mean * seconds_per_step(self.dt, "mean_seconds")

    @property
    def mean_interval_seconds(self) -> Floats:
        """Mean interval of each neuron in seconds, `mean_interval · dt`, float64 `[*neurons]`.

        NaN for a neuron without an interval.

        Raises:
            NoTimeStepError: the recording was not told the time step.
        """
        return self.mean_interval * seconds_per_step(self.dt, "mean_interval_seconds")

    def quantile_seconds(self, q: float, method: str = "linear") -> float:
        """Quantile of all intervals of the layer in seconds, `quantile(q, method) · dt`.

        NaN where there is no interval.

        Raises:
            NoTimeStepError: the recording was not told the time step.
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return self.quantile(q, method) * seconds_per_step(self.dt, "quantile_seconds")

    def _mean_term(self, whole_part: Integers, fraction: Integers) -> Floats:
        total = whole_part + fraction / 2.0**blocks.FRACTION_BITS
        return ratio(total, self._trusted(self.pairs))

    def _trusted(self, counts: Integers) -> Integers:
        return counts if self.fault is None else np.zeros_like(counts)


class InterspikeIntervals(StepwiseStatistic):
    """Intervals between spikes: an exact histogram per layer; mean, CV, CV2 and LV per neuron.

    An event is a value that is not zero. Applies to binary and graded layers; the values of an
    analog layer are hardly ever exactly zero, so all intervals would be one step.

    Most steps cost one operation: steps are packed, each a bit, into a float32 number per sample
    and neuron, and a block of them is counted at once. On a CPU with numba (the extra `fast`) that
    is a compiled loop, many times faster, of words that all statistics share; the figures are the
    same to the bit.

    Memory: a float32 and two float64 `[batch, *neurons]`; eight int64 numbers per neuron; 8 bytes
    times the steps of the longest sequence.

    With zero spikes there is no interval, and every figure is NaN; before any chunk there is no
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
    _may_compile: ClassVar = True

    def result(self) -> InterspikeIntervalsResult | None:
        """The figures so far, open sequences as they stand; None before the first chunk."""
        totals = self._on_host()
        return None if totals is None else InterspikeIntervalsResult(**totals)

    def advance(self, values: Tensor) -> None:
        """Count one more step, as `StepwiseStatistic.advance`: here mostly a single operation."""
        if self._clock is not None or self._filled == self._width:
            super().advance(values)
            return
        self._word.add_(values, alpha=self._bit)
        self._bit *= 2
        self._filled += 1
        self._steps += 1

    def count_packed(self, block: PackedBlock) -> None:
        """Count a block of steps; see `PackedStatistic`."""
        self._count_block()
        self._lengths.fill_(block.steps)
        self._room("histogram", self._steps + block.steps + 1)
        self._count_planes(block.loops, block.words)
        self._lengths.zero_()
        self._steps += block.steps

    def _make_totals(self) -> dict[str, Tensor]:
        self._inner = self._zeros(2**blocks.WIDTH)
        self._looked_up = False  # whether `_inner` holds anything
        per_neuron = {name: self._zeros(*(self._shape or ())) for name in _PER_NEURON}
        return {"histogram": self._zeros(0), **per_neuron}

    def _begin(self, like: Tensor) -> None:
        self._word = self._cleared("word", like)
        rows = per_sample(self._word)
        self._age = self._cleared("age", rows, torch.float64)
        self._last = self._cleared("last", rows, torch.float64)
        self._filled, self._bit = 0, 1
        # Where samples have clocks of their own: the next step's bit of each, float32 [batch].
        self._bits: Tensor | None = None
        self._lengths = self._zeros(len(like), dtype=torch.float64)  # steps of each in the block
        self._loops = loops_for(like, most=_ALWAYS) if self._may_compile else None
        self._width = blocks.WIDTH if self._loops is None else _COMPILED_WIDTH

    def _step(self, events: Tensor, amounts: Tensor | None) -> None:
        if self._filled == self._width:
            self._count_block()
        self._word.add_(events, alpha=self._bit)
        self._bit *= 2
        self._filled += 1

    def _masked_step(self, events: Tensor, amounts: Tensor | None, valid: Tensor) -> None:
        if self._filled == self._width:
            self._count_block()
        if self._bits is None:
            self._bits = torch.ones_like(self._lengths, dtype=torch.float32)
        bits = self._bits.reshape(-1, *(1,) * (events.ndim - 1))
        self._word.addcmul_(events.to(torch.float32), bits)
        self._bits = self._bits * (1.0 + valid.to(torch.float32))
        self._lengths.add_(valid)
        self._bit *= 2
        self._filled += 1

    def _count_block(self) -> None:
        if not self._filled:
            return
        if self._bits is None:
            self._lengths.fill_(self._filled)
        self._room("histogram", self._steps + 1)
        words = whole(self._word.reshape(self._age.shape), self._bit - 1)
        if self._loops is not None:
            plane = words.to(torch.int32).numpy().view(np.uint32)
            self._count_planes(self._loops, plane.reshape(1, *plane.shape))
        else:
            self._looked_up = True
            blocks.count_block(
                words, self._lengths, self._age, self._last, self._totals, self._inner
            )
        self._word.zero_()
        self._lengths.zero_()
        self._filled, self._bit, self._bits = 0, 1, None

    def _is_packable(self) -> bool:
        return self._may_compile

    def _count_planes(self, loops: ModuleType, words: NDArray[np.uint32]) -> None:
        """Count a block of words of one or two planes, `[planes, batch, neurons]`."""
        totals = [self._totals[name].view(-1).numpy() for name in _COUNTED]
        histogram = self._totals["histogram"].numpy()
        for start in range(0, words.shape[1], _MOST_SAMPLES):
            rows = slice(start, start + _MOST_SAMPLES)
            of_samples = (t[rows].numpy() for t in (self._lengths, self._age, self._last))
            loops.add_intervals(words[:, rows], *of_samples, histogram, *totals)
            blocks.carry(self._totals)

    def _settle(self) -> None:
        if self._batch is not None:
            self._count_block()
        if self._looked_up:
            inside = blocks.inner_histogram(self._inner)
            self._room("histogram", len(inside))[: len(inside)].add_(inside)
            self._inner.zero_()
            self._looked_up = False
        blocks.carry(self._totals)

    def _close(self) -> None:
        self._settle()

    def _open_state(self) -> dict[str, Tensor]:
        shape, kept = self._word.shape, {"age": self._age, "last": self._last}
        return {name: tensor.to(torch.int64).reshape(shape) for name, tensor in kept.items()}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        # No more than the steps so far, whoever wrote it: it becomes a place in the histogram.
        self._age.copy_(state["age"].reshape(self._age.shape).clamp(0, self._steps))
        self._last.copy_(state["last"].reshape(self._last.shape))

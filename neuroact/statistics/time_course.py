"""Activity of a layer over time, in bins of steps, and the latency of each neuron's first spike."""

from __future__ import annotations

import math
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
    padded,
    sums_of_samples,
)
from neuroact.statistics.counting.windows import checked_width
from neuroact.statistics.results import (
    Floats,
    Integers,
    LayerResult,
    exact_spread,
    histogram_quantile,
    moments,
    ms_per_step,
    ratio,
    seconds_per_step,
)


@dataclass(frozen=True, eq=False, repr=False)
class TimeCourseResult(LayerResult):
    """Activity of one layer in each time bin of its sequences.

    A bin is `bin_width` steps. Bin b begins at step `b · bin_width` of a sample's sequence, counted
    from 0, without padding. Sequences may have different lengths, and end within a bin: the counts
    in a bin are divided by the number of (step, sample) pairs observed in it.

    Attributes:
        events: non-zero values in each bin, over steps, samples and neurons, int64 `[bins]`.
        total: sum of the values in each bin, float64 `[bins]`; equals `events` if binary.
        observations: (step, sample) pairs observed in each bin, int64 `[bins]`.
        first_spikes: (sequence, neuron) pairs whose first spike is in that bin, int64 `[bins]`.
        squares: in each bin, the sum over samples of the square of a sample's number of non-zero
            values, int64 `[bins]`; gives the spread over samples.
        never: (sequence, neuron) pairs without a spike.
        neurons: number of neurons.
        samples: samples that reached each bin, int64 `[bins]`; None in bins of one step, where
            these are the `observations`.
        bin_width: steps in a bin.
        dt: seconds per time step, or None.

    >>> import numpy as np
    >>> from neuroact.statistics import TimeCourseResult
    >>> course = TimeCourseResult(            # one sample, two neurons, three steps
    ...     events=np.array([0, 2, 1]), total=np.array([0.0, 2.0, 1.0]),
    ...     observations=np.array([1, 1, 1]), first_spikes=np.array([0, 2, 0]), never=0, neurons=2,
    ...     squares=np.array([0, 4, 1]),
    ... )
    >>> course.activity.tolist(), course.onset, course.latency_mean
    ([0.0, 1.0, 0.5], 1, 1.0)
    """

    events: Integers
    total: Floats
    observations: Integers
    first_spikes: Integers
    never: int
    neurons: int
    squares: Integers = field(kw_only=True)
    samples: Integers | None = field(default=None, kw_only=True)
    bin_width: int = field(default=1, kw_only=True)
    dt: float | None = field(default=None, kw_only=True)

    @property
    def bins(self) -> int:
        """Number of bins of the longest sequence, which may end within the last one."""
        return len(self.observations)

    @property
    def activity(self) -> Floats:
        """Population activity, `total / (observations · neurons)`, float64 `[bins]`.

        Mean value per neuron and step in each bin. If binary, these are spikes per neuron and step:
        the peristimulus time histogram (PSTH) of the layer. `activity · bin_width` equals
        `elephant.statistics.time_histogram` of all its spike trains with `output="mean"`, which
        raises for trains of unequal length. NaN if the layer has no neurons.
        """
        return ratio(self.total, self._looked_at)

    @property
    def active_share(self) -> Floats:
        """Share of neurons that fire, `events / (observations · neurons)`, float64 `[bins]`.

        In [0, 1]; the mean over the steps and samples in the bin. Equals `activity` if binary. NaN
        if the layer has no neurons.
        """
        return ratio(self.events, self._looked_at)

    @property
    def active_share_std(self) -> Floats:
        """Standard deviation over samples of their share of neurons that fire, float64 `[bins]`.

        A sample's share is the mean over the bin's steps. The formula is
        `sqrt(samples · squares - events²) / (observations · neurons)`, ddof 0. It measures how much
        samples differ, not neurons or steps. 0 if nothing fired, and for one sample. NaN if there
        are no neurons. Where some samples end within the bin, it is the spread of their numbers of
        events, divided by the mean number of steps.
        """
        samples = self.observations if self.samples is None else self.samples
        spread = exact_spread(samples, self.events, self.squares)
        return ratio(np.sqrt(spread.astype(np.float64)), self._looked_at)

    @property
    def rate(self) -> Floats:
        """Population rate in Hz, `activity / dt`, float64 `[bins]`.

        Spikes per neuron and second. NaN if the layer has no neurons.

        Raises:
            NoTimeStepError: the recording has no time step `dt`.
        """
        return self.activity / seconds_per_step(self.dt, "rate")

    @property
    def times(self) -> Floats:
        """When each bin begins: in seconds, or in steps if dt is None. Float64 `[bins]`.

        Bin b begins at step `b · bin_width`, and so at `b · bin_width · dt` seconds.
        """
        steps = np.arange(self.bins, dtype=np.float64) * self.bin_width
        return steps * (1.0 if self.dt is None else self.dt)

    @property
    def onset(self) -> int | None:
        """First step of the first bin in which a neuron fired; None if none ever did."""
        fired = np.flatnonzero(self.events)
        return int(fired[0]) * self.bin_width if len(fired) and self.unreliable is None else None

    @property
    def latency_mean(self) -> float:
        """Mean step of the first spike, over the (sequence, neuron) pairs that have one.

        In steps from the start of the sequence, whose first step is 0; each rounded down to the
        first step of its bin. NaN if nothing fired.
        """
        pairs, total, _ = moments(self._first_spikes)
        return self.bin_width * total / pairs if pairs else math.nan

    def latency_quantile(self, q: float, method: str = "linear") -> float:
        """Quantile of the step of the first spike, over the pairs that have one.

        Args:
            q: level in [0, 1].
            method: one of the thirteen names of `numpy.quantile`; "linear" is type 7.

        Returns:
            Steps from the start of the sequence, whose first step is 0, each rounded down to the
            first step of its bin; NaN if nothing fired.

        Raises:
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return self.bin_width * histogram_quantile(self._first_spikes, q, method)

    @property
    def latency_mean_ms(self) -> float:
        """Mean time of the first spike in ms, `1000 · latency_mean · dt`; NaN if nothing fired.

        Raises:
            NoTimeStepError: the recording has no time step `dt`.
        """
        return self.latency_mean * ms_per_step(self.dt, "latency_mean_ms")

    def latency_quantile_ms(self, q: float, method: str = "linear") -> float:
        """Quantile of the time of the first spike in ms, `1000 · latency_quantile(q, method) · dt`.

        NaN if nothing fired.

        Raises:
            NoTimeStepError: the recording has no time step `dt`.
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return self.latency_quantile(q, method) * ms_per_step(self.dt, "latency_quantile_ms")

    @property
    def never_share(self) -> float:
        """Share of (sequence, neuron) pairs without a spike; NaN if there are no pairs."""
        pairs = int(self._first_spikes.sum()) + self.never
        return self.never / pairs if pairs and self.unreliable is None else math.nan

    @property
    def _looked_at(self) -> Integers:
        trusted = 1 if self.unreliable is None else 0
        return self.observations * self.neurons * trusted

    @property
    def _first_spikes(self) -> Integers:
        return self.first_spikes if self.unreliable is None else self.first_spikes[:0]


# The totals that the core's loop adds to, in its order.
_COUNTED = ("events", "squares", "observations")


class TimeCourse(StepwiseStatistic):
    """Events and observations in each time bin of a sequence, and first-spike latencies.

    An event is a value that is not zero. Applies to binary and graded layers. An analog layer's
    values are hardly ever exactly zero, so nearly every first spike would be at the first step.

    Memory: four int64 numbers for each bin of the longest sequence, five if bins are wider than a
    step; a byte `[batch, *neurons]`, whether the neuron has fired. So in bins of one step, an hour
    at 30 kHz (10^8 steps) takes several GB, and with `bin_width=30` a thirtieth of that. A graded
    layer's total is a float64 sum, see `Firing`.

    With zero spikes events are zeros, and no pair ever fired. Before any chunk there is no result.

    Args:
        bin_width: steps in a bin. With `dt=0.001`, 10 gives a PSTH in bins of 10 ms. The bins of
            any width are sums of those of one step; two widths cannot be merged.

    Raises:
        ValueError: `bin_width` is not a whole number from 1 on.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk, TimeCourse
    >>> course = TimeCourse()
    >>> spikes = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]]])
    >>> course.update(SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True))
    >>> result = course.result()
    >>> result.activity.tolist(), result.latency_mean, result.never
    ([0.0, 0.5, 0.5], 1.0, 1)
    """

    _growing: ClassVar = frozenset({*_COUNTED, "total", "first_spikes", "samples"})
    _options: ClassVar = ("bin_width",)
    _of_samples: ClassVar = frozenset({"in_bin"})

    def __init__(self, *, bin_width: int = 1) -> None:
        if checked_width("bin_width", bin_width) > 1:
            self._settings = {"bin_width": int(bin_width)}
        super().__init__()

    def result(self) -> TimeCourseResult | None:
        """The figures so far, open sequences as they stand; None before the first chunk."""
        totals = self._on_host()
        if totals is None:
            return None
        never = int(totals.pop("never"))
        totals.setdefault("total", totals["events"].astype(np.float64))
        length = len(totals["observations"])
        courses: dict[str, Any] = {n: padded(a, length) for n, a in totals.items()}
        return TimeCourseResult(
            **courses, never=never, neurons=self._neurons, bin_width=self._bin_width
        )

    @property
    def _bin_width(self) -> int:
        return self._settings.get("bin_width", 1)

    @property
    def _bins(self) -> int:
        return -(-self._sequences.steps // self._bin_width)

    def _make_totals(self) -> dict[str, Tensor]:
        more = ("samples",) if self._settings else ()
        return {name: self._zeros(0) for name in (*_COUNTED, "first_spikes", *more)} | {
            "never": self._zeros()
        }

    def _begin(self, batch: int) -> None:
        self._fired = self._zeros(batch, self._neurons, dtype=torch.uint8)
        if self._settings:  # each sample's events in its bin so far
            self._in_bin = self._zeros(batch)

    def _add(self, steps: PlacedSteps) -> None:
        places = steps.places // self._bin_width
        self._add_sums(sums_of_samples(steps.events), steps.places, steps.valid, steps.samples)
        if "total" in self._totals:
            amounts = steps.events if steps.amounts is None else steps.amounts
            total = per_sample(amounts).sum(2, dtype=torch.float64)
            add_at(self._room("total", self._bins), places, total)
        # A neuron's first event is the one with the most steps left.
        events, fired = per_sample(steps.events), self._fired[steps.samples]
        left = torch.arange(len(events), 0, -1, dtype=torch.float32, device=self._device)
        most = (events * left.reshape(-1, 1, 1)).amax(0).to(torch.int64)
        row = (len(events) - most).clamp(max=len(events) - 1)
        first = most.gt(0).to(torch.int64) * fired.eq(0)
        add_at(self._room("first_spikes", self._bins), places.T.gather(1, row), first)
        fired.logical_or_(most)

    def _add_block(self, core: Any, block: StepBlock, at: BlockPlaces) -> None:
        first = self._room("first_spikes", self._bins).numpy()
        if "total" in self._totals:
            sums, places = torch.from_numpy(block.sums).to(torch.float64), at.each(block.steps)[0]
            add_at(self._room("total", self._bins), places // self._bin_width, sums)
        if self._bin_width == 1:  # the core's loops know of no bins
            steps = [self._room(name, self._bins).numpy() for name in _COUNTED]
            core.add_steps(block.sums, at.clock, at.lengths, *steps)
            core.add_first(block.words, self._fired.numpy(), first, at.clock)
            return
        if not block.steps:
            return
        self._add_sums(
            torch.from_numpy(block.sums).to(torch.int64), *at.each(block.steps), slice(None)
        )
        fired = self._fired.numpy()
        sample, neuron = np.nonzero((block.words != 0) & (fired == 0))
        words = block.words[sample, neuron]
        step = at.clock[sample] + np.log2(words & (~words + np.uint64(1))).astype(np.int64)
        np.add.at(first, step // self._bin_width, 1)
        fired[sample, neuron] = 1

    def _add_sums(self, sums: Tensor, places: Tensor, valid: Tensor, samples: slice) -> None:
        bins = places // self._bin_width
        found = {"events": sums, "squares": sums * sums, "observations": valid}
        if self._settings:
            sums, begins = sums * valid, valid * (places % self._bin_width == 0)
            upto = sums.cumsum(0) + self._in_bin[samples]
            # Of the events up to each step, those before its bin. Sums only grow, so the last bin
            # that began has the largest.
            before = ((upto - sums) * begins).cummax(0).values
            self._in_bin[samples] = upto[-1] - before[-1]
            # Since (n + k)² = n² + 2nk + k², a square needs no end of its bin.
            found["squares"] = sums * (2 * (upto - before) - sums)
            found["samples"] = begins
        for name, each in found.items():
            add_at(self._room(name, self._bins), bins, each)

    def _close(self) -> None:
        seen = self._sequences.clocks(self._device).gt(0).sum()
        self._totals["never"].add_(seen * self._neurons - self._fired.sum())

    def _see_amounts(self) -> None:
        """Begin a total: from here on, the float64 sums of values may differ from the events."""
        if "total" not in self._totals:
            events = self._totals["events"]
            self._totals["total"] = self._zeros(len(events), dtype=torch.float64).copy_(events)

    def _matched(self, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        if "total" not in self._totals and "total" not in theirs:
            return theirs
        self._see_amounts()
        return {"total": theirs["events"], **theirs}

    def _open_state(self) -> dict[str, Tensor]:
        return {"fired": self._fired.ne(0)} | ({"in_bin": self._in_bin} if self._settings else {})

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        if self._settings:
            self._in_bin.copy_(state["in_bin"])
        self._fired.copy_(state["fired"].reshape(self._fired.shape))

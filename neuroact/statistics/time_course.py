"""When a layer fires: activity at each time step, and when each neuron fires first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from neuroact.statistics.counted import (
    Floats,
    Integers,
    LayerResult,
    exact_spread,
    histogram_quantile,
    moments,
    ratio,
    seconds_per_step,
)
from neuroact.statistics.stepwise import (
    EXACT,
    StepwiseStatistic,
    padded,
    per_sample,
    rows_of,
    sums_of_samples,
    whole,
)
from neuroact.stream import SignalKind, SpikeChunk

if TYPE_CHECKING:
    from neuroact.statistics.packed_steps import PackedBlock

# Steps whose sums wait, as floats, to be added to the integers in one go.
_SLOTS = 64


@dataclass(frozen=True, eq=False)
class TimeCourseResult(LayerResult):
    """Activity of one layer at each time step of its sequences.

    Step t is the t-th of a sample's own sequence, padding left out, from 0. Sequences of unequal
    length are right: each step is divided by the samples that reached it.

    Attributes:
        events: non-zero values at each step, over samples and neurons, int64 `[steps]`.
        total: sum of the values at each step, float64 `[steps]`; equals `events` where binary.
        observations: samples looked at at each step, int64 `[steps]`.
        first_spikes: (sequence, neuron) pairs whose first spike is at that step, int64 `[steps]`.
        squares: sum over samples of the square of a sample's non-zero values at each step, int64
            `[steps]`: what the spread over samples is told from.
        never: (sequence, neuron) pairs without a spike.
        neurons: number of neurons.
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
    dt: float | None = field(default=None, kw_only=True)

    @property
    def steps(self) -> int:
        """Number of time steps of the longest sequence."""
        return len(self.observations)

    @property
    def activity(self) -> Floats:
        """Population activity, `total / (observations · neurons)`, float64 `[steps]`.

        Mean value per neuron at each step; where binary, spikes per neuron and step: the
        peristimulus time histogram of the layer, `elephant.statistics.time_histogram` of all its
        trains with `output="mean"`, which refuses trains of unequal length. NaN where it has no
        neurons.
        """
        return ratio(self.total, self._looked_at)

    @property
    def active_share(self) -> Floats:
        """Share of neurons that fire, `events / (observations · neurons)`, float64 `[steps]`.

        In [0, 1]; the mean over samples. Equals `activity` where binary. NaN where the layer has
        no neurons.
        """
        return ratio(self.events, self._looked_at)

    @property
    def active_share_std(self) -> Floats:
        """Standard deviation over samples of their share of neurons that fire, float64 `[steps]`.

        `sqrt(observations · squares - events²) / (observations · neurons)`, ddof 0: how much
        samples differ at each step, not how much neurons do. 0 where nothing fired, and of one
        sample; NaN where there are no neurons.
        """
        spread = exact_spread(self.observations, self.events, self.squares)
        return ratio(np.sqrt(spread.astype(np.float64)), self._looked_at)

    @property
    def rate(self) -> Floats:
        """Population rate in Hz, `activity / dt`, float64 `[steps]`.

        Spikes per neuron and second. NaN where the layer has no neurons.

        Raises:
            NoTimeStepError: the recording was not told the time step.
        """
        return self.activity / seconds_per_step(self.dt, "rate")

    @property
    def times(self) -> Floats:
        """When each step begins, `t · dt` in seconds; where dt is None, t. Float64 `[steps]`."""
        return np.arange(self.steps, dtype=np.float64) * (1.0 if self.dt is None else self.dt)

    @property
    def onset(self) -> int | None:
        """First step at which anything fired; None where nothing ever did."""
        fired = np.flatnonzero(self.events)
        return int(fired[0]) if len(fired) and self.fault is None else None

    @property
    def latency_mean(self) -> float:
        """Mean step of the first spike, of those (sequence, neuron) pairs that have one.

        In steps from the sequence's start, the first step being 0. NaN where nothing fired.
        """
        pairs, total, _ = moments(self._first_spikes)
        return total / pairs if pairs else math.nan

    def latency_quantile(self, q: float, method: str = "linear") -> float:
        """Quantile of the step of the first spike, of the pairs that have one.

        Args:
            q: level in [0, 1].
            method: one of the thirteen names of `numpy.quantile`; "linear" is type 7.

        Returns:
            Steps from the sequence's start, the first step being 0; NaN where nothing fired.

        Raises:
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return histogram_quantile(self._first_spikes, q, method)

    @property
    def never_share(self) -> float:
        """Share of (sequence, neuron) pairs without a spike; NaN where there is no pair."""
        pairs = int(self._first_spikes.sum()) + self.never
        return self.never / pairs if pairs and self.fault is None else math.nan

    @property
    def _looked_at(self) -> Integers:
        trusted = 1 if self.fault is None else 0
        return self.observations * self.neurons * trusted

    @property
    def _first_spikes(self) -> Integers:
        return self.first_spikes if self.fault is None else self.first_spikes[:0]


class TimeCourse(StepwiseStatistic):
    """Events and observations at each time step of a sequence, and first-spike latencies.

    An event is a value that is not zero. Applies to binary and graded layers; the values of an
    analog layer are hardly ever exactly zero, so every step would be a first spike.

    Memory: int64 numbers per step of the longest sequence; one float32 `[batch, *neurons]` that
    tells who has fired. A graded layer's total is a float64 sum, see `Firing`.

    With zero spikes events are zeros and every pair is one that never fired; before any chunk
    there is no result.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk, TimeCourse
    >>> course = TimeCourse()
    >>> spikes = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]]])
    >>> course.update(SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True))
    >>> result = course.result()
    >>> result.activity.tolist(), result.latency_mean, result.never
    ([0.0, 0.5, 0.5], 1.0, 1)
    """

    _growing: ClassVar = frozenset({"events", "total", "squares", "observations", "first_spikes"})

    def result(self) -> TimeCourseResult | None:
        """The figures so far, open sequences as they stand; None before the first chunk."""
        totals = self._on_host()
        if totals is None:
            return None
        never = int(totals.pop("never"))
        totals.setdefault("total", totals["events"].astype(np.float64))
        length = len(totals["observations"])
        courses: dict[str, Any] = {n: padded(a, length) for n, a in totals.items()}
        return TimeCourseResult(**courses, never=never, neurons=self._neurons)

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk, as `StepwiseStatistic.update`."""
        super().update(chunk)
        if chunk.kind is not SignalKind.BINARY:
            self._total(0)  # also where all of it was padding

    def advance(self, values: Tensor) -> None:
        """Count one more step, as `StepwiseStatistic.advance`: what `update` adds is no matter."""
        super().advance(values)

    @property
    def _neurons(self) -> int:
        return math.prod(self._shape or ())

    def count_packed(self, block: PackedBlock) -> None:
        """Count a block of steps; see `PackedStatistic`."""
        self._settle()
        start, end = self._steps, self._steps + block.steps
        events, squares, observations, first = (
            self._room(name, end)[start:end].numpy()
            for name in ("events", "squares", "observations", "first_spikes")
        )
        before = first.sum()
        block.loops.add_steps(block.sums, events, squares)
        for number, plane in enumerate(block.words):
            block.loops.add_first(plane, rows_of(self._fired), first[32 * number :])
        observations += block.batch
        self._have_fired += int(first.sum() - before)
        self._steps += block.steps

    def _make_totals(self) -> dict[str, Tensor]:
        steps = ("events", "squares", "observations", "first_spikes")
        return {name: self._zeros(0) for name in steps} | {"never": self._zeros()}

    def _begin(self, like: Tensor) -> None:
        self._fired = self._cleared("fired", like)
        self._have_fired = self._zeros()  # int64: pairs that fired in the steps settled
        self._slots: tuple[tuple[Tensor, ...], ...] = ()
        self._filled = 0
        self._fired_of: Tensor | None = None  # int64 [batch]: what fired, where samples have clocks

    def _make_slots(self) -> None:
        """What waits to be settled: sums of each sample, and how many have fired."""
        self._axes = tuple(range(self._fired.ndim))
        exact = torch.float32 if self._fired.numel() <= EXACT else torch.float64
        self._sums = self._zeros(_SLOTS, len(self._fired), dtype=exact)
        self._fired_sums = self._zeros(_SLOTS, dtype=exact)
        # Views of single rows, made once: making one costs as much as summing a small layer.
        self._slots = (self._sums.unbind(), self._fired_sums.unbind())

    def _step(self, events: Tensor, amounts: Tensor | None) -> None:
        if amounts is not None or "total" in self._totals:
            values = events if amounts is None else amounts
            self._total(self._steps + 1)[self._steps].add_(values.sum(dtype=torch.float64))
        if not self._slots:
            self._make_slots()
        if self._filled == _SLOTS:
            self._settle()
        at, (sums, fired), dtype = self._filled, self._slots, self._sums.dtype
        if events.ndim > 1:
            torch.sum(events, self._axes[1:], dtype=dtype, out=sums[at])
        else:
            sums[at].copy_(events)  # one neuron without a dimension: no axis would be every axis
        torch.maximum(self._fired, events, out=self._fired)
        torch.sum(self._fired, self._axes, dtype=dtype, out=fired[at])
        self._filled += 1

    def _masked_step(self, events: Tensor, amounts: Tensor | None, valid: Tensor) -> None:
        assert self._clock is not None
        length = self._steps + 1
        if amounts is not None or "total" in self._totals:
            sums = per_sample(events if amounts is None else amounts).sum(1, dtype=torch.float64)
            self._total(length).index_add_(0, self._clock, sums)
        if self._fired_of is None:
            self._fired_of = sums_of_samples(self._fired)
        torch.maximum(self._fired, events, out=self._fired)
        counts, fired = sums_of_samples(events), sums_of_samples(self._fired)
        first = fired - self._fired_of
        steps = {"events": counts, "squares": counts * counts, "first_spikes": first}
        for name, found in steps.items():
            self._room(name, length).index_add_(0, self._clock, found)
        self._room("observations", length).index_add_(0, self._clock, valid.to(torch.int64))
        self._fired_of = fired

    def _is_packable(self) -> bool:
        return "total" not in self._totals

    def _is_plain(self) -> bool:
        return self._fired.is_contiguous()

    def _settle(self) -> None:
        if self._batch is None or not self._filled:
            return
        start, end = self._steps - self._filled, self._steps
        counts = whole(self._sums[: self._filled], self._fired.numel())
        fired = whole(self._fired_sums[: self._filled], self._fired.numel())
        self._room("events", end)[start:end].add_(counts.sum(1))
        self._room("squares", end)[start:end].add_((counts * counts).sum(1))
        first = fired.diff(prepend=self._have_fired.reshape(1))
        self._room("first_spikes", end)[start:end].add_(first)
        self._room("observations", end)[start:end].add_(self._batch)
        self._have_fired.copy_(fired[-1])
        self._filled = 0

    def _close(self) -> None:
        self._settle()
        seen, batch = self._seen(), self._batch or 0
        pairs = batch * self._neurons if seen is None else seen.sum() * self._neurons
        fired = self._have_fired if self._clock is None else self._fired.ne(0).sum()
        self._totals["never"].add_(pairs - fired)

    def _total(self, length: int) -> Tensor:
        """The float64 sums of the values, which begin to differ from the events here."""
        if "total" not in self._totals:
            self._settle()
            self._totals["total"] = self._zeros(0, dtype=torch.float64)
            events = self._totals["events"]
            self._room("total", len(events))[: len(events)].copy_(events)
        return self._room("total", length)

    def _matched(self, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        if "total" not in self._totals and "total" not in theirs:
            return theirs
        self._total(0)
        return {"total": theirs["events"], **theirs}

    def _open_state(self) -> dict[str, Tensor]:
        return {"fired": self._fired.ne(0)}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self._fired.copy_(state["fired"])
        self._have_fired.copy_(state["fired"].sum())

"""Activity of a layer at each time step, and the latency of each neuron's first spike."""

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
from neuroact.statistics.results import (
    Floats,
    Integers,
    LayerResult,
    exact_spread,
    histogram_quantile,
    moments,
    ratio,
    seconds_per_step,
)


@dataclass(frozen=True, eq=False)
class TimeCourseResult(LayerResult):
    """Activity of one layer at each time step of its sequences.

    Step t is the t-th step of a sample's sequence, from 0, without padding. Sequences may have
    different lengths: the counts at a step are divided by the number of samples that reached it.

    Attributes:
        events: non-zero values at each step, over samples and neurons, int64 `[steps]`.
        total: sum of the values at each step, float64 `[steps]`; equals `events` if binary.
        observations: samples observed at each step, int64 `[steps]`.
        first_spikes: (sequence, neuron) pairs whose first spike is at that step, int64 `[steps]`.
        squares: at each step, the sum over samples of the square of a sample's number of non-zero
            values, int64 `[steps]`; gives the spread over samples.
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

        Mean value per neuron at each step. If binary, these are spikes per neuron and step: the
        peristimulus time histogram (PSTH) of the layer. It equals
        `elephant.statistics.time_histogram` of all its spike trains with `output="mean"`, which
        raises for trains of unequal length. NaN if the layer has no neurons.
        """
        return ratio(self.total, self._looked_at)

    @property
    def active_share(self) -> Floats:
        """Share of neurons that fire, `events / (observations · neurons)`, float64 `[steps]`.

        In [0, 1]; the mean over samples. Equals `activity` if binary. NaN if the layer has no
        neurons.
        """
        return ratio(self.events, self._looked_at)

    @property
    def active_share_std(self) -> Floats:
        """Standard deviation over samples of their share of neurons that fire, float64 `[steps]`.

        `sqrt(observations · squares - events²) / (observations · neurons)`, ddof 0. It measures how
        much samples differ at each step, not neurons. 0 if nothing fired, and for one sample. NaN
        if there are no neurons.
        """
        spread = exact_spread(self.observations, self.events, self.squares)
        return ratio(np.sqrt(spread.astype(np.float64)), self._looked_at)

    @property
    def rate(self) -> Floats:
        """Population rate in Hz, `activity / dt`, float64 `[steps]`.

        Spikes per neuron and second. NaN if the layer has no neurons.

        Raises:
            NoTimeStepError: the recording has no time step `dt`.
        """
        return self.activity / seconds_per_step(self.dt, "rate")

    @property
    def times(self) -> Floats:
        """When each step begins: `t · dt` in seconds, or t if dt is None. Float64 `[steps]`."""
        return np.arange(self.steps, dtype=np.float64) * (1.0 if self.dt is None else self.dt)

    @property
    def onset(self) -> int | None:
        """First step at which a neuron fired; None if none ever did."""
        fired = np.flatnonzero(self.events)
        return int(fired[0]) if len(fired) and self.unreliable is None else None

    @property
    def latency_mean(self) -> float:
        """Mean step of the first spike, over the (sequence, neuron) pairs that have one.

        In steps from the start of the sequence, whose first step is 0. NaN if nothing fired.
        """
        pairs, total, _ = moments(self._first_spikes)
        return total / pairs if pairs else math.nan

    def latency_quantile(self, q: float, method: str = "linear") -> float:
        """Quantile of the step of the first spike, over the pairs that have one.

        Args:
            q: level in [0, 1].
            method: one of the thirteen names of `numpy.quantile`; "linear" is type 7.

        Returns:
            Steps from the start of the sequence, whose first step is 0; NaN if nothing fired.

        Raises:
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return histogram_quantile(self._first_spikes, q, method)

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


# The totals of each step that the core's loop adds to, in its order.
_EACH_STEP = ("events", "squares", "observations")


class TimeCourse(StepwiseStatistic):
    """Events and observations at each time step of a sequence, and first-spike latencies.

    An event is a value that is not zero. Applies to binary and graded layers. An analog layer's
    values are hardly ever exactly zero, so nearly every first spike would be at the first step.

    Memory: int64 numbers for each step of the longest sequence; a byte `[batch, *neurons]`, whether
    the neuron has fired. A graded layer's total is a float64 sum, see `Firing`.

    With zero spikes events are zeros, and no pair ever fired. Before any chunk there is no result.

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

    def _make_totals(self) -> dict[str, Tensor]:
        return {name: self._zeros(0) for name in (*_EACH_STEP, "first_spikes")} | {
            "never": self._zeros()
        }

    def _begin(self, batch: int) -> None:
        self._fired = self._zeros(batch, self._neurons, dtype=torch.uint8)

    def _add(self, steps: PlacedSteps) -> None:
        self._add_sums(sums_of_samples(steps.events), steps.places, steps.valid)
        length = self._sequences.steps
        if "total" in self._totals:
            amounts = steps.events if steps.amounts is None else steps.amounts
            total = per_sample(amounts).sum(2, dtype=torch.float64)
            add_at(self._room("total", length), steps.places, total)
        # A neuron's first event is the one with the most steps left.
        events, fired = per_sample(steps.events), self._fired[steps.samples]
        left = torch.arange(len(events), 0, -1, dtype=torch.float32, device=self._device)
        most = (events * left.reshape(-1, 1, 1)).amax(0).to(torch.int64)
        row = (len(events) - most).clamp(max=len(events) - 1)
        first = most.gt(0).to(torch.int64) * fired.eq(0)
        add_at(self._room("first_spikes", length), steps.places.T.gather(1, row), first)
        fired.logical_or_(most)

    def _add_block(self, core: Any, block: StepBlock, at: BlockPlaces) -> None:
        length = self._sequences.steps
        steps = [self._room(name, length).numpy() for name in _EACH_STEP]
        core.add_steps(block.sums, at.clock, at.lengths, *steps)
        if "total" in self._totals:
            sums = torch.from_numpy(block.sums).to(torch.float64)
            add_at(self._room("total", length), at.each(block.steps)[0], sums)
        first = self._room("first_spikes", length).numpy()
        core.add_first(block.words, self._fired.numpy(), first, at.clock)

    def _add_sums(self, sums: Tensor, places: Tensor, valid: Tensor) -> None:
        length = self._sequences.steps
        for name, found in zip(_EACH_STEP, (sums, sums * sums, valid), strict=True):
            add_at(self._room(name, length), places, found)

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
        return {"fired": self._fired.ne(0)}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        self._fired.copy_(state["fired"].reshape(self._fired.shape))

"""How much each neuron fires: events and total per neuron, and how often each was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neuroact.errors import MergeError
from neuroact.labels import Labels
from neuroact.statistics.class_activity import ClassActivityResult
from neuroact.statistics.event_counts import EventCounts
from neuroact.statistics.traced_counts import TracedCounts
from neuroact.stream import SignalKind, SpikeChunk

if TYPE_CHECKING:
    from neuroact.kernel.steps import Steps
    from neuroact.statistics.packed_steps import PackedBlock, PackedSteps


class SumOfValues:
    """The field `total` of figures that have `events`.

    Where values are 0 and 1 the sums are the numbers of events. Kept as None, they are then made
    anew whenever they are asked for: kept as numbers they would double what the figures take.
    """

    @overload
    def __get__(self, figures: None, owner: type) -> None: ...
    @overload
    def __get__(self, figures: Any, owner: type) -> NDArray[np.float64]: ...
    def __get__(self, figures: Any, owner: type) -> NDArray[np.float64] | None:
        if figures is None:
            return None  # the field's default
        total: NDArray[np.float64] | None = vars(figures)["total"]
        if total is None:
            total = figures.events.astype(np.float64)
            total.flags.writeable = False
        return total

    def __set__(self, figures: Any, total: NDArray[Any] | None) -> None:
        vars(figures)["total"] = total


@dataclass(frozen=True)
class FiringResult:
    """Counts of one layer, on the host.

    Attributes:
        events: non-zero values per neuron, int64 `[*neurons]`.
        total: sum of values per neuron, float64 `[*neurons]`; equals `events` where binary.
        observations: number of valid (time step, sample) pairs seen.
        sequences: number of samples' sequences begun.
        nonfinite: a NaN or an infinity was among the values.
        not_binary: the layer was declared binary, and a value other than 0 and 1 was found.
        by_class: the same by class of the samples; None where no labels were given.
    """

    events: NDArray[np.int64]
    observations: int
    sequences: int
    nonfinite: bool
    not_binary: bool
    total: SumOfValues = SumOfValues()
    by_class: ClassActivityResult | None = None

    def dead(self, rate: float = 0.0, *, count: int | None = None) -> NDArray[np.bool_]:
        """Which neurons hardly fire, bool `[*neurons]`; `.sum()` is their number.

        Args:
            rate: events per observation at or below which a neuron counts as dead; by default 0,
                those without a single event.
            count: the same by number of events, in place of `rate`.

        Returns:
            False everywhere where nothing was observed or the values cannot be trusted.

        Raises:
            ValueError: a rate outside [0, 1].
        """
        below = self.events <= count if count is not None else self._rates(rate) <= rate
        return below & self._trusted

    def saturated(self, rate: float = 1.0, *, count: int | None = None) -> NDArray[np.bool_]:
        """Which neurons fire nearly always, bool `[*neurons]`; `.sum()` is their number.

        Args:
            rate: events per observation at or above which a neuron counts as saturated; by
                default 1, those with an event at every observation.
            count: the same by number of events, in place of `rate`.

        Returns:
            False everywhere where nothing was observed or the values cannot be trusted.

        Raises:
            ValueError: a rate outside [0, 1].
        """
        above = self.events >= count if count is not None else self._rates(rate) >= rate
        return above & self._trusted

    @property
    def _trusted(self) -> bool:
        return self.observations > 0 and not (self.nonfinite or self.not_binary)

    def _rates(self, compared_with: float) -> NDArray[np.float64]:
        if not 0 <= compared_with <= 1:
            raise ValueError(
                f"expected rate= to lie in [0, 1], came {compared_with!r}; numbers of events go in "
                "count="
            )
        return np.asarray(self.events / max(1, self.observations))


class Firing:
    """Events and total per neuron, exactly, in O(neurons) and one window of `[batch, *neurons]`.

    Binary chunks are added into a float32 window, one operation a call, which is folded into int64
    counts when the batch size changes or after 2^24 steps, the last count float32 holds exactly.
    Graded and analog chunks are reduced at once: events in int64, total in float64. A float64 sum
    of float32 values is exact, whatever the order, while the largest sum is below 2^53 times the
    smallest step between the values; beyond, and for float64 values, its relative error is at
    most the number of values added times 2^-53.

    A binary layer's values are tested to be 0 or 1 in its first 4 calls, and in one of 64 to 320
    after; and each window's counts, on folding, to be whole numbers between 0 and the number of
    steps. What slips through: other values, outside the tested calls, whose sums over a window all
    look so. On a CPU each value is tested where the compiled kernel counts, and, with the extra
    `fast`, beside other statistics.

    With zero spikes events and total are zeros; before any chunk there is no result.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk
    >>> firing = Firing()
    >>> firing.update(SpikeChunk(torch.ones(5, 2, 3), SignalKind.BINARY, starts_sequence=True))
    >>> result = firing.result()
    >>> result.events.tolist(), result.observations, result.sequences
    ([10, 10, 10], 10, 2)
    """

    def __init__(self) -> None:
        self._counts: EventCounts | None = None
        self._traced = TracedCounts()
        self._labels: Labels | None = None
        self._packed: PackedSteps | None = None

    def label(self, labels: Labels | None) -> None:
        """Say of which class the samples are that come, until the next call; None for none."""
        self._stop_packing()
        self._labels = labels
        if self._counts is not None:
            self._tell_labels(self._counts)

    def _tell_labels(self, counts: EventCounts) -> None:
        labels = self._labels
        if labels is None:
            counts.label(None, 0)
        else:
            counts.label(labels.samples, labels.classes)

    def reset(self) -> None:
        """Forget everything counted, the neurons' shape included."""
        self._stop_packing()
        self._give_up_counts()
        self._traced.forget()

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk.

        Raises:
            ValueError: the chunk's neurons have another shape than those before.
        """
        if self._packed is not None:
            self._packed.settle()
        counts = self._counts
        if counts is None:
            counts = self._counts = EventCounts.zeros(chunk.neurons, chunk.values.device)
            self._tell_labels(counts)
        elif counts.events.shape != chunk.neurons:
            raise ValueError(
                f"expected neurons of shape {list(counts.events.shape)}, came {list(chunk.neurons)}"
            )
        elif counts.events.device != chunk.values.device:
            counts = self._counts = counts.moved_to(chunk.values.device)
        if self._packed is not None and self._packed.is_packing:
            counts.next_check = 0  # it came unpacked since its values are others, or may be
        counts.add(chunk)

    def advance(self, values: Tensor) -> None:
        """Count one more step of the open sequence, at the least cost; see `StepStatistic`."""
        counts = self._counts
        assert counts is not None
        counts.add_step(values)
        counts.advanced += 1

    def lend(self, steps: Steps, step: Tensor) -> bool:
        """Have the kernel count; see `neuroact.kernel.steps.Lender`."""
        return self._counts is not None and self._counts.lend(steps, step)

    def take_back(self) -> None:
        """Have the kernel count no more."""
        if self._counts is not None:
            self._counts.take_back()

    def share(self, steps: PackedSteps) -> None:
        """Be told of steps packed, with others; see `PackedStatistic`."""
        self._packed = steps

    def takes_packed(self) -> bool:
        """Whether the open sequences' next steps may come packed; see `PackedStatistic`."""
        return self._counts is not None and self._counts.takes_packed()

    def may_begin_packed(self, step: Tensor) -> bool:
        """Whether a sequence may begin packed; see `PackedStatistic`."""
        counts = self._counts
        if counts is None:
            return self._labels is None
        return counts.events.shape == step.shape[1:] and counts.takes_packed()

    def begin_packed(self, step: Tensor) -> None:
        """Begin a sequence whose steps come packed; see `PackedStatistic`."""
        if self._counts is None:
            self._counts = EventCounts.zeros(step.shape[1:], step.device)
        self._counts.begin(len(step))

    def count_packed(self, block: PackedBlock) -> None:
        """Count a block; see `PackedStatistic`."""
        assert self._counts is not None
        self._counts.add_packed(block)

    def is_traceable(self, kind: SignalKind) -> bool:
        """Whether compiled programs may count values of that kind; see `TraceableStatistic`."""
        return self._traced.are_ready(kind)

    def prepare_traced(self, chunk: SpikeChunk) -> None:
        """Make what compiled programs count with; see `TraceableStatistic`."""
        self._traced.make(chunk)

    def traced(self, values: Tensor, kind: SignalKind, starts: bool | Tensor) -> None:
        """Count a chunk inside a compiled program; see `TraceableStatistic`."""
        self._traced.add(values, kind, starts)

    @property
    def traced_counts(self) -> TracedCounts:
        """What `traced` counts with, for a program in which nothing else is recorded."""
        return self._traced

    def merge(self, other: Firing) -> None:
        """Add another's counts; exact, in any order.

        Raises:
            MergeError: the two were fed by layers of different neurons.
        """
        theirs = other._all_counts()
        if theirs is None:
            return
        if theirs.total is not None:
            self._stop_packing()  # what is packed counts for no total
        self._all_counts()
        if self._counts is None:
            self._counts = EventCounts.zeros(theirs.events.shape, theirs.events.device)
            self._tell_labels(self._counts)
        elif self._counts.events.shape != theirs.events.shape:
            raise MergeError(
                f"cannot add counts of neurons of shape {list(theirs.events.shape)} to counts "
                f"of neurons of shape {list(self._counts.events.shape)}"
            )
        self._counts.merge(theirs)

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as new tensors on the layer's device; empty before the first chunk.

        Keys: `events` int64 `[*neurons]`; `total` float64 `[*neurons]`, only where a chunk was not
        binary; `observations` and `sequences` int64 `[]`; `faults` bool `[2]`, nonfinite and not
        binary. After a mask `pending`, bool `[batch]`: open sequences without a valid step yet.
        With labels `class_events` int64 and `class_total` float64 `[classes, *neurons]`,
        `class_observations` int64 `[classes]`.
        """
        counts = self._all_counts()
        return {} if counts is None else counts.state()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over counts given by `state_dict`."""
        self._stop_packing()
        self._traced.forget()
        self._give_up_counts()
        self._counts = EventCounts.from_state(state) if state else None
        if self._counts is not None:
            self._tell_labels(self._counts)

    def _give_up_counts(self) -> None:
        self.take_back()
        self._counts = None

    def _stop_packing(self) -> None:
        if self._packed is not None:
            self._packed.close()

    def _all_counts(self) -> EventCounts | None:
        """The counts, with what compiled programs counted, and what is packed, added to them."""
        if self._packed is not None:
            self._packed.settle()
        traced = self._traced.take()
        if traced is not None:
            compiled = EventCounts.from_state(traced)
            if self._counts is None:
                self._counts = compiled
                self._tell_labels(compiled)
            else:
                self._counts.merge(compiled)
        return self._counts

    def result(self) -> FiringResult | None:
        """The counts so far, an open window included; None before the first chunk."""
        state = {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}
        if not state:
            return None
        return FiringResult(
            events=state["events"],
            total=state.get("total"),
            observations=int(state["observations"]),
            sequences=int(state["sequences"]),
            nonfinite=bool(state["faults"][0]),
            not_binary=bool(state["faults"][1]),
            by_class=_by_class(state),
        )


def _by_class(state: Mapping[str, NDArray[Any]]) -> ClassActivityResult | None:
    if "class_events" not in state:
        return None
    return ClassActivityResult(
        class_observations=state["class_observations"],
        class_events=state["class_events"],
        class_total=state["class_total"],
    )

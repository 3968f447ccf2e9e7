"""How much each neuron fires: its events, its total, and how often it was observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.card import Carded
from neuroact.errors import MergeError
from neuroact.statistics.counting.core_loops import CountsBlocks, loops
from neuroact.statistics.counting.event_counts import EventCounts
from neuroact.statistics.counting.open_sequences import OpenSequences
from neuroact.statistics.counting.parts import parts_of
from neuroact.statistics.counting.step_block import StepBlock, StepSums
from neuroact.stream.chunk import SignalKind, SpikeChunk


class SumOfValues:
    """The field `total` of a result that has `events`.

    If all values are 0 and 1, the sums equal the events. The field then stores None and computes
    them at each access, since storing them would double the memory of the result.
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


@dataclass(frozen=True, repr=False)
class FiringResult(Carded):
    """Counts of one layer, on the host.

    Attributes:
        events: non-zero values per neuron, int64 `[*neurons]`.
        total: sum of values per neuron, float64 `[*neurons]`; equals `events` if binary.
        observations: number of valid (time step, sample) pairs seen.
        sequences: number of samples' sequences that began.
        nonfinite: whether a value was NaN or infinite.
        not_binary: whether a finite value of a binary layer was neither 0 nor 1.
    """

    events: NDArray[np.int64]
    observations: int
    sequences: int
    nonfinite: bool
    not_binary: bool
    total: SumOfValues = SumOfValues()

    def dead(self, rate: float = 0.0, *, count: int | None = None) -> NDArray[np.bool_]:
        """Which neurons hardly fire, bool `[*neurons]`; `.sum()` is their number.

        Args:
            rate: a neuron with at most this many events per observation counts as dead. The
                default 0 means no event at all.
            count: used in place of `rate`: at most this many events.

        Returns:
            False for all neurons if nothing was observed or the values cannot be trusted.

        Raises:
            ValueError: a rate outside [0, 1].
        """
        below = self.events <= count if count is not None else self._rates(rate) <= rate
        return below & self._trusted

    def saturated(self, rate: float = 1.0, *, count: int | None = None) -> NDArray[np.bool_]:
        """Which neurons fire nearly always, bool `[*neurons]`; `.sum()` is their number.

        Args:
            rate: a neuron with at least this many events per observation counts as saturated. The
                default 1 means an event at every observation.
            count: used in place of `rate`: at least this many events.

        Returns:
            False for all neurons if nothing was observed or the values cannot be trusted.

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


class Firing(CountsBlocks):
    """Events and total per neuron, exactly, in O(neurons).

    Events are int64. A binary layer's total equals its events. A graded or analog layer's total is
    a float64 sum. For float32 values it is exact in any order, as long as the largest sum is below
    2^53 times the smallest step between the values. Beyond that, and for float64 values, its
    relative error is at most the number of values added times 2^-53.

    Every value of a binary layer is checked to be 0 or 1; every value of any layer to be finite.
    Any value that is not zero is an event, also if it fails the check.

    With zero spikes events and total are zeros. Before any chunk there is no result.

    Attributes:
        counts: the running tensors; None before the first chunk.
        open: the sequences that may still continue.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk
    >>> firing = Firing()
    >>> firing.update(SpikeChunk(torch.ones(5, 2, 3), SignalKind.BINARY, starts_sequence=True))
    >>> result = firing.result()
    >>> result.events.tolist(), result.observations, result.sequences
    ([10, 10, 10], 10, 2)
    """

    def __init__(self) -> None:
        self.counts: EventCounts | None = None
        self.open = OpenSequences()

    def __repr__(self) -> str:
        return "Firing()"

    def reset(self) -> None:
        """Forget everything counted, the neurons' shape included."""
        self.counts = None
        self.open.close()

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk.

        Raises:
            ValueError: the chunk's neurons have another shape than those before.
        """
        counts = self._admit(chunk.neurons, chunk.values.device)
        if chunk.kind is not SignalKind.BINARY:
            counts.make_total()
        for part in parts_of(chunk):
            counts.add(part, chunk.kind)
        lengths = None if chunk.valid is None else chunk.valid.sum(0)
        self._observe(counts, chunk.starts_sequence, chunk.steps, chunk.batch, lengths)

    def count(self, block: StepBlock) -> None:
        """Count a block of steps, as `update` would.

        Raises:
            ValueError: its neurons have another shape than those before.
        """
        events = np.zeros(block.words.shape[1], np.int64)
        core = loops()
        counts = self._admit(block.neurons, "cpu")
        core.add_events(block.words, events)
        lengths = None if block.lengths is None else torch.from_numpy(block.lengths)
        self._observe(counts, block.starts_sequence, block.steps, block.batch, lengths)
        self._add(counts, events, block)

    def add_sums(self, sums: StepSums) -> None:
        """Count steps of which only the sums are known, as `update` would.

        Raises:
            ValueError: their neurons have another shape than those before.
        """
        counts = self._admit(sums.neurons, "cpu")
        if self.open.starts(sums.starts_sequence, sums.batch):
            self.open.start(sums.batch)
        begun = self.open.step(sums.steps, None)
        counts.observed[0].add_(sums.steps * sums.batch)
        # `sums.sequences` includes those that the first step begins only if `starts_sequence`.
        counts.observed[1].add_(sums.sequences + (0 if sums.starts_sequence else begun))
        self._add(counts, sums.events, sums)

    def merge(self, other: Firing) -> None:
        """Add another's counts, exact in any order.

        Raises:
            MergeError: the two counted layers whose neurons have different shapes.
        """
        theirs = other.counts
        if theirs is None:
            return
        if self.counts is None:
            self.counts = EventCounts.zeros(theirs.events.shape, theirs.events.device)
        elif self.counts.events.shape != theirs.events.shape:
            raise MergeError(
                f"cannot add counts of neurons of shape {list(theirs.events.shape)} to counts "
                f"of neurons of shape {list(self.counts.events.shape)}"
            )
        self.counts.merge(theirs)

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as new tensors on the layer's device; empty before the first chunk.

        Keys: `events` int64 `[*neurons]`; `total` float64 `[*neurons]`, only if a chunk was not
        binary; `observations` and `sequences` int64 `[]`; `faults` bool `[2]`, nonfinite and not
        binary. While sequences are open also `pending`, bool `[batch]`: the sequences that have no
        valid step yet.
        """
        if self.counts is None:
            return {}
        state = self.counts.state()
        if self.open.batch is not None:
            state["pending"] = self.open.clocks(state["events"].device).eq(0)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the counts by those that `state_dict` returned."""
        self.reset()
        if state:
            self.counts = EventCounts.from_state(state)
        if "pending" in state:
            self.open.resume((~state["pending"]).to(torch.int64))

    def result(self) -> FiringResult | None:
        """The counts so far; None before the first chunk."""
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
        )

    def _admit(self, neurons: torch.Size, device: torch.device | str) -> EventCounts:
        """The counts, on that device, if these are their neurons."""
        counts, device = self.counts, torch.device(device)
        if counts is None:
            counts = self.counts = EventCounts.zeros(neurons, device)
        elif counts.events.shape != neurons:
            raise ValueError(
                f"expected neurons of shape {list(counts.events.shape)}, came {list(neurons)}"
            )
        elif counts.events.device != device:
            self.load_state_dict({name: t.to(device) for name, t in self.state_dict().items()})
            assert self.counts is not None
            counts = self.counts
        return counts

    def _observe(
        self, counts: EventCounts, starts: bool, steps: int, batch: int, lengths: Tensor | None
    ) -> None:
        if self.open.starts(starts, batch):
            self.open.start(batch)
        counts.observed[0].add_(steps * batch if lengths is None else lengths.sum())
        counts.observed[1].add_(self.open.step(steps, lengths))

    def _add(
        self, counts: EventCounts, events: NDArray[np.int64], found: StepBlock | StepSums
    ) -> None:
        counts.add_events(torch.from_numpy(events).reshape(found.neurons))
        if found.nonfinite or found.not_binary:
            counts.unreliable.logical_or_(torch.tensor([found.nonfinite, found.not_binary]))

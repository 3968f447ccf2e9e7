"""What the statistics that read a stream step by step have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.errors import MergeError, StatisticKindError
from neuroact.stream import SignalKind, SpikeChunk

if TYPE_CHECKING:
    from neuroact.statistics.packed_steps import PackedSteps

SPIKING = frozenset({SignalKind.BINARY, SignalKind.GRADED})
# float32 holds every integer up to here.
EXACT = 2**24


class StepwiseStatistic(ABC):
    """Reads one step after the other, knows where sequences start and what is padding.

    An event is a value that is not zero. A sample's sequence is its valid steps, in order: a
    padded step does not exist, whatever stands there, so that padding anywhere changes nothing.
    A chunk of another batch size than the one before starts a sequence, whatever it says, since
    its samples cannot be matched; so does the first chunk.

    What is counted is split in two. *Totals* are added up when statistics merge. What is *open*
    belongs to the sequences that may still go on: a report counts it as if they ended here;
    merging counts the merged one's so, and leaves one's own open.

    A subclass names its totals and says what a step, a padded step and an end do.
    """

    kinds: ClassVar[frozenset[SignalKind]] = SPIKING
    """The kinds of layers it applies to."""

    _growing: ClassVar[frozenset[str]] = frozenset()
    """Totals whose length grows with the data: they are added from the front, end in no zero."""

    def __init__(self) -> None:
        self._packed: PackedSteps | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything counted, the neurons' shape included."""
        if self._packed is not None:
            self._packed.close()
        self._shape: torch.Size | None = None
        self._device: torch.device | None = None
        self._totals: dict[str, Tensor] = {}
        self._batch: int | None = None  # None: no sequence is open
        self._steps = 0  # of the open sequence, padding included
        self._clock: Tensor | None = None  # int64 [batch]; None while no step was padding
        self._buffers: dict[str, Tensor] = {}

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk.

        Raises:
            StatisticKindError: the statistic does not apply to the chunk's kind.
            ValueError: the chunk's neurons have another shape than those before.
        """
        self._catch_up()
        values, valid = chunk.values, chunk.valid
        if values.device != self._device or chunk.neurons != self._shape:
            self._admit(chunk)
        if chunk.kind not in self.kinds:
            raise StatisticKindError(type(self).__name__, chunk.kind, self.kinds)
        if chunk.starts_sequence or chunk.batch != self._batch:
            self._end()
            self._start(values[0] if len(values) else values.sum(0))
        if values.dtype.itemsize == 1 and values.dtype.is_floating_point:
            values = values.to(torch.float32)  # float8 has no arithmetic
        amounts = None if chunk.kind is SignalKind.BINARY else values
        events = values if amounts is None else values.ne(0)
        if valid is None and self._clock is None:
            self._add(events, amounts)
        else:
            self._add_masked(events, amounts, valid)

    def advance(self, values: Tensor) -> None:
        """Count one more step of the open sequence: `update`, for the case that is nearly always.

        Args:
            values: `[batch, *neurons]`, 0 and 1, detached; of the batch, dtype and device of the
                chunk before, none of it padding.
        """
        if self._clock is not None:
            self._add_masked(values.unsqueeze(0), None, None)
        else:
            self._step(values, None)
            self._steps += 1

    def share(self, steps: PackedSteps) -> None:
        """Be told of steps packed, with others; see `PackedStatistic`."""
        self._packed = steps

    def takes_packed(self) -> bool:
        """Whether the open sequences' next steps may come packed; see `PackedStatistic`."""
        opened = self._batch is not None and self._clock is None
        return opened and self._is_packable() and self._is_plain()

    def may_begin_packed(self, step: Tensor) -> bool:
        """Whether a sequence may begin packed; see `PackedStatistic`."""
        same = self._shape == step.shape[1:] and self._device == step.device
        known = self._shape is None or same
        return known and SignalKind.BINARY in self.kinds and self._is_packable()

    def begin_packed(self, step: Tensor) -> None:
        """Begin a sequence whose steps come packed; see `PackedStatistic`."""
        if self._shape is None:
            self._prepare(step.shape[1:], step.device)
        self._end()
        self._start(step)

    def merge(self, other: Self) -> None:
        """Add another's counts, exact in any order; the other's open sequences count as ended.

        Raises:
            MergeError: the two were fed by layers of different neurons.
        """
        if other._shape is None:
            return
        self._catch_up()
        theirs = other._ended()._totals_so_far()
        if self._shape is None:
            self._prepare(other._shape, other._device)
        elif self._shape != other._shape:
            raise MergeError(
                f"cannot add counts of neurons of shape {list(other._shape)} to counts of "
                f"neurons of shape {list(self._shape)}"
            )
        for name, tensor in self._matched(theirs).items():
            self._add_total(name, tensor.to(self._device))

    def state_dict(self) -> dict[str, Tensor]:
        """What was counted, as new tensors on the layer's device; empty before the first chunk.

        Keys: the totals by name; `shape`, that of the neurons; and, while a sequence is open and
        what comes next depends on it, `open_clock`, each sample's steps so far, int64 `[batch]`,
        and what else is open.
        """
        self._catch_up()
        if self._shape is None:
            return {}
        state = {"shape": torch.tensor(self._shape, dtype=torch.int64, device=self._device)}
        state |= {name: tensor.clone() for name, tensor in self._totals_so_far().items()}
        opened = {} if self._batch is None else self._open_state()
        if opened:
            clock = self._clock
            if clock is None:
                clock = self._zeros(self._batch or 0).fill_(self._steps)
            state["open_clock"] = clock.clone()
            state |= {f"open_{name}": tensor.clone() for name, tensor in opened.items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over a state given by `state_dict`."""
        self.reset()
        if not state:
            return
        shape = torch.Size(state["shape"].tolist())
        self._prepare(shape, state["shape"].device)
        for name, tensor in state.items():
            if name != "shape" and not name.startswith("open_"):
                self._add_total(name, tensor)
        if "open_clock" in state:
            self._resume(state["open_clock"], state)

    # What a subclass says.

    @abstractmethod
    def _make_totals(self) -> dict[str, Tensor]:
        """The totals of nothing counted."""

    @abstractmethod
    def _begin(self, like: Tensor) -> None:
        """Open a sequence of `self._batch` samples.

        What is kept `[batch, *neurons]` takes the memory format of `like`: adding channels-last
        to contiguous would be slow.
        """

    @abstractmethod
    def _step(self, events: Tensor, amounts: Tensor | None) -> None:
        """Count a step, `[batch, *neurons]`: 0 or 1 each; the values, where they are others."""

    @abstractmethod
    def _masked_step(self, events: Tensor, amounts: Tensor | None, valid: Tensor) -> None:
        """As `_step`, of the samples that `valid`, bool `[batch]`, tells; all else is zero."""

    @abstractmethod
    def _close(self) -> None:
        """Add to the totals what the end of the open sequence adds."""

    @abstractmethod
    def _settle(self) -> None:
        """Bring the totals up to date with the steps seen, the open sequence staying open."""

    @abstractmethod
    def _open_state(self) -> dict[str, Tensor]:
        """What is open besides the clock, `[batch, *neurons]` each."""

    @abstractmethod
    def _restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `_open_state` gave, after `_begin`."""

    def _is_packable(self) -> bool:
        """Whether what is counted is such that a `count_packed` can add to it."""
        return True

    def _is_plain(self) -> bool:
        """Whether what is open is such that a `count_packed` can go on with it."""
        return True

    def _matched(self, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The totals to add, where one of two statistics may have some that the other has not."""
        return theirs

    # What it gets.

    def _catch_up(self) -> None:
        """Count what is packed."""
        if self._packed is not None:
            self._packed.settle()

    def _zeros(self, *size: int, dtype: torch.dtype = torch.int64) -> Tensor:
        # A tensor made in inference mode could not be updated after it.
        with torch.inference_mode(False):
            return torch.zeros(size, dtype=dtype, device=self._device)

    def _cleared(self, name: str, like: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Zeros shaped like that, for a sequence: those of the last one, where they fit."""
        kept = self._buffers.get(name)
        if kept is None or kept.device != like.device or kept.stride() != like.stride():
            kept = None
        if kept is not None and kept.shape == like.shape:
            return kept.zero_()
        with torch.inference_mode(False):
            self._buffers[name] = torch.zeros_like(like, dtype=dtype)
        return self._buffers[name]

    def _room(self, name: str, length: int) -> Tensor:
        """The growing total of that name, made long enough: twice as long where it is not."""
        tensor = self._totals[name]
        if len(tensor) < length:
            longer = self._zeros(max(length, 2 * len(tensor), 16), dtype=tensor.dtype)
            longer[: len(tensor)].copy_(tensor)
            self._totals[name] = tensor = longer
        return tensor

    def _seen(self) -> Tensor | None:
        """Bool `[batch]`: the samples that had a step; None where all had."""
        if self._clock is not None:
            return self._clock > 0
        return None if self._steps else self._zeros(self._batch or 0, dtype=torch.bool)

    def _on_host(self) -> dict[str, Any] | None:
        """The totals, open sequences counted as ended; None before the first chunk."""
        self._catch_up()
        if self._shape is None:
            return None
        return {name: t.cpu().numpy() for name, t in self._ended()._totals_so_far().items()}

    def _add(self, events: Tensor, amounts: Tensor | None) -> None:
        for number, step in enumerate(events):
            self._step(step, None if amounts is None else amounts[number])
            self._steps += 1

    def _add_masked(self, events: Tensor, amounts: Tensor | None, valid: Tensor | None) -> None:
        if self._clock is None:
            self._settle()
            self._clock = self._zeros(self._batch or 0).fill_(self._steps)
        if valid is None:
            valid = torch.ones(events.shape[:2], dtype=torch.bool, device=events.device)
        mask = valid.reshape(*valid.shape, *(1,) * (events.ndim - 2))
        # Several times faster than a condition; a NaN that is no padding is a fault of the layer's.
        events = (events * mask.to(torch.float32)).nan_to_num_(0.0)
        if amounts is not None:
            amounts = torch.where(mask, amounts, torch.zeros_like(amounts[:1]))
        for number, step in enumerate(events):
            self._masked_step(step, None if amounts is None else amounts[number], valid[number])
            self._clock.add_(valid[number])
            self._steps += 1

    def _prepare(self, shape: torch.Size | None, device: torch.device | None) -> None:
        self._shape, self._device = shape, device
        self._totals = self._make_totals()

    def _admit(self, chunk: SpikeChunk) -> None:
        device = chunk.values.device
        if self._shape is None:
            self._prepare(chunk.neurons, device)
        elif self._shape != chunk.neurons:
            raise ValueError(
                f"expected neurons of shape {list(self._shape)}, came {list(chunk.neurons)}"
            )
        else:
            self.load_state_dict({name: t.to(device) for name, t in self.state_dict().items()})

    def _start(self, like: Tensor) -> None:
        self._batch, self._steps = len(like), 0
        self._begin(like)

    def _end(self) -> None:
        if self._batch is not None:
            self._close()
        self._batch = self._clock = None

    def _ended(self) -> Self:
        """A copy whose sequences have ended."""
        copy = type(self)()
        copy.load_state_dict(self.state_dict())
        copy._end()
        return copy

    def _resume(self, clock: Tensor, state: Mapping[str, Tensor]) -> None:
        self._batch = len(clock)
        self._steps = int(clock.max()) if len(clock) else 0
        self._begin(self._zeros(self._batch, *(self._shape or ()), dtype=torch.float32))
        self._restore({name.removeprefix("open_"): tensor for name, tensor in state.items()})
        if bool((clock != self._steps).any()):
            self._clock = self._zeros(self._batch).copy_(clock)

    def _totals_so_far(self) -> dict[str, Tensor]:
        self._settle()
        return {
            name: without_trailing_zeros(tensor) if name in self._growing else tensor
            for name, tensor in self._totals.items()
        }

    def _add_total(self, name: str, tensor: Tensor) -> None:
        if name in self._growing:
            if name not in self._totals:
                self._totals[name] = self._zeros(0, dtype=tensor.dtype)
            self._room(name, len(tensor))[: len(tensor)].add_(tensor)
        else:
            self._totals[name].add_(tensor)


def rows_of(tensor: Tensor) -> NDArray[Any]:
    """A contiguous `[batch, *neurons]` as an array `[batch, neurons]` on the same memory."""
    array: NDArray[Any] = tensor.view(len(tensor), -1).numpy()
    return array


def whole(counts: Tensor, most: int) -> Tensor:
    """Counts kept as floats, as int64 in 0 to `most`: what a NaN left behind must not be an index.

    >>> import torch
    >>> from neuroact.statistics.stepwise import whole
    >>> whole(torch.tensor([0.0, 3.0, float("nan"), float("inf")]), 5)
    tensor([0, 3, 0, 5])
    """
    return counts.nan_to_num(0.0).clamp_(0, most).to(torch.int64)


def per_sample(values: Tensor) -> Tensor:
    """`[batch, *neurons]` as `[batch, neurons]`, whatever is empty."""
    return values.reshape(len(values), math.prod(values.shape[1:]))


def sums_of_samples(events: Tensor) -> Tensor:
    """Events of each sample at a step `[batch, *neurons]`, 0 or 1 each, int64 `[batch]`."""
    rows = per_sample(events)
    exact = torch.float32 if rows.shape[1] <= EXACT else torch.float64
    return whole(rows.sum(1, dtype=exact), rows.shape[1])


def count_into(histogram: Tensor, values: Tensor, weights: Tensor | None = None) -> None:
    """Count int64 values into the bins of their number; each once, or as often as weighed.

    No host sync: `bincount` would wait for the largest value.
    """
    flat = values.reshape(-1)
    if weights is None:
        weights = torch.ones(1, dtype=torch.int64, device=flat.device).expand(flat.shape)
    histogram.scatter_add_(0, flat, weights.reshape(-1))


def without_trailing_zeros(tensor: Tensor) -> Tensor:
    """The tensor up to its last number that is not zero."""
    found = tensor.nonzero()
    return tensor[: int(found[-1]) + 1 if len(found) else 0]


def padded(array: NDArray[Any], length: int) -> NDArray[Any]:
    """The array with zeros behind, up to `length`."""
    return np.concatenate([array, np.zeros(length - len(array), array.dtype)])

"""Counting events as they come: one operation a step, exact behind a float32 window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuroact.statistics.class_activity import ClassCounts
from neuroact.statistics.native import count_steps, is_small
from neuroact.stream import SignalKind, SpikeChunk

if TYPE_CHECKING:
    from neuroact.kernel.steps import Steps
    from neuroact.statistics.packed_steps import PackedBlock

# float32 holds every integer up to here, so a window of 0/1 values is exact up to so many events.
WINDOW_EVENTS = 2**24
# Up to so many values a step, adding into a window of the step's own shape is one cheap operation,
# and keeps the samples apart; beyond, its memory and traffic weigh more than a sum over the batch.
LARGEST_WINDOW = 2**20
# Steps at most that `advance` is told of between two updates, which see how full the window is.
MOST_ADVANCES = 255
# Updates of a binary layer whose values are looked at one by one: the first ones, then one after
# so many steps at least. The test costs as much as the counting, so it cannot run on each.
CHECKED_FIRST, CHECKED_EVERY = 4, 64


def _no_window(values: Tensor) -> None:
    raise RuntimeError("expected an update before the first advance; see StepStatistic")


@dataclass(slots=True)
class EventCounts:
    """The running tensors of one layer: what `Firing` counts with.

    They are made outside inference mode, since a tensor made inside could not be updated after
    it, and are only ever updated in place.
    """

    events: Tensor  # int64 [*neurons], without the open window
    faults: Tensor  # bool [2]: nonfinite, not binary
    on_device: Tensor  # int64 [2]: observations and sequences that only the device knows
    total: Tensor | None = None  # float64 [*neurons], without the window; None while all is binary
    window: Tensor | None = None  # float32 [1, batch or 1, *neurons]
    window_steps: int = 0  # most events that one entry of the window can hold by now
    observations: int = 0
    sequences: int = 0
    updates: int = 0
    next_check: int = CHECKED_FIRST
    advanced: int = 0  # steps that `advance` added and nothing else counts yet
    lent: Steps | None = None  # adds into the window, and knows how often
    batch: int = 0
    # Adds one step `[batch, *neurons]` just like the last chunk's; `advanced` counts its calls.
    add_step: Callable[[Tensor], object] = _no_window
    pending: Tensor | None = None  # bool [batch]: sequences of which no valid step has come yet
    classes: ClassCounts | None = None
    class_steps: int = 0  # of the window, each an observation of every labelled sample

    @classmethod
    def zeros(cls, neurons: torch.Size, device: torch.device) -> EventCounts:
        """Nothing counted yet, for neurons of this shape."""
        with torch.inference_mode(False):
            return cls(
                events=torch.zeros(neurons, dtype=torch.int64, device=device),
                faults=torch.zeros(2, dtype=torch.bool, device=device),
                on_device=torch.zeros(2, dtype=torch.int64, device=device),
            )

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> EventCounts:
        """Take up the counting where `state` left it."""
        with torch.inference_mode(False):
            return cls(
                events=state["events"].clone(),
                faults=state["faults"].clone(),
                on_device=torch.stack([state["observations"], state["sequences"]]),
                total=state["total"].clone() if "total" in state else None,
                pending=state["pending"].clone() if "pending" in state else None,
                classes=ClassCounts.from_state(state) if "class_events" in state else None,
            )

    def moved_to(self, device: torch.device) -> EventCounts:
        """The same counts on another device."""
        self.take_back()
        moved = self.from_state({name: tensor.to(device) for name, tensor in self.state().items()})
        moved.updates, moved.next_check = self.updates, self.next_check
        if self.classes is not None and self.classes.labels is not None:
            moved.label(self.classes.labels, 0)
        return moved

    def label(self, labels: Tensor | None, classes: int) -> None:
        """Say of which class the samples are that come, int64 `[batch]`; None for none."""
        self._settle()
        self._close_window()
        if labels is not None:
            if self.classes is None:
                self.classes = ClassCounts.zeros(self.events.shape, self.events.device)
            self.classes.expect(labels, classes)
        elif self.classes is not None:
            self.classes.labels = None

    def state(self) -> dict[str, Tensor]:
        """What was counted, the open window included, as tensors of its own."""
        self._settle()
        events, faults = self.events.clone(), self.faults.clone()
        total = None if self.total is None else self.total.clone()
        self._fold_into(events, faults, total)
        state = {
            "events": events,
            "observations": self.on_device[0] + self.observations,
            "sequences": self.on_device[1] + self.sequences,
            "faults": faults,
        }
        if total is not None:
            # A NaN or an infinity stays in a sum, so one look at the end finds it.
            faults[0].logical_or_(~total.isfinite().all())
            state["total"] = total
        if self.pending is not None:
            state["pending"] = self.pending.clone()
        by_class = self._all_by_class()
        return state if by_class is None else state | by_class.state()

    def merge(self, other: EventCounts) -> None:
        """Add another's counts, its open window included; `other` stays unchanged."""
        other._settle()
        if other.total is not None and self.total is None:
            self._make_total()
        other_total = other.events if other.total is None else other.total
        self.events.add_(other.events.to(self.events.device))
        if self.total is not None:
            self.total.add_(other_total.to(self.events.device))
        self.faults.logical_or_(other.faults.to(self.events.device))
        self.on_device.add_(other.on_device.to(self.events.device))
        self.observations += other.observations
        self.sequences += other.sequences
        if other.window is not None:
            if other.events.device == self.events.device:
                other._fold_into(self.events, self.faults, self.total)
            else:
                self._merge_window(other)
        by_class = other._all_by_class()
        if by_class is not None:
            if self.classes is None:
                self.classes = ClassCounts.zeros(self.events.shape, self.events.device)
            self.classes.merge(by_class)

    def add(self, chunk: SpikeChunk) -> None:
        """Count a chunk whose neurons and device are those of the counts."""
        values, steps, batch = chunk.values, chunk.steps, chunk.batch
        self._settle()
        count_steps(steps)
        if chunk.valid is None:
            self.observations += steps * batch
        else:
            self.on_device[0].add_(chunk.valid.sum())
            values = without_padding(values, chunk.valid)
        self._count_sequences(chunk)
        if values.dtype.itemsize == 1 and values.dtype.is_floating_point:
            values = values.to(torch.float32)  # float8 has no arithmetic
        if chunk.kind is not SignalKind.BINARY:
            self._add_graded(values, chunk.valid)
        elif steps * batch <= WINDOW_EVENTS:
            self._add_binary(values, steps, batch)
        else:
            for part in torch.split(values, max(1, WINDOW_EVENTS // max(1, batch))):
                self._add_binary(part, part.shape[0], batch)
        if chunk.kind is SignalKind.BINARY and self._labelled:
            self._see_class_steps(steps, chunk.valid)

    def lend(self, steps: Steps, step: Tensor) -> bool:
        """Have the kernel add the next steps like this to the window, if it is such that it can."""
        self._settle()
        most = MOST_ADVANCES * self._rows_share()
        if self.window is None or not is_small(step) or most > WINDOW_EVENTS:
            return False
        if self.window_steps + most > WINDOW_EVENTS:
            self._open_window(step.unsqueeze(0), self.window.shape[1], self.batch)
        window = self.window[0]
        # Inside of a mode there is no plain one.
        if not all(type(t) is Tensor and t.is_contiguous() for t in (window, step)):
            return False
        if step.dtype is not torch.float32:
            return False
        steps.add_into(window, step)
        self.lent = steps
        return True

    def take_back(self) -> None:
        """Have the kernel add no more; these counts may be given up."""
        self._settle()
        if self.lent is not None:
            self.lent.give_back()
            self.lent = None

    def takes_packed(self) -> bool:
        """Whether `add_packed` may count the next steps of the last chunk's samples."""
        return self.total is None and not self._labelled and self.events.device.type == "cpu"

    def begin(self, batch: int) -> None:
        """So many samples' sequences begin with what comes next, none of it padding."""
        self._settle()
        if batch != self.batch:
            self._close_window()
        self.batch, self.pending = batch, None
        self.sequences += batch

    def add_packed(self, block: PackedBlock) -> None:
        """Count a block of steps like the last chunk's, none of them padding."""
        events = self.events.view(-1).numpy()
        for plane in block.words:
            block.loops.add_events(plane, events)
        self.observations += block.steps * block.batch
        self.updates += block.steps
        self._begin_pending()

    def __reduce_ex__(self, protocol: Any) -> Any:
        # A copy is of the figures; the kernel can be no part of it.
        self.take_back()
        return object.__reduce_ex__(self, protocol)

    @property
    def _labelled(self) -> bool:
        return self.classes is not None and self.classes.labels is not None

    def _count_sequences(self, chunk: SpikeChunk) -> None:
        """A sequence begins with its sample's first valid step."""
        valid = chunk.valid
        if chunk.starts_sequence:
            self.pending = None
            if valid is None and chunk.steps:
                self.sequences += chunk.batch
                return
            self.pending = chunk.values.new_ones(chunk.batch, dtype=torch.bool)
        elif self.pending is not None and self.pending.shape[0] != chunk.batch:
            self.pending = None  # these are other samples: what was to begin did not
        if self.pending is None or not chunk.steps:
            return
        begun = self.pending if valid is None else self.pending & valid.any(0)
        self.on_device[1].add_(begun.sum())
        self.pending = None if valid is None else self.pending & ~begun

    def _settle(self) -> None:
        """Count what `advance` and the kernel left uncounted."""
        if self.lent is not None:
            steps, odd = self.lent.take()
            self.advanced += steps
            if odd:
                self.faults[1] = True
        if self.advanced:
            self.observations += self.advanced * self.batch
            self.window_steps += self.advanced * self._rows_share()
            self.updates += self.advanced
            self.class_steps += self.advanced if self._labelled else 0
            count_steps(self.advanced)
            self._begin_pending()
            self.advanced = 0

    def _begin_pending(self) -> None:
        """Steps came, and none of them was padding: what was to begin has begun."""
        if self.pending is not None:
            self.on_device[1].add_(self.pending.sum())
            self.pending = None

    def _rows_share(self) -> int:
        """How many samples' events one entry of the window takes in a step."""
        return 1 if self.window is None or self.window.shape[1] == self.batch else self.batch

    def _add_binary(self, values: Tensor, steps: int, batch: int) -> None:
        apart = batch == 1 or values[:1].numel() <= LARGEST_WINDOW or self._labelled
        rows = batch if apart else 1
        most = steps if apart else steps * batch
        window = self.window
        if (
            window is None
            or window.shape[1] != rows
            or self.batch != batch
            or self.window_steps + most + MOST_ADVANCES > WINDOW_EVENTS
        ):
            window = self._open_window(values, rows, batch)
        if apart:
            # In place and type-promoting: float16 and bool are widened as they are added.
            window.add_(values if steps == 1 else values.sum(0, keepdim=True, dtype=torch.float32))
        else:
            window.add_(values.sum((0, 1), keepdim=True, dtype=torch.float32))
        self.window_steps += most
        if self.updates < CHECKED_FIRST or self.updates >= self.next_check:
            self.next_check = self.updates + CHECKED_EVERY
            self.faults[1].logical_or_((values.ne(0) & values.ne(1)).any())
        self.updates += 1

    def _add_graded(self, values: Tensor, valid: Tensor | None) -> None:
        if self.total is None:
            self._make_total()
        assert self.total is not None
        if self.classes is not None and self.classes.labels is not None:
            seen = len(values) if valid is None else valid.sum(0)
            total = values.sum(0, dtype=torch.float64)
            self.classes.add(values.ne(0).sum(0), total, seen)
        self.events.add_(values.ne(0).sum((0, 1)))
        self.total.add_(values.sum((0, 1), dtype=torch.float64))

    def _make_total(self) -> None:
        with torch.inference_mode(False):
            self.total = self.events.to(torch.float64)

    def _open_window(self, values: Tensor, rows: int, batch: int) -> Tensor:
        self._close_window()
        with torch.inference_mode(False):
            # The values' own memory format: adding channels-last to contiguous would be slow.
            like = values[:1, :rows]
            shape = (1, *like.shape[1:])
            if like.shape != shape:  # a chunk of no steps
                like = like.new_zeros(shape)
            self.window = torch.zeros_like(like, dtype=torch.float32)
        self.window_steps, self.batch = 0, batch
        # Looked up once: at each step it would cost as much as adding to a small layer.
        self.add_step = self.window[0].add_ if rows == batch else self._add_sum
        return self.window

    def _add_sum(self, values: Tensor) -> None:
        assert self.window is not None
        if self.window_steps + (self.advanced + 1) * self.batch > WINDOW_EVENTS:
            self._settle()
            self._open_window(values.unsqueeze(0), 1, self.batch)
        self.window.add_(values.sum(0, keepdim=True, dtype=torch.float32))

    def _close_window(self) -> None:
        self._fold_into(self.events, self.faults, self.total)
        if self._labelled and self.classes is not None:
            self._fold_by_class(self.classes)
        self.take_back()
        self.window, self.add_step, self.window_steps, self.class_steps = None, _no_window, 0, 0

    def _see_class_steps(self, steps: int, valid: Tensor | None) -> None:
        if valid is None:
            self.class_steps += steps
        elif self.classes is not None and self.classes.labels is not None:
            self.classes.observations.index_add_(0, self.classes.labels, valid.sum(0))

    def _all_by_class(self) -> ClassCounts | None:
        """What was counted by class, the open window included, apart from what goes on."""
        if self.classes is None:
            return None
        counts = ClassCounts.from_state(self.classes.state())
        counts.labels = self.classes.labels
        self._settle()
        if counts.labels is not None:
            self._fold_by_class(counts)
        return counts

    def _fold_by_class(self, classes: ClassCounts) -> None:
        if self.window is not None:
            counts = self._whole_window()[0].to(torch.int64)
            classes.add(counts, counts.to(torch.float64), self.class_steps)

    def _whole_window(self) -> Tensor:
        """The window's counts, as far as they are some."""
        assert self.window is not None
        finite = self.window.isfinite()
        return self.window.where(finite, 0.0).round().clamp(0, self.window_steps)

    def _fold_into(self, events: Tensor, faults: Tensor, total: Tensor | None) -> None:
        """Add the open window's counts, and what is wrong with them; the window stays."""
        if self.window is None:
            return
        self._settle()
        finite = self.window.isfinite()
        whole = self._whole_window()
        faults[0].logical_or_(~finite.all())
        faults[1].logical_or_((finite & (whole != self.window)).any())
        counts = whole.sum((0, 1), dtype=torch.int64)
        events.add_(counts)
        if total is not None:
            total.add_(counts)

    def _merge_window(self, other: EventCounts) -> None:
        """Add the open window of counts on another device."""
        events, faults = torch.zeros_like(other.events), torch.zeros_like(other.faults)
        other._fold_into(events, faults, None)
        self.events.add_(events.to(self.events.device))
        self.faults.logical_or_(faults.to(self.events.device))
        if self.total is not None:
            self.total.add_(events.to(self.events.device))


def without_padding(values: Tensor, valid: Tensor) -> Tensor:
    """The values with zeros where a step is padding, whatever stood there, NaN too."""
    mask = valid.reshape(*valid.shape, *(1,) * (values.ndim - 2))
    return torch.where(mask, values, torch.zeros((), dtype=values.dtype, device=values.device))

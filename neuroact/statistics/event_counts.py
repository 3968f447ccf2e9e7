"""Counting events as they come: one operation a step, exact behind a float32 window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neuroact.stream import SignalKind, SpikeChunk

# float32 holds every integer up to here, so a window of 0/1 values is exact up to so many steps.
WINDOW_STEPS = 2**24
# Calls of a binary layer whose values are looked at one by one: the first ones, then one in so
# many. The test costs as much as the counting, so it cannot run on each.
CHECKED_FIRST, CHECKED_EVERY = 4, 64


@dataclass(slots=True)
class EventCounts:
    """The running tensors of one layer: what `Firing` counts with.

    They are made outside inference mode, since a tensor made inside could not be updated after
    it, and are only ever updated in place.
    """

    events: Tensor  # int64 [*neurons], without the open window
    faults: Tensor  # bool [2]: nonfinite, not binary
    masked: Tensor  # int64 []: observations under a mask, counted on the device
    total: Tensor | None = None  # float64 [*neurons], without the window; None while all is binary
    window: Tensor | None = None  # float32 [1, batch, *neurons]
    window_steps: int = 0
    observations: int = 0
    sequences: int = 0
    binary_calls: int = 0

    @classmethod
    def zeros(cls, neurons: torch.Size, device: torch.device) -> EventCounts:
        """Nothing counted yet, for neurons of this shape."""
        with torch.inference_mode(False):
            return cls(
                events=torch.zeros(neurons, dtype=torch.int64, device=device),
                faults=torch.zeros(2, dtype=torch.bool, device=device),
                masked=torch.zeros((), dtype=torch.int64, device=device),
            )

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> EventCounts:
        """Take up the counting where `state` left it."""
        with torch.inference_mode(False):
            return cls(
                events=state["events"].clone(),
                faults=state["faults"].clone(),
                masked=torch.zeros_like(state["observations"]),
                total=state["total"].clone() if "total" in state else None,
                observations=int(state["observations"]),
                sequences=int(state["sequences"]),
            )

    def moved_to(self, device: torch.device) -> EventCounts:
        """The same counts on another device."""
        moved = self.from_state({name: tensor.to(device) for name, tensor in self.state().items()})
        moved.binary_calls = self.binary_calls
        return moved

    def state(self) -> dict[str, Tensor]:
        """What was counted, the open window included, as tensors of its own."""
        events, faults = self.events.clone(), self.faults.clone()
        total = None if self.total is None else self.total.clone()
        self._fold_into(events, faults, total)
        state = {
            "events": events,
            "observations": self.masked + self.observations,
            "sequences": torch.full_like(self.masked, self.sequences),
            "faults": faults,
        }
        if total is not None:
            # A NaN or an infinity stays in a sum, so one look at the end finds it.
            faults[0].logical_or_(~total.isfinite().all())
            state["total"] = total
        return state

    def add(self, chunk: SpikeChunk) -> None:
        """Count a chunk whose neurons and device are those of the counts."""
        values, steps, batch = chunk.values, chunk.steps, chunk.batch
        if chunk.valid is None:
            self.observations += steps * batch
        else:
            self.masked.add_(chunk.valid.sum())
            values = _without_padding(values, chunk.valid)
        if chunk.starts_sequence:
            self.sequences += batch
        if values.dtype.itemsize == 1 and values.dtype.is_floating_point:
            values = values.to(torch.float32)  # float8 has no arithmetic
        if chunk.kind is not SignalKind.BINARY:
            self._add_graded(values)
        elif 0 < steps <= WINDOW_STEPS:
            self._add_binary(values, steps, batch)
        elif steps:
            for part in torch.split(values, WINDOW_STEPS):
                self._add_binary(part, part.shape[0], batch)

    def _add_binary(self, values: Tensor, steps: int, batch: int) -> None:
        window = self.window
        full = self.window_steps + steps > WINDOW_STEPS
        if window is None or full or window.shape[1] != batch:
            window = self._open_window(values)
        # In place and type-promoting: float16 and bool are widened as they are added.
        window.add_(values if steps == 1 else values.sum(0, keepdim=True, dtype=torch.float32))
        self.window_steps += steps
        if self.binary_calls < CHECKED_FIRST or self.binary_calls % CHECKED_EVERY == 0:
            self.faults[1].logical_or_((values.ne(0) & values.ne(1)).any())
        self.binary_calls += 1

    def _add_graded(self, values: Tensor) -> None:
        if self.total is None:
            with torch.inference_mode(False):
                self.total = self.events.to(torch.float64)
        self.events.add_(values.ne(0).sum((0, 1)))
        self.total.add_(values.sum((0, 1), dtype=torch.float64))

    def _open_window(self, values: Tensor) -> Tensor:
        self._fold_into(self.events, self.faults, self.total)
        with torch.inference_mode(False):
            # The values' own memory format: adding channels-last to contiguous would be slow.
            self.window = torch.zeros_like(values[:1], dtype=torch.float32)
        self.window_steps = 0
        return self.window

    def _fold_into(self, events: Tensor, faults: Tensor, total: Tensor | None) -> None:
        """Add the open window's counts, and what is wrong with them; the window stays."""
        if self.window is None:
            return
        finite = self.window.isfinite()
        whole = self.window.where(finite, 0.0).round().clamp(0, self.window_steps)
        faults[0].logical_or_(~finite.all())
        faults[1].logical_or_((finite & (whole != self.window)).any())
        counts = whole.sum((0, 1), dtype=torch.int64)
        events.add_(counts)
        if total is not None:
            total.add_(counts)


def _without_padding(values: Tensor, valid: Tensor) -> Tensor:
    """The values with zeros where a step is padding, whatever stood there, NaN too."""
    mask = valid.reshape(*valid.shape, *(1,) * (values.ndim - 2))
    return torch.where(mask, values, torch.zeros((), dtype=values.dtype, device=values.device))

"""How much each neuron fires: events and total per neuron, and how often each was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.errors import MergeError
from neuroact.stream import SignalKind, SpikeChunk

# float32 holds every integer up to here, so a window of 0/1 values is exact up to so many steps.
WINDOW_STEPS = 2**24
# Calls of a binary layer whose values are looked at one by one: the first ones, then one in so
# many. The test costs as much as the counting, so it cannot run on each.
CHECKED_FIRST, CHECKED_EVERY = 4, 64


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
    """

    events: NDArray[np.int64]
    total: NDArray[np.float64]
    observations: int
    sequences: int
    nonfinite: bool
    not_binary: bool


class Firing:
    """Events and total per neuron, exactly, in O(neurons) and one window of `[batch, *neurons]`.

    Binary chunks are added into a float32 window, one operation a call, which is folded into int64
    counts when the batch size changes or after 2^24 steps, the last count float32 holds exactly.
    Graded and analog chunks are reduced at once: events in int64, total in float64. A float64 sum
    of float32 values is exact, whatever the order, while the largest sum is below 2^53 times the
    smallest step between the values; beyond, and for float64 values, its relative error is at
    most the number of values added times 2^-53.

    A binary layer's values are tested to be 0 or 1 in its first 4 calls and every 64th after; and
    each window's counts, on folding, to be whole numbers between 0 and the number of steps. What
    slips through: other values, outside the tested calls, whose sums over a window all look so.

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
        self._counts: _Counts | None = None

    def reset(self) -> None:
        """Forget everything counted, the neurons' shape included."""
        self._counts = None

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk.

        Raises:
            ValueError: the chunk's neurons have another shape than those before.
        """
        counts = self._counts
        if counts is None:
            counts = self._counts = _Counts.zeros(chunk.neurons, chunk.values.device)
        elif counts.events.shape != chunk.neurons:
            raise ValueError(
                f"expected neurons of shape {list(counts.events.shape)}, came {list(chunk.neurons)}"
            )
        elif counts.events.device != chunk.values.device:
            counts = self._counts = counts.moved_to(chunk.values.device)
        counts.add(chunk)

    def merge(self, other: Firing) -> None:
        """Add another's counts; exact, in any order.

        Raises:
            MergeError: the two were fed by layers of different neurons.
        """
        theirs, ours = other.state_dict(), self.state_dict()
        if theirs and ours and theirs["events"].shape != ours["events"].shape:
            raise MergeError(
                f"cannot add counts of neurons of shape {list(theirs['events'].shape)} to counts "
                f"of neurons of shape {list(ours['events'].shape)}"
            )
        self.load_state_dict(_added(ours, theirs) if theirs and ours else theirs or ours)

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as new tensors on the layer's device; empty before the first chunk.

        Keys: `events` int64 `[*neurons]`; `total` float64 `[*neurons]`, only where a chunk was not
        binary; `observations` and `sequences` int64 `[]`; `faults` bool `[2]`, nonfinite and not
        binary.
        """
        return {} if self._counts is None else self._counts.state()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over counts given by `state_dict`."""
        self._counts = _Counts.from_state(state) if state else None

    def result(self) -> FiringResult | None:
        """The counts so far, an open window included; None before the first chunk."""
        state = {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}
        if not state:
            return None
        return FiringResult(
            events=state["events"],
            total=state.get("total", state["events"].astype(np.float64)),
            observations=int(state["observations"]),
            sequences=int(state["sequences"]),
            nonfinite=bool(state["faults"][0]),
            not_binary=bool(state["faults"][1]),
        )


@dataclass(slots=True)
class _Counts:
    """The running tensors of one layer.

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
    def zeros(cls, neurons: torch.Size, device: torch.device) -> _Counts:
        with torch.inference_mode(False):
            return cls(
                events=torch.zeros(neurons, dtype=torch.int64, device=device),
                faults=torch.zeros(2, dtype=torch.bool, device=device),
                masked=torch.zeros((), dtype=torch.int64, device=device),
            )

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> _Counts:
        with torch.inference_mode(False):
            return cls(
                events=state["events"].clone(),
                faults=state["faults"].clone(),
                masked=torch.zeros_like(state["observations"]),
                total=state["total"].clone() if "total" in state else None,
                observations=int(state["observations"]),
                sequences=int(state["sequences"]),
            )

    def moved_to(self, device: torch.device) -> _Counts:
        moved = self.from_state({name: tensor.to(device) for name, tensor in self.state().items()})
        moved.binary_calls = self.binary_calls
        return moved

    def state(self) -> dict[str, Tensor]:
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


def _added(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sum of two states; where only one has a total, the other's is its events."""
    device = ours["events"].device
    theirs = {name: tensor.to(device) for name, tensor in theirs.items()}
    added = {n: ours[n] + theirs[n] for n in ("events", "observations", "sequences")}
    added["faults"] = ours["faults"] | theirs["faults"]
    if "total" in ours or "total" in theirs:
        totals = (state.get("total", state["events"]) for state in (ours, theirs))
        added["total"] = torch.stack([total.to(torch.float64) for total in totals]).sum(0)
    return added

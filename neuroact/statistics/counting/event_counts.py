"""The exact running sums of a layer's neurons, and whether its values can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neuroact.statistics.counting.parts import Part, differs
from neuroact.stream.chunk import SignalKind


@dataclass(slots=True)
class EventCounts:
    """The tensors that `Firing` counts with.

    They are made outside inference mode, since a tensor made inside could not be updated outside.
    They are always updated in place, since a program of `torch.compile`, or a CUDA graph, adds to
    these same tensors.

    Attributes:
        events: values that are not zero, int64 `[*neurons]`.
        observed: int64 `[2]`: valid (time step, sample) pairs; samples' sequences that began.
        unreliable: bool `[2]`, why the sums cannot be trusted: a NaN or an infinity was among the
            values; a finite value other than 0 and 1 was among those of a binary layer.
        total: sums of values, float64 `[*neurons]`; None while all chunks are binary, since the
            sums then equal the events.
    """

    events: Tensor
    observed: Tensor
    unreliable: Tensor
    total: Tensor | None = None

    @classmethod
    def zeros(cls, neurons: torch.Size, device: torch.device | str) -> EventCounts:
        """Counts of zero, for neurons of this shape."""
        with torch.inference_mode(False):
            return cls(
                torch.zeros(neurons, dtype=torch.int64, device=device),
                torch.zeros(2, dtype=torch.int64, device=device),
                torch.zeros(2, dtype=torch.bool, device=device),
            )

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> EventCounts:
        """Counts from what `state` returned."""
        with torch.inference_mode(False):
            return cls(
                state["events"].clone(),
                torch.stack([state["observations"], state["sequences"]]),
                state["faults"].clone(),
                state["total"].clone() if "total" in state else None,
            )

    def state(self) -> dict[str, Tensor]:
        """The counts, as new tensors."""
        observations, sequences = self.observed.clone().unbind()
        state = {
            "events": self.events.clone(),
            "observations": observations,
            "sequences": sequences,
            "faults": self.unreliable.clone(),
        }
        if self.total is not None:
            # A NaN or an infinity stays in a sum, so checking the sum is enough.
            state["faults"][0].logical_or_(~self.total.isfinite().all())
            state["total"] = self.total.clone()
        return state

    def zero(self) -> None:
        """Set all counts to zero, in place."""
        for tensor in (self.events, self.observed, self.unreliable, self.total):
            if tensor is not None:
                tensor.zero_()

    def merge(self, other: EventCounts) -> None:
        """Add another's counts. `other` is not changed."""
        device = self.events.device
        if other.total is not None:
            self.make_total()
        self.events.add_(other.events.to(device))
        self.observed.add_(other.observed.to(device))
        self.unreliable.logical_or_(other.unreliable.to(device))
        if self.total is not None:
            theirs = other.events if other.total is None else other.total
            self.total.add_(theirs.to(device))

    def make_total(self) -> None:
        """Begin a total, for values that are not binary."""
        if self.total is None:
            with torch.inference_mode(False):
                self.total = self.events.to(torch.float64)

    def add(self, part: Part, kind: SignalKind) -> None:
        """Count values. Each value of a binary layer is checked, since a sum could hide one."""
        values = part.values
        active = differs(values, 0)
        events = active.sum((0, 1), dtype=torch.float32).to(torch.int64)
        if kind is SignalKind.BINARY:
            self.add_events(events)
            if values.numel():
                self.unreliable.logical_or_(_unreliable(values, active))
        else:
            assert self.total is not None
            self.events.add_(events)
            self.total.add_(values.sum((0, 1), dtype=torch.float64))

    def add_events(self, events: Tensor) -> None:
        """Add to a binary layer's events, int64 `[*neurons]`."""
        self.events.add_(events)
        if self.total is not None:
            self.total.add_(events)


def _unreliable(values: Tensor, active: Tensor) -> Tensor:
    """Whether a value is not finite, and whether a finite one is neither 0 nor 1, bool `[2]`.

    Args:
        values: `[...]`, at least one.
        active: 1 where a value is not 0, else 0.
    """
    not_binary = differs(values, active)
    endless = differs(values - values, 0)  # NaN or infinity minus itself is NaN
    # Stacked as bools, since autocast may change the dtype of stacked numbers.
    return torch.stack([endless.amax().ne(0), (not_binary - endless).amax().ne(0)])

"""Counting events inside a program of `torch.compile`: tensor operations, which fuse with it."""

from __future__ import annotations

import torch
from torch import Tensor

from neuroact.operators import define
from neuroact.stream import SignalKind


class TracedCounts:
    """What the compiled calls of one layer counted since it was last taken.

    Only its attributes are set while tracing, and only to tensors: all that the compiler follows
    for certain. A program is made for the first call, which makes them, and one for the others.
    """

    __slots__ = ("events", "observed", "odd", "total")

    def __init__(self) -> None:
        self.events: Tensor | None = None  # int64 [*neurons]
        self.observed: Tensor | None = None  # int64 [2]: observations and sequences
        self.odd: Tensor | None = None  # bool []: a value that is not what its kind promises
        self.total: Tensor | None = None  # float64 [*neurons]; None while all is binary

    def add(self, values: Tensor, kind: SignalKind, starts: bool | Tensor) -> None:
        """Count `[time, batch, *neurons]`; see `TraceableStatistic.traced`."""
        events, observed, odd = self._counters(values)
        binary = kind is SignalKind.BINARY
        if not binary and self.total is None:
            self.total = new_total(events)
        active = values.ne(0)
        events.add_(active.sum((0, 1)))
        if self.total is not None:
            self.total.add_(values.sum((0, 1), dtype=torch.float64))
        if binary:
            odd.logical_or_((active & values.ne(1)).any())
        steps, batch = values.shape[0], values.shape[1]
        observed[0].add_(steps * batch)
        if starts is not False:
            observed[1].add_(starts * batch)

    def take(self) -> dict[str, Tensor] | None:
        """What was counted, in the form of `Firing.state_dict`, and forget it; None for nothing."""
        events, observed, odd, total = self.events, self.observed, self.odd, self.total
        self.events = self.observed = self.odd = self.total = None
        if events is None or observed is None or odd is None:
            return None
        # Where values are all 0 and 1 none of them is NaN; else which it was, nobody knows by now.
        faults = torch.stack([torch.zeros_like(odd), odd])
        state = {
            "events": events,
            "observations": observed[0],
            "sequences": observed[1],
            "faults": faults,
        }
        if total is not None:
            faults[0].logical_or_(~total.isfinite().all())
            state["total"] = total
        return state

    def _counters(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self.events is None or self.observed is None or self.odd is None:
            self.events, self.observed, self.odd = new_counters(values)
        return self.events, self.observed, self.odd


def _new_counters(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # Made inside inference mode, they could not be updated outside.
    with torch.inference_mode(False):
        return _like_counters(values)


def _like_counters(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    events = values.new_zeros(values.shape[2:], dtype=torch.int64)
    return events, events.new_zeros(2), events.new_zeros((), dtype=torch.bool)


new_counters = define(
    "new_counters", "(Tensor values) -> (Tensor, Tensor, Tensor)", _new_counters, _like_counters
)


def _new_total(events: Tensor) -> Tensor:
    with torch.inference_mode(False):
        return events.to(torch.float64)


new_total = define(
    "new_total",
    "(Tensor events) -> Tensor",
    _new_total,
    lambda e: e.new_empty(e.shape, dtype=torch.float64),
)

"""Counting events inside a program of `torch.compile`: tensor operations, which fuse with it."""

from __future__ import annotations

import torch
from torch import Tensor

from neuroact.stream import SignalKind, SpikeChunk


class TracedCounts:
    """What the compiled calls of one layer counted since it was last taken.

    The counters are made outside of the program, which then only writes to them: what a program
    makes in inference mode could not be updated after it.
    """

    __slots__ = ("events", "observed", "odd", "total")

    def __init__(self) -> None:
        self.events: Tensor | None = None  # int64 [*neurons]
        self.observed: Tensor | None = None  # int64 [2]: observations and sequences
        self.odd: Tensor | None = None  # bool []: a value that is not what its kind promises
        self.total: Tensor | None = None  # float64 [*neurons]; None while all is binary

    def are_ready(self, kind: SignalKind) -> bool:
        """Whether there are counters for values of that kind; asked while tracing."""
        return self.events is not None and (kind is SignalKind.BINARY or self.total is not None)

    def make(self, chunk: SpikeChunk) -> None:
        """Make the counters that chunks like this one need, if they are not there."""
        if self.events is not None and (
            self.events.shape != chunk.neurons or self.events.device != chunk.values.device
        ):
            self.forget()
        with torch.inference_mode(False):
            if self.events is None:
                like = torch.zeros((), dtype=torch.int64, device=chunk.values.device)
                self.events = like.new_zeros(chunk.neurons)
                self.observed = like.new_zeros(2)
                self.odd = like.new_zeros((), dtype=torch.bool)
            if self.total is None and chunk.kind is not SignalKind.BINARY:
                self.total = self.events.to(torch.float64)

    def forget(self) -> None:
        """Have no counters, and nothing counted."""
        self.events = self.observed = self.odd = self.total = None

    def add(self, values: Tensor, kind: SignalKind, starts: bool | Tensor) -> None:
        """Count `[time, batch, *neurons]`; see `TraceableStatistic.traced`."""
        events, observed, odd = self.events, self.observed, self.odd
        assert events is not None
        assert observed is not None
        assert odd is not None
        active = values.ne(0)
        events.add_(active.sum((0, 1)))
        if self.total is not None:
            self.total.add_(values.sum((0, 1), dtype=torch.float64))
        if kind is SignalKind.BINARY:
            odd.logical_or_((active & values.ne(1)).any())
        steps, batch = values.shape[0], values.shape[1]
        observed[0].add_(steps * batch)
        if starts is not False and steps:  # without a step, none has begun
            observed[1].add_(starts * batch)

    def take(self) -> dict[str, Tensor] | None:
        """What was counted, in the form of `Firing.state_dict`; from now on, count anew."""
        events, observed, odd, total = self.events, self.observed, self.odd, self.total
        if events is None or observed is None or odd is None:
            return None
        # Where values are all 0 and 1 none of them is NaN; else which it was, nobody knows by now.
        faults = torch.stack([torch.zeros_like(odd), odd])
        state = {
            "events": events.clone(),
            "observations": observed[0].clone(),
            "sequences": observed[1].clone(),
            "faults": faults,
        }
        if total is not None:
            faults[0].logical_or_(~total.isfinite().all())
            state["total"] = total.clone()
        for counter in (events, observed, odd, total):
            if counter is not None:
                counter.zero_()
        return state

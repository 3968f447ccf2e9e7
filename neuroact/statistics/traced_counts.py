"""Counting events inside a program of `torch.compile`: tensor operations, which fuse with it."""

from __future__ import annotations

import torch
from torch import Tensor

from neuroact.statistics.event_counts import LARGEST_WINDOW
from neuroact.compiled_window import Window, window_for
from neuroact.stream import SignalKind, SpikeChunk

# Since then a program may ask whether sizes are equal without becoming one for these sizes alone.
_SIZES_CAN_BE_ASKED = torch.__version__ >= "2.7"  # by numbers, not letters


class TracedCounts:
    """What the compiled calls of one layer counted since it was last taken.

    The counters are made outside of the program, which then only writes to them: what a program
    makes in inference mode could not be updated after it.

    Steps of a binary layer that has a state are added into a window, which is folded into the other
    counters where a sequence starts, or may.
    """

    __slots__ = ("events", "observed", "odd", "total", "window")

    def __init__(self) -> None:
        self.events: Tensor | None = None  # int64 [*neurons], without the window
        self.observed: Tensor | None = None  # int64 [2]: observations and sequences, the same
        self.odd: Tensor | None = None  # bool []: values, or their counts, are not to be trusted
        self.total: Tensor | None = None  # float64 [*neurons]; None while all is binary
        self.window: Window | None = None

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

    def open_window(self, chunk: SpikeChunk) -> None:
        """Make the window for steps like this one, if it can be had; after `make`."""
        fits = chunk.steps == 1 and chunk.values.numel() <= LARGEST_WINDOW
        if chunk.kind is SignalKind.BINARY and fits and _SIZES_CAN_BE_ASKED:
            self.window = window_for(chunk.values[0])

    def forget(self) -> None:
        """Have no counters, and nothing counted."""
        self.events = self.observed = self.odd = self.total = self.window = None

    def have_window_for(self, values: Tensor) -> bool:
        """Whether `add_step` can take `[time, batch, *neurons]`; asked while tracing."""
        if self.window is None:
            return False
        shape = self.window.counts.shape
        if values.shape[2:] != shape[1:]:
            return False
        from torch.fx.experimental.symbolic_shapes import statically_known_true

        return statically_known_true(values.shape[0] == 1) and statically_known_true(
            values.shape[1] == shape[0]
        )

    def add_step(self, values: Tensor, starts: bool | Tensor) -> None:
        """Count one step of a binary layer, `[1, batch, *neurons]`, for which there is a window."""
        assert self.window is not None
        step = values[0]
        if starts is not False:  # right at any step, and cheap where it is not at each
            self._fold()
            assert self.observed is not None
            self.observed[1].add_(starts * step.shape[0])
        self.window.add(step)

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

    def _fold(self) -> None:
        """Empty the window into the other counters; in a program too."""
        window, events, observed, odd = self.window, self.events, self.observed, self.odd
        if window is None or events is None or observed is None or odd is None:
            return
        folded = window.fold()
        events.add_(folded.events)
        if self.total is not None:
            self.total.add_(folded.events)
        observed[0].add_(folded.steps * window.counts.shape[0])
        odd.logical_or_(folded.odd)

    def take(self) -> dict[str, Tensor] | None:
        """What was counted, in the form of `Firing.state_dict`; from now on, count anew."""
        self._fold()
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

"""Recording inside a program that `torch.compile` makes of the model.

What is counted there must be tensors, since Python's own numbers are constants to the compiler. A
layer of which only `Firing` is recorded adds to the very counts of the eager path, by plain tensor
operations, which fuse with the model's. All else is told through an operator that the compiler
calls and does not look into. Where a sequence starts is decided while tracing, by which tensor is
which; the compiler makes a program for each case.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.compiler import is_compiling

from neuroact.compiled_window import LARGEST_WINDOW, Window, window_for
from neuroact.errors import UnsupportedModelError
from neuroact.hooks import is_capturing
from neuroact.operators import define
from neuroact.patterns import CallPattern
from neuroact.sequences import tensors_in
from neuroact.statistics import Firing
from neuroact.statistics.event_counts import EventCounts
from neuroact.stream import SignalKind, SpikeChunk, as_stream

if TYPE_CHECKING:
    from neuroact.layer import LayerRecorder

_every: WeakValueDictionary[int, Traced] = WeakValueDictionary()
# What CUDA graphs add to. A graph keeps none of it alive, and nobody can tell how long it is
# replayed: were the memory given to others, each replay would write into theirs.
_in_graphs: list[EventCounts] = []
_numbers = itertools.count()
# Since then a program may ask whether sizes are equal without becoming one for these sizes alone.
_SIZES_CAN_BE_ASKED = torch.__version__ >= "2.7"  # by numbers, not letters

# The state that was given and the one that was left: whether they are one, only a run can tell.
Unsure = tuple[list[Tensor], list[Tensor]]


class Traced:
    """What the compiled calls of one layer count with.

    Args:
        layer: whose statistics count.

    Attributes:
        seen: whether a call was traced.
        kept: the state that the last call left, of any call once one was traced. A compiled program
            cannot hold a weak reference, so it is held itself, until the next call.
    """

    __slots__ = (
        *("__weakref__", "_anchor", "_counts", "_in_graph", "_key", "_layer", "_window"),
        *("kept", "seen"),
    )

    def __init__(self, layer: LayerRecorder) -> None:
        self._layer = layer
        self._counts: EventCounts | None = None  # what a program adds to; None where it may not
        self._window: Window | None = None
        self._in_graph: EventCounts | None = None  # what a CUDA graph adds to
        self.kept: tuple[Tensor, ...] = ()
        self.seen = False
        self._key = next(_numbers)
        # Written to by the operator, so that the compiler keeps its calls, and their order.
        self._anchor = torch.zeros(1)
        _every[self._key] = self

    def count(
        self,
        pattern: CallPattern,
        given: Sequence[Any],
        values: Tensor,
        left: Sequence[Any],
    ) -> None:
        """Count one call; traced, or captured in a CUDA graph, not run.

        Whatever is looked at here the compiler looks at again before each call, so a step that goes
        into the window comes first and looks at little.

        Args:
            pattern: how the call is read.
            given: the state it started from.
            values: what it emitted.
            left: the state that it left.

        Raises:
            UnsupportedModelError: in a CUDA graph, it cannot be added to the counts as they are.
        """
        self.seen = True
        stream = as_stream(values.detach(), sequence=pattern.sequence)
        starts = self._starts(given, left)
        layer, counts = self._layer, self._counts
        if not layer.plain or (layer.marked and not self.kept):
            counts = None
        if not is_compiling() and is_capturing():
            self._keep_for_graph(counts, stream, pattern.kind)
        elif counts is not None and pattern.kind is SignalKind.BINARY and self._fits(stream):
            self._add_step(counts, stream[0], _on_device(starts))
            return
        if counts is not None and _are_for(counts, stream, pattern.kind):
            _add(counts, stream, pattern.kind, _on_device(starts))
        else:
            # On the host, where it is asked: a device would be waited for.
            known = None if isinstance(starts, bool) else other_memory(*starts, True)
            kind, has_state = pattern.kind.value, bool(self.kept)
            observe(self._anchor, stream, starts is True, known, kind, has_state, self._key)

    def why_not(self, pattern: CallPattern | None) -> str | None:
        """Why a CUDA graph cannot hold the counting; None where it can."""
        layer = self._layer
        others = [type(s).__name__ for s in layer.statistics if type(s) is not Firing]
        if others or pattern is None or not layer.plain:
            what = ", ".join(others) or "recording.valid, recording.label or this adapter"
            return (
                f"{what} needs Python in each call. Record the default statistic in it, or run "
                "without a graph."
            )
        self.see_counts()
        if self._counts is None:
            return (
                "its counters are made in its first call; run the model once while recording, as a "
                "warm-up, before the CUDA graph is captured."
            )
        return None

    def see_counts(self) -> None:
        """Have programs add to the layer's counts as they are now, if nothing else is recorded."""
        statistics = self._layer.statistics
        only = statistics[0] if len(statistics) == 1 else None
        counts = only.counts if type(only) is Firing else None
        if counts is not self._counts:
            self._counts, self._window = counts, None

    def fold(self) -> None:
        """Add what the window holds to the layer's counts."""
        window, counts = self._window, self._counts
        if window is None or counts is None:
            return
        folded = window.fold()
        counts.events.add_(folded.events)
        if counts.total is not None:
            counts.total.add_(folded.events)
        counts.observed[0].add_(folded.steps * window.counts.shape[0])
        counts.faults[1].logical_or_(folded.odd)

    def forget(self) -> torch.Size | None:
        """After a reset of the statistics: the next call starts a sequence, from nothing counted.

        Returns:
            The neurons' shape where a CUDA graph may go on to count; None where none does.
        """
        self._counts = self._window = None
        self.kept = ()
        counts = self._in_graph
        if counts is None:
            return None
        counts.zero()
        firing = self._layer.statistics[0]
        assert isinstance(firing, Firing)
        firing.counts = counts
        return counts.events.shape

    def open_window(self, chunk: SpikeChunk) -> None:
        """Make the window for steps like this one, if it can be had."""
        fits = chunk.steps == 1 and chunk.values.numel() <= LARGEST_WINDOW
        binary = chunk.kind is SignalKind.BINARY
        if self._window is None and self._counts is not None and fits and binary:
            self._window = window_for(chunk.values[0]) if _SIZES_CAN_BE_ASKED else None

    def _keep_for_graph(self, counts: EventCounts | None, stream: Tensor, kind: SignalKind) -> None:
        """Let a CUDA graph add to the counts for good, if it can."""
        info = self._layer.info
        if counts is None or not _are_for(counts, stream, kind):
            raise UnsupportedModelError(
                f"{info}: a CUDA graph repeats only what the device does, and there are no "
                "counters for this call that it could add to. Run the model once as it is captured "
                "(the same device, batch and marks of sequences), then capture.",
                layer=info.name,
            )
        if self._in_graph is not counts:
            self._in_graph = counts
            _in_graphs.append(counts)

    def _fits(self, values: Tensor) -> bool:
        """Whether steps `[time, batch, *neurons]` go into the window; asked while tracing."""
        if self._window is None:
            return False
        shape = self._window.counts.shape
        if values.shape[2:] != shape[1:]:
            return False
        from torch.fx.experimental.symbolic_shapes import statically_known_true

        return statically_known_true(values.shape[0] == 1) and statically_known_true(
            values.shape[1] == shape[0]
        )

    def _add_step(self, counts: EventCounts, step: Tensor, starts: bool | Tensor) -> None:
        assert self._window is not None
        if starts is not False:  # right at any step, and cheap where it is not at each
            self.fold()
            counts.observed[1].add_(starts * step.shape[0])
        self._window.add(step)

    def _starts(self, given: Sequence[Any], left: Sequence[Any]) -> bool | Unsure:
        kept = self.kept
        # Asked in this order, a call without a state is the same program whatever was kept.
        if given and _are_same(given, kept) and _fit(left, kept):
            if is_compiling():
                from neuroact.guards import same_at_each_call

                same_at_each_call(tuple(given), kept)
            self.kept = tuple(left)
            return False
        return self._may_start(tensors_in(given), tensors_in(left))

    def _may_start(self, given: tuple[Tensor, ...], left: tuple[Tensor, ...]) -> bool | Unsure:
        kept, self.kept = self.kept, left
        if not given or not len(given) == len(left) == len(kept):
            return True
        if any(before.shape != after.shape for before, after in zip(given, left, strict=True)):
            return True
        # Other tensors: a reset, or the same state detached. Only its memory tells, at run time.
        return [t.detach() for t in given], [t.detach() for t in kept]


def _on_device(starts: bool | Unsure) -> bool | Tensor:
    """Whether a sequence starts, as something to multiply by."""
    return starts if isinstance(starts, bool) else other_memory(*starts, False)


def _are_for(counts: EventCounts, stream: Tensor, kind: SignalKind) -> bool:
    """Whether the counts are of such neurons, there, and of such a kind."""
    same = counts.events.shape == stream.shape[2:] and counts.events.device == stream.device
    return same and (kind is SignalKind.BINARY or counts.total is not None)


def _add(counts: EventCounts, stream: Tensor, kind: SignalKind, starts: bool | Tensor) -> None:
    """Count `[time, batch, *neurons]` by tensor operations alone, as `Firing.update` does."""
    fired = stream.ne(0)
    counts.events.add_(fired.sum((0, 1)))
    if counts.total is not None:
        counts.total.add_(stream.sum((0, 1), dtype=torch.float64))
    finite = stream.isfinite()
    counts.faults[0].logical_or_(finite.logical_not().any())
    if kind is SignalKind.BINARY:
        counts.faults[1].logical_or_((fired & stream.ne(1) & finite).any())
    steps, batch = stream.shape[0], stream.shape[1]
    counts.observed[0].add_(steps * batch)
    if starts is not False and steps:  # without a step, none has begun
        counts.observed[1].add_(starts * batch)


def _are_same(given: Sequence[Any], kept: tuple[Tensor, ...]) -> bool:
    return len(given) == len(kept) and all(a is b for a, b in zip(given, kept, strict=True))


def _fit(left: Sequence[Any], kept: tuple[Tensor, ...]) -> bool:
    """Whether a state is flat, and of the shapes of the last one.

    Tensors are not told by their class: the compiler would check before each call which it is.
    """
    return len(left) == len(kept) and all(
        getattr(a, "shape", None) == b.shape for a, b in zip(left, kept, strict=True)
    )


def _observe(
    anchor: Tensor,
    values: Tensor,
    starts: bool,
    unsure: Tensor | None,
    kind: str,
    has_state: bool,
    key: int,
) -> None:
    traced = _every.get(key)
    if traced is None:
        return  # its recording is gone, the compiled program is not
    begins = starts if unsure is None else bool(unsure)
    chunk = SpikeChunk(values, SignalKind(kind), begins)
    layer = traced._layer
    layer.take(chunk, has_state=has_state)
    with layer.settled():
        traced.see_counts()
        if has_state:
            traced.open_window(chunk)


def _other_memory(given: list[Tensor], left: list[Tensor], on_host: bool) -> Tensor:
    other = any(
        a.untyped_storage() is not b.untyped_storage() or a.storage_offset() != b.storage_offset()
        for a, b in zip(given, left, strict=True)
    )
    device = "cpu" if on_host else given[0].device
    return torch.full((), other, dtype=torch.bool, device=device)


observe = define(
    "observe",
    "(Tensor(a!) anchor, Tensor values, bool starts, Tensor? unsure, str kind, "
    "bool has_state, int key) -> ()",
    _observe,
    lambda *args: None,
)
other_memory = define(
    "other_memory",
    "(Tensor[] given, Tensor[] left, bool on_host) -> Tensor",
    _other_memory,
    lambda given, left, on_host: torch.empty(
        (), dtype=torch.bool, device="cpu" if on_host else given[0].device
    ),
)

"""Recording inside a program that `torch.compile` makes of the model.

Such a program counts in tensors, because the compiler takes Python's own numbers for constants.
Where a layer keeps `Firing` alone, the program adds to the counts of the eager path. It does so by
plain tensor operations, which the compiler fuses with the model's. For every other statistic the
program calls an operator (`observe`), which the compiler does not look into. Whether a sequence
starts is decided while tracing, by comparing which tensors the call was given and which the last
call left. The compiler makes one program for each case.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.compiler import is_compiling

from neuroact.errors import OtherThreadError, UnsupportedModelError
from neuroact.layers.call_pattern import CallPattern
from neuroact.layers.state_trace import StateMark, marks_of, tensors_in
from neuroact.recording.compiled.operators import define
from neuroact.recording.compiled.window import LARGEST_WINDOW, Window, window_for
from neuroact.recording.forward import Callbacks, backward_pass, is_capturing, is_recomputed
from neuroact.recording.layer import LayerRecorder
from neuroact.statistics import Firing
from neuroact.statistics.arrivals import Arrivals
from neuroact.statistics.counting.event_counts import EventCounts
from neuroact.stream.chunk import SignalKind, SpikeChunk, as_stream

_counters: WeakValueDictionary[int, CompiledCounter] = WeakValueDictionary()
_numbers = itertools.count()
# The counts that CUDA graphs add to. They are kept for ever: a graph does not keep them alive and
# may be replayed at any time. If their memory were reused, a replay would write into it.
_in_graphs: list[EventCounts] = []

# The state a call was given, and the one the last call left. Only a run shows if they are the same.
Unsure = tuple[list[Tensor], list[Tensor]]

# The types of values that a program can count.
_WITH_ARITHMETIC = (
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
)
# Since 2.7 a program can compare sizes and still serve other sizes. (torch compares by numbers.)
_SIZES_CAN_BE_ASKED = torch.__version__ >= "2.7"


class CompiledCounter:
    """Counts one layer's calls within compiled programs.

    Args:
        layer: whose statistics count.
        callbacks: the last of them reads a call into the layer; see `Watcher`.

    Attributes:
        layer: whose statistics count.
        callbacks: as given. When the recording lets go of the model, the list's owner empties it.
        kept: the state that the last call left, if a program ran that call; else empty, and the
            layer's trace knows the state. A program cannot hold a weak reference, so this holds
            the state itself until the next call.
    """

    __slots__ = (
        "__weakref__",
        "_anchor",
        "_batch",
        "_counts",
        "_firing",
        "_in_graph",
        "_key",
        "_thread",
        "_window",
        "callbacks",
        "kept",
        "layer",
    )

    def __init__(self, layer: LayerRecorder, callbacks: Callbacks) -> None:
        self.layer = layer
        self.callbacks = callbacks
        only = layer.statistics[0] if len(layer.statistics) == 1 else None
        self._firing = only if type(only) is Firing else None  # a subclass counts in its own way
        self._counts: EventCounts | None = None  # programs add to these; None: they may not
        self._window: Window | None = None
        self._in_graph: EventCounts | None = None  # a CUDA graph adds to these
        self._thread: threading.Thread | None = None  # runs the programs
        self._batch: int | None = None  # samples of the sequences that a program began last
        self.kept: tuple[Tensor, ...] = ()
        self._key = next(_numbers)
        # The operator claims to write to this. So the compiler keeps its calls and their order.
        self._anchor = torch.zeros(1)
        _counters[self._key] = self

    def count(
        self,
        pattern: CallPattern,
        given: Sequence[Any],
        values: Tensor,
        left: Sequence[Any],
    ) -> None:
        """Count one call; traced, not run.

        Before each call the program checks again whatever this method read while it was traced.
        So the cheapest case, a step that goes into the window, comes first and reads little.

        Args:
            pattern: how the call is read.
            given: the state it started from.
            values: what it emitted.
            left: the state that it left.
        """
        stream, kept = as_stream(values.detach(), sequence=pattern.sequence), self.kept
        starts = self._starts(given, left)
        layer, counts = self.layer, self._counts
        # `kept` first: where it holds a state, `marked` has no meaning and need not be read.
        if not layer.plain or (not self.kept and layer.marked):
            counts = None
        if not is_compiling() and is_capturing():
            kept_counts = self._keep_for_graph(counts, stream, pattern.kind)
            self._add(kept_counts, stream, pattern.kind, self._on_device(starts))
        elif counts is not None and pattern.kind is SignalKind.BINARY and self._fits(stream):
            self._add_step(counts, stream[0], self._on_device(starts))
        elif counts is not None and self._tells(stream) and _are_for(counts, stream, pattern.kind):
            self._add(counts, stream, pattern.kind, self._on_device(starts))
        else:
            # The operator asks on the host, so the answer is made there: no wait for a device.
            known = None if isinstance(starts, bool) else self._other_state(starts, on_host=True)
            kind, has_state, tells = pattern.kind.value, bool(self.kept), self._tells(stream)
            observe(self._anchor, stream, starts is True, known, kind, has_state, tells, self._key)
        if starts is False and is_compiling():
            from neuroact.recording.compiled.guards import look_before_each_call

            look_before_each_call(tuple(given), kept)

    def count_input(self, value: Tensor, output: Any) -> None:
        """Count a call by what arrived at its layer; traced, not run.

        Args:
            value: the input, as it was before the call.
            output: what the call returned. Only its shape goes on, so that the compiler may fuse
                what computes it with what follows.
        """
        shape = list(output.shape) if isinstance(output, Tensor) else None
        observe_input(self._anchor, value.detach(), shape, self._key)

    def why_not(self, pattern: CallPattern | None) -> str | None:
        """Why a CUDA graph cannot count the layer's calls; None if it can."""
        layer = self.layer
        others = [
            "operations=True" if type(s) is Arrivals else type(s).__name__
            for s in layer.statistics
            if type(s) is not Firing
        ]
        if others or pattern is None or not layer.plain:
            what = ", ".join(others) or "a recording.batch or this adapter"
            return (
                f"{what} needs Python in each call. Record the default statistic in it, or run "
                "without a graph."
            )
        self._see_counts()  # does not flush: that would become a part of the graph
        if self._counts is None:
            return (
                "its counters are made in its first call; run the model once while recording, as a "
                "warm-up, before the CUDA graph is captured."
            )
        return None

    def fold(self) -> None:
        """Move all that programs counted into the layer's statistic.

        Raises:
            OtherThreadError: another thread may be running a program, which no lock can stop.
        """
        if self._firing is None or self._counts is None:
            return
        thread = self._thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            raise OtherThreadError(
                f"{self.layer.info} is counted by a compiled program of the thread "
                f"{thread.name!r}, which may be running: ask for figures in that thread, or when "
                "it has ended.",
                layer=self.layer.info.name,
            )
        if self._window is not None:
            _fold(self._window, self._counts)
        if self._batch is not None:
            self._firing.open.resume(self._batch)
            self._batch = None

    def hand_over(self) -> None:
        """Give the layer the programs' counts and state, so that eager calls can continue."""
        if self._counts is not None:
            self.layer.flush()
        if self.kept:
            self.layer.trace.marks = marks_of(self.kept)
        self.forget()

    def forget(self) -> None:
        """Forget the counts that programs may add to, and the state that they left."""
        self._counts = self._window = self._batch = None
        self.kept = ()

    def restart(self) -> torch.Size | None:
        """Count from zero, after a reset of the statistics; the next call starts a sequence.

        Returns:
            The neurons' shape where a CUDA graph goes on counting; else None.
        """
        self.forget()
        counts, firing = self._in_graph, self._firing
        if counts is None or firing is None:
            return None
        counts.zero()
        firing.counts = counts
        return counts.events.shape

    def check_device(self, device: torch.device) -> None:
        """Refuse a call on another device, if a CUDA graph adds to the layer's counts.

        Raises:
            UnsupportedModelError: names the layer.
        """
        counts, info = self._in_graph, self.layer.info
        if counts is not None and counts.events.device != device:
            raise UnsupportedModelError(
                f"{info}: a CUDA graph adds to its counters on {counts.events.device}, and a call "
                f"came on {device}, where they cannot go. Record the model anew for it, and merge "
                "the two recordings.",
                layer=info.name,
            )

    def take(self, chunk: SpikeChunk, *, has_state: bool, tells: bool) -> None:
        """Count a chunk that a program handed over. If it can count the next by itself, let it.

        Args:
            chunk: what came.
            has_state: whether the layer has a state.
            tells: whether programs may count steps of its batch.
        """
        layer = self.layer
        self._see_thread()
        before = self._counts
        if before is not None:
            layer.flush()  # into these counts: the chunk may replace them
            self._counts = None
        layer.take(chunk, has_state=has_state)
        if self._firing is not None and layer.plain and tells:
            with layer.settled():
                self._see_counts()
                if self._counts is not before:
                    self._window = None
                if self._window is None and has_state:
                    self._open_window(chunk)

    def left_last(self, given: Sequence[Tensor], kept: Sequence[Tensor]) -> bool:
        """Whether `given` is the state that the last call left, on the same memory.

        Args:
            given: the state that a call starts from.
            kept: the state that a program left; empty if none did.
        """
        if not kept:
            self._see_thread()
        elif any(before.shape != after.shape for before, after in zip(kept, given, strict=True)):
            return False  # a view of a part of it, for other samples: new sequences
        marks = marks_of(kept) or self.layer.trace.marks
        return len(marks) == len(given) and all(map(StateMark.is_on, marks, given))

    def _see_thread(self) -> None:
        """Note the thread that runs a program, and end the collecting of eager steps."""
        self.layer.thread.check(self.layer.info)
        self.layer.interrupt()
        self._thread = threading.current_thread()

    def _see_counts(self) -> None:
        """Have programs add to the layer's counts, if they can count everything that may come.

        They cannot while some samples of the batch have begun their sequence and others have not.
        """
        firing = self._firing
        if firing is not None and firing.open.steps and firing.open.clock is None:
            self._counts = firing.counts

    def _open_window(self, chunk: SpikeChunk) -> None:
        """Make a window for steps like this one, if one can count them."""
        fits = chunk.steps == 1 and chunk.values.numel() <= LARGEST_WINDOW
        binary = chunk.kind is SignalKind.BINARY
        countable = chunk.values.dtype in _WITH_ARITHMETIC and _SIZES_CAN_BE_ASKED
        if self._counts is not None and fits and binary and countable:
            self._window = window_for(chunk.values[0])

    def _keep_for_graph(
        self, counts: EventCounts | None, stream: Tensor, kind: SignalKind
    ) -> EventCounts:
        """The counts that a CUDA graph adds to from now on; they are never freed."""
        info = self.layer.info
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
        return counts

    def _tells(self, stream: Tensor) -> bool:
        """Whether programs may count steps of this batch, from the state that this call leaves.

        A state without a dimension for the batch goes on where another batch comes, which starts
        sequences. So of such a state, Python is told all batches but those of 1: then whatever
        comes before or after one of another batch passes by Python.
        """
        batch, kept = stream.shape[1], self.kept
        return any(batch in tensor.shape for tensor in kept) if kept and batch != 1 else True

    def _fits(self, values: Tensor) -> bool:
        """Whether steps `[time, batch, *neurons]` go into the window; asked while tracing."""
        if self._window is None:
            return False
        shape = self._window.counts.shape
        if values.shape[2:] != shape[1:]:
            return False
        from neuroact.recording.compiled.guards import are_known_to_be

        return are_known_to_be(values.shape[:2], (1, shape[0]))

    def _add_step(self, counts: EventCounts, step: Tensor, starts: bool | Tensor) -> None:
        assert self._window is not None
        if starts is not False:  # a fold is right at any step; sequence starts are rare enough
            _fold(self._window, counts)
            self._begin(counts, starts, step.shape[0])
        self._window.add(step)

    def _add(
        self, counts: EventCounts, stream: Tensor, kind: SignalKind, starts: bool | Tensor
    ) -> None:
        """Count `[time, batch, *neurons]` by tensor operations alone, as `Firing.update` does."""
        fired = stream.ne(0)
        counts.events.add_(fired.sum((0, 1)))
        if counts.total is not None:
            counts.total.add_(stream.sum((0, 1), dtype=torch.float64))
        finite = stream.isfinite()
        counts.unreliable[0].logical_or_(finite.logical_not().any())
        if kind is SignalKind.BINARY:
            counts.unreliable[1].logical_or_((fired & stream.ne(1) & finite).any())
        steps, batch = stream.shape[0], stream.shape[1]
        counts.observed[0].add_(steps * batch)
        if starts is not False and steps:  # without a step, none has begun
            self._begin(counts, starts, batch)

    def _begin(self, counts: EventCounts, starts: bool | Tensor, batch: int) -> None:
        counts.observed[1].add_(starts * batch)
        self._batch = batch

    def _starts(self, given: Sequence[Any], left: Sequence[Any]) -> bool | Unsure:
        kept = self.kept
        # `given` is asked first: so calls without a state share one program, whatever was kept.
        if given and _are_same(given, kept) and _fit(left, kept):
            self.kept = tuple(left)
            return False
        return self._may_start(tensors_in(given), tensors_in(left))

    def _may_start(self, given: tuple[Tensor, ...], left: tuple[Tensor, ...]) -> bool | Unsure:
        kept, self.kept = self.kept, left
        if not given or len(given) != len(left) or (kept and len(kept) != len(left)):
            return True
        if not kept and not is_compiling() and is_capturing():
            return True  # each replay starts from the state that the capture was given
        if any(before.shape != after.shape for before, after in zip(given, left, strict=True)):
            return True
        # Other tensors. They may be a state after a reset, the same state detached, or what an
        # eager call left. Only a look at their memory, at run time, tells which.
        return [t.detach() for t in given], [t.detach() for t in kept]

    def _on_device(self, starts: bool | Unsure) -> bool | Tensor:
        """Whether a sequence starts, as a factor: a bool, or a tensor on the device."""
        return starts if isinstance(starts, bool) else self._other_state(starts, on_host=False)

    def _other_state(self, unsure: Unsure, *, on_host: bool) -> Tensor:
        found: Tensor = other_state(*unsure, self._key, on_host)
        return found


def _fold(window: Window, counts: EventCounts) -> None:
    folded = window.fold()
    counts.add_events(folded.events)
    counts.observed[0].add_(folded.steps * window.counts.shape[0])
    counts.unreliable[1].logical_or_(folded.not_binary)


def _are_for(counts: EventCounts, stream: Tensor, kind: SignalKind) -> bool:
    """Whether the counts have the stream's neurons and device, and can take its kind."""
    same = counts.events.shape == stream.shape[2:] and counts.events.device == stream.device
    same = same and stream.dtype in _WITH_ARITHMETIC
    return same and (kind is SignalKind.BINARY or counts.total is not None)


def _are_same(given: Sequence[Any], kept: tuple[Tensor, ...]) -> bool:
    return len(given) == len(kept) and all(a is b for a, b in zip(given, kept, strict=True))


def _fit(left: Sequence[Any], kept: tuple[Tensor, ...]) -> bool:
    """Whether a state is flat, and has the shapes of the last one.

    Its tensors are recognised by `shape`. With `isinstance` the compiler would check their class
    before each call.
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
    tells: bool,
    key: int,
) -> None:
    counter = _counters.get(key)
    if counter is None:
        return  # the program outlives its recording
    begins = starts if unsure is None else bool(unsure)
    chunk = SpikeChunk(values, SignalKind(kind), begins)
    counter.take(chunk, has_state=has_state, tells=tells)


def _observe_input(anchor: Tensor, value: Tensor, output: list[int] | None, key: int) -> None:
    counter = _counters.get(key)
    if counter is not None and not (backward_pass() != -1 and is_recomputed()):
        left = None if output is None else torch.empty(output, device="meta")
        counter.callbacks[1]((), {}, left, value)


def _other_state(given: list[Tensor], left: list[Tensor], key: int, on_host: bool) -> Tensor:
    counter = _counters.get(key)
    other = counter is None or not counter.left_last(given, left)
    device = "cpu" if on_host else given[0].device
    return torch.full((), other, dtype=torch.bool, device=device)


observe = define(
    "observe",
    "(Tensor(a!) anchor, Tensor values, bool starts, Tensor? unsure, str kind, "
    "bool has_state, bool tells, int key) -> ()",
    _observe,
    lambda *args: None,
)
observe_input = define(
    "observe_input",
    "(Tensor(a!) anchor, Tensor value, SymInt[]? output, int key) -> ()",
    _observe_input,
    lambda *args: None,
)
other_state = define(
    "other_state",
    "(Tensor[] given, Tensor[] left, int key, bool on_host) -> Tensor",
    _other_state,
    lambda given, left, key, on_host: torch.empty(
        (), dtype=torch.bool, device="cpu" if on_host else given[0].device
    ),
)

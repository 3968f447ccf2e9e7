"""One recorded layer: passes its chunks on to its statistics."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import torch

from neuroact.errors import EventError, LayerShapeError
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.state_trace import StateTrace
from neuroact.recording.assumed_axes import AssumedAxes
from neuroact.recording.cuda_streams import StreamOrder
from neuroact.recording.event_blocks import count_events
from neuroact.recording.known_batch import BatchesUnderWay, KnownBatch
from neuroact.recording.open_block import OpenBlock
from neuroact.recording.threads import OneThread
from neuroact.recording.uninterrupted import Uninterrupted
from neuroact.statistics import Statistic, check_kind
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.stream.events import BinnedEvents

_GENERALITY = (SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG)


class Programs(Protocol):
    """The counting of one layer in compiled programs; see `neuroact.recording.compiled`."""

    def fold(self) -> None:
        """Move all that programs counted into the layer's statistic."""

    def hand_over(self) -> None:
        """Give the layer what programs counted, and the state that they left."""

    def restart(self) -> torch.Size | None:
        """Count from zero, after a reset; returns the neurons' shape if a CUDA graph goes on."""

    def check_device(self, device: torch.device, /) -> None:
        """Refuse a call on another device than that of the counts a CUDA graph adds to."""


class CallSource(Protocol):
    """An object that brings a layer the calls of its module."""

    @property
    def programs(self) -> Programs:
        """What compiled programs count with."""

    def interrupt(self) -> None:
        """Have the next call read in full."""


class LayerRecorder:
    """Feeds the statistics of one layer.

    A call is counted whole or not at all: `admitted` raises every error before `count` changes
    anything. Both hold `lock`, as does whoever reads the counts. So no thread sees a call half
    counted.

    Args:
        info: the layer's name, class and kind.
        statistics: take the layer's chunks, in order.

    Attributes:
        assumed: warns of an assumed order of dimensions; None if the order is known.

    Raises:
        StatisticKindError: one of the statistics does not apply to the layer's kind.
    """

    def __init__(self, info: LayerInfo, statistics: Sequence[Statistic]) -> None:
        check_kind(statistics, info.kind, layer=info.name)
        self.info = info
        self.statistics = tuple(statistics)
        self.neurons: torch.Size | None = None
        self.trace = StateTrace()
        self.streams = StreamOrder()
        self.block = OpenBlock(self.statistics, self._tell, self.streams)
        self.lock = threading.RLock()
        self.thread = OneThread()
        self._batches = BatchesUnderWay(self.block)
        self._begin = self.marked = False
        self.plain = True
        self._raised: Exception | None = None
        self.source: CallSource | None = None
        self.heard: Callable[[SpikeChunk], None] | None = None  # told what is read in full
        self.assumed: AssumedAxes | None = None

    @property
    def called(self) -> bool:
        """Whether a chunk has come since the last reset."""
        return self.neurons is not None

    @property
    def needs_eager(self) -> bool:
        """Whether each call must be read in full, in Python."""
        told = self.heard is not None and self._batches.are_padded  # of each step
        return told or self._batches.needs_eager

    def enter(self, batch: KnownBatch) -> None:
        """Begin a batch, inside those under way: the next chunks belong to it."""
        with self.settled():
            self.interrupt()
            self._batches.enter(batch)
            self._see_whether_plain()

    def leave(self, batch: KnownBatch) -> None:
        """End a batch that is under way, also if a statistic raises while it counts what came."""
        with self.lock:
            try:
                with self.settled():
                    self.interrupt()
            finally:
                self._batches.leave(batch)
                self._see_whether_plain()

    def interrupt(self) -> None:
        """Have the next call read in full; it may come from any thread."""
        self.thread.let_go()
        with self.lock:
            self._see_whether_plain()
            if self.source is not None:
                self.source.interrupt()

    def begin_sequence(self) -> None:
        """Have the next chunk start a sequence, whatever its adapter says.

        A layer without state that is read step by step does not show where a sequence starts. From
        the first mark on, its sequences reach from one mark to the next.
        """
        with self.lock:
            self._begin = self.marked = True
            self.interrupt()

    def reset(self) -> None:
        """Forget everything counted, and the neurons' shape."""
        self.streams.wait()  # the memory freed below may be reused at once
        with self.lock, Uninterrupted():
            self.interrupt()
            self.block.discard()
            self.neurons = None
            self.trace.forget()
            for statistic in self.statistics:
                statistic.reset()
            if self.source is not None:
                self.neurons = self.source.programs.restart()

    @contextmanager
    def settled(self) -> Iterator[tuple[Statistic, ...]]:
        """The statistics with every call counted; no further call is counted meanwhile."""
        with self.lock, Uninterrupted():
            self.streams.follow_all()
            self.block.flush()
            if self.source is not None:
                self.source.programs.fold()
            yield self.statistics
            self._raise()

    @contextmanager
    def at_rest(self) -> Iterator[tuple[Statistic, ...]]:
        """`settled`, after all GPUs have finished their work, so that the counts can be read."""
        self.streams.wait()
        with self.settled() as statistics:
            yield statistics

    def flush(self) -> None:
        """Have the statistics count all collected steps."""
        with self.settled():
            pass

    def take(self, chunk: SpikeChunk, *, has_state: bool = False) -> None:
        """Count a chunk.

        Args:
            chunk: consecutive steps of the layer.
            has_state: whether the layer has a state, which tells where sequences start.

        Raises:
            ChunkError: the chunk's samples or steps are not those of the batch under way.
            LayerShapeError: its neurons are not those of earlier chunks.
            StatisticKindError: a statistic does not apply to its kind.
            OtherThreadError: earlier chunks came from another thread, which is still running.
        """
        self.thread.check(self.info)
        with self.lock, Uninterrupted():
            self.count(self.admitted(chunk, has_state=has_state))

    def observe(self, chunk: SpikeChunk) -> None:
        """Count a chunk fed by hand, even between calls of the module; raises as `take`."""
        self.thread.check(self.info)
        with self.lock:
            if self.source is not None:
                # The chunk may replace what collects the steps.
                self.source.interrupt()
                self.source.programs.hand_over()
            self.take(chunk)

    def observe_events(self, events: BinnedEvents) -> None:
        """Count events fed by hand, each sample as a sequence; raises as `take`.

        Raises:
            EventError: a batch is under way, whose masks and labels are for steps.
        """
        self.thread.check(self.info)
        with self.lock, Uninterrupted():
            if self._batches:
                raise EventError(
                    f"{self.info}: events are not fed within recording.batch(); they say their "
                    "samples themselves",
                    layer=self.info.name,
                )
            if self.source is not None:
                self.source.interrupt()
                self.source.programs.hand_over()
            kind = SignalKind.BINARY if events.counts is None else SignalKind.GRADED
            # Of the stream's shape, but without its memory: what is checked are shape and kind.
            shape = (int(events.lengths.max()), len(events.lengths), *events.shape)
            like = SpikeChunk(torch.zeros(()).expand(shape), kind, starts_sequence=True)
            self.admitted(like, has_state=False)
            self.block.flush()
            self.info = replace(self.info, kind=self.general(kind))
            self.neurons, self._begin = like.neurons, False
            self._see_whether_plain()
            count_events(self.statistics, events, self._tell)
            self._raise()

    def admitted(self, chunk: SpikeChunk, *, has_state: bool) -> SpikeChunk:
        """Check a chunk, and return it as it is to be counted; counts nothing, raises as `take`."""
        device = chunk.values.device
        if self.neurons is not None and chunk.neurons != self.neurons:
            raise LayerShapeError(
                f"{self.info} was recorded with neurons of shape {tuple(self.neurons)} and now "
                f"came with {tuple(chunk.neurons)}. A neuron's figures need one shape. Where one "
                f"module is used in several places of the model{self._places()}, say in how many: "
                f'layers={{"{self.info.name}": neuroact.Reading(places=2)}}; or leave it out with '
                'layers=, and record the layers behind it with of="input". Where inputs differ in '
                "shape, record those of each shape in a recording of their own, or call "
                "recording.reset() in between. What was recorded before stays.",
                layer=self.info.name,
            )
        if self.neurons is None and self.assumed is not None:
            self.assumed.tell(self.info, chunk)
        check_kind(self.statistics, self.general(chunk.kind), layer=self.info.name)
        if self.source is not None:
            self.source.programs.check_device(device)
        valid, labels = self._batches.known(chunk, self.info)
        starts = self._starts(chunk, has_state=has_state)
        return replace(chunk, starts_sequence=starts, valid=valid, labels=labels)

    def count(self, chunk: SpikeChunk) -> bool:
        """Count a chunk that was `admitted`; raises what a user's own statistic raises.

        Returns:
            Whether `block` collected it. If so, `block` can collect steps that continue it.
        """
        kind = self.general(chunk.kind)
        if kind is not self.info.kind:
            self.info = replace(self.info, kind=kind)
        # Count the first chunk on a GPU at once: that makes counters, which a CUDA graph captured
        # after this call can add to.
        first_on_device = self.neurons is None and chunk.values.device.type != "cpu"
        self.neurons = chunk.neurons
        if self.heard is not None:
            self.heard(chunk)
        self.streams.follow(chunk.values.device)
        if self._begin:
            self._begin = False
            self._see_whether_plain()
        self._batches.advance(chunk.steps)
        plain = chunk.kind is SignalKind.BINARY and chunk.labels is None and chunk.valid is None
        collects = plain and chunk.steps > 0 and not first_on_device
        collected = collects and self.block.take(chunk)
        if not collected:
            self.block.flush()
            if self.block.is_limited:
                valid = self.block.pass_by(chunk.steps).to(chunk.values.device)
                chunk = replace(chunk, valid=valid if chunk.valid is None else chunk.valid & valid)
            self._tell(lambda statistic: statistic.update(chunk))
        self._raise()
        return collected

    def _starts(self, chunk: SpikeChunk, *, has_state: bool) -> bool:
        """Whether a chunk starts a sequence, with regard to marks set by hand."""
        if not self.marked:
            return chunk.starts_sequence
        by_mark_alone = chunk.steps == 1 and not has_state and self.source is not None
        return self._begin if self._begin or by_mark_alone else chunk.starts_sequence

    def _see_whether_plain(self) -> None:
        """Set `plain`: one attribute, since compiled programs check each attribute they read."""
        self.plain = not self._batches and not self._begin

    def _tell(self, count: Callable[[Any], None]) -> None:
        """Have each statistic count; an error of a user's own statistic waits for `_raise`."""
        for statistic in self.statistics:
            try:
                count(statistic)
            except Exception as cause:
                cause.add_note(f"{type(statistic).__name__} raised this while counting {self.info}")
                self._raised = self._raised or cause

    def _raise(self) -> None:
        """Raise the error that a statistic raised, now that the others have counted."""
        raised, self._raised = self._raised, None
        if raised is not None:
            try:
                raise raised
            finally:
                del raised  # else the error and this frame would hold each other

    def _places(self) -> str:
        names = self.info.name, *self.info.aliases
        return f" ({', '.join(names)})" if self.info.aliases else ""

    def general(self, kind: SignalKind) -> SignalKind:
        """The kind of all chunks with one more of kind `kind`: the most general of them."""
        kinds = (kind,) if self.neurons is None else (self.info.kind, kind)
        return max(kinds, key=_GENERALITY.index)

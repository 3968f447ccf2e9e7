"""One recorded layer: its calls in, its chunks on to its statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from neuroact.adapter import Adapter, LayerCall, StatefulAdapter
from neuroact.errors import AdapterReadError, LayerShapeError, MergeError
from neuroact.hooks import watch
from neuroact.sequences import StateTrace
from neuroact.statistics import Statistic, check_kind
from neuroact.stream import SignalKind, SpikeChunk

_GENERALITY = (SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG)


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """What is known of a recorded layer before it is called.

    Attributes:
        name: reported name, the model's own qualified one.
        aliases: other names of the same module in the model.
        framework: import name of the framework whose adapter reads it; "torch" where none does.
        layer_type: the module's class name.
        kind: what its values mean.
    """

    name: str
    aliases: tuple[str, ...]
    framework: str
    layer_type: str
    kind: SignalKind

    def __str__(self) -> str:
        return f'layer "{self.name}" ({self.framework} {self.layer_type})'


class LayerRecorder:
    """Feeds the statistics of one layer.

    Args:
        info: what the layer is.
        statistics: take the layer's chunks, in order.

    Raises:
        StatisticKindError: one of the statistics does not apply to the layer's kind.
    """

    def __init__(self, info: LayerInfo, statistics: Sequence[Statistic]) -> None:
        check_kind(statistics, info.kind, layer=info.name)
        self.info = info
        self.statistics = tuple(statistics)
        self.neurons: torch.Size | None = None
        self._source: tuple[nn.Module, Adapter] | None = None
        self._stateful: StatefulAdapter | None = None
        self._undo: Callable[[], None] | None = None
        self._state: object = None
        self._trace = StateTrace()
        self._begin = self._marked = False

    @property
    def called(self) -> bool:
        """Whether a chunk has come since the last reset."""
        return self.neurons is not None

    def read_from(self, module: nn.Module, adapter: Adapter) -> None:
        """Say whose calls are recorded, by which adapter; `watch` starts it."""
        self._source = (module, adapter)
        # Decided once: isinstance against a protocol is too slow for each call.
        self._stateful = adapter if isinstance(adapter, StatefulAdapter) else None

    def watch(self) -> None:
        """Hook the module; nothing where it is hooked, or where there is none."""
        if self._source is None or self._undo is not None:
            return
        # The second hook costs as much as the first: only where state must be seen before a call.
        before = self._before if self._stateful is not None else None
        self._undo = watch(self._source[0], self._after, before)

    def unwatch(self) -> None:
        """Take the hooks away."""
        if self._undo is not None:
            self._undo()
        self._undo = self._state = None

    def forget_module(self) -> None:
        """Take the hooks away for good, and keep the model alive no longer."""
        self.unwatch()
        self._source = None

    def begin_sequence(self) -> None:
        """Make the next chunk start a sequence, whatever its adapter says.

        A layer without state, read step by step, cannot tell by itself where a sequence starts:
        from the first mark on, its sequences reach from one mark to the next.
        """
        self._begin = self._marked = True

    def reset(self) -> None:
        """Forget everything counted, and the neurons' shape."""
        self.neurons = None
        self._trace.forget()
        for statistic in self.statistics:
            statistic.reset()

    def check_fits(self, other: LayerRecorder) -> None:
        """Refuse a layer whose counts cannot be added to this one's.

        Raises:
            MergeError: it is of another class, or has other neurons or statistics.
        """
        for what, mine in self._means().items():
            theirs = other._means()[what]
            if mine != theirs and None not in (mine, theirs):
                raise MergeError(
                    f"{self.info}: cannot add figures of {what} {theirs} to figures of {what} "
                    f"{mine}",
                    layer=self.info.name,
                )

    def merge(self, other: LayerRecorder) -> None:
        """Add another's counts; `other` stays unchanged."""
        self.check_fits(other)
        self._see_aliases(other.info.aliases)
        if other.neurons is None:
            if self.neurons is None:
                self._see_kind(other.info.kind, first=False)
            return
        self._see_kind(other.info.kind, first=self.neurons is None)
        self.neurons = other.neurons
        for mine, theirs in zip(self.statistics, other.statistics, strict=True):
            mine.merge(theirs)

    def take(self, chunk: SpikeChunk) -> None:
        """Hand a chunk to the statistics.

        Raises:
            LayerShapeError: its neurons are not those of the chunks before; nothing is counted.
            StatisticKindError: a statistic does not apply to its kind; nothing is counted.
        """
        if self.neurons is None:
            self._see_kind(chunk.kind, first=True)
            self.neurons = chunk.neurons
        elif chunk.neurons != self.neurons:
            raise LayerShapeError(
                f"{self.info} was recorded with neurons of shape {tuple(self.neurons)} and now "
                f"came with {tuple(chunk.neurons)}. A neuron's figures need one shape: record the "
                "inputs of each shape in a recording of their own, or call recording.reset() "
                "first. What was recorded before stays.",
                layer=self.info.name,
            )
        elif chunk.kind is not self.info.kind:
            self._see_kind(chunk.kind, first=False)
        if self._marked:
            chunk = self._as_marked(chunk)
        for statistic in self.statistics:
            statistic.update(chunk)

    def _means(self) -> dict[str, str | None]:
        """What figures can only be added to figures of; None where it is not known yet."""
        return {
            "the class": f"{self.info.framework} {self.info.layer_type}",
            "the statistics": ", ".join(type(s).__name__ for s in self.statistics),
            "neurons of shape": None if self.neurons is None else str(list(self.neurons)),
        }

    def _see_aliases(self, aliases: tuple[str, ...]) -> None:
        if aliases != self.info.aliases:
            # No order of theirs or ours: the sum is the same, whichever is added to the other.
            names = tuple(sorted({*aliases, *self.info.aliases}))
            self.info = replace(self.info, aliases=names)

    def _see_kind(self, kind: SignalKind, *, first: bool) -> None:
        check_kind(self.statistics, kind, layer=self.info.name)
        # What holds of all chunks is what the most general of them promises.
        kinds = (kind,) if first else (self.info.kind, kind)
        self.info = replace(self.info, kind=max(kinds, key=_GENERALITY.index))

    def _as_marked(self, chunk: SpikeChunk) -> SpikeChunk:
        by_mark_alone = chunk.steps == 1 and not self._trace.has_state and self._source is not None
        starts = self._begin or (chunk.starts_sequence and not by_mark_alone)
        self._begin = False
        return replace(chunk, starts_sequence=starts)

    def _before(self, module: nn.Module) -> None:
        assert self._stateful is not None
        self._state = self._stateful.state(module)

    def _after(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> None:
        assert self._source is not None
        adapter = self._source[1]
        call = LayerCall(args, kwargs, output, self._state, self._trace)
        self._state = None
        try:
            chunk = adapter.read(module, call)
            if not isinstance(chunk, SpikeChunk):
                raise TypeError(f"expected a SpikeChunk from read, came {type(chunk).__name__}")
        except Exception as cause:
            raise AdapterReadError(
                f"{self.info} could not be read by the adapter {type(adapter).__name__}: {cause}. "
                "Leave the layer out with layers=, or correct the adapter. What was recorded "
                "before stays.",
                layer=self.info.name,
            ) from cause
        self.take(chunk)

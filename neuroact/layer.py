"""One recorded layer: its chunks on to its statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn

from neuroact.adapter import Adapter
from neuroact.callers import OneThread, Refusal
from neuroact.errors import ChunkError, LayerShapeError, MergeError
from neuroact.hooks import watch
from neuroact.kernel.steps import Lender
from neuroact.labels import Labels
from neuroact.patterns import knows
from neuroact.reader import CallReader
from neuroact.sequences import StateTrace
from neuroact.statistics import Firing, Statistic, check_kind
from neuroact.statistics.packed_steps import PackedStatistic, PackedSteps
from neuroact.statistics.shortcuts import StepStatistic, TraceableStatistic
from neuroact.statistics.stepwise import StepwiseStatistic
from neuroact.stream import SignalKind, SpikeChunk, SpikeSink
from neuroact.validity import Validity

# Of neurons of one shape, that is.
_NEVER_REFUSE = (Firing, StepwiseStatistic)
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
        self.trace = StateTrace()
        # All chosen once, for each call: which statistics are told together; each one's way to
        # count a step, if all have one; and those that torch.compile can look into.
        packed = [s for s in self.statistics if _can_share(s)]
        together = PackedSteps(packed) if len(packed) > 1 else None
        self.told: tuple[SpikeSink, ...] = self.statistics
        if together is not None:
            self.told = (together, *(s for s in self.statistics if not _can_share(s)))
        steps = [s.advance for s in self.told if _can_step(s)]
        self.advances = tuple(steps) if len(steps) == len(self.told) else ()
        self.lender = self.told[0] if len(self.told) == 1 and _can_lend(self.told[0]) else None
        self.traceable = tuple(
            s
            for s in self.statistics
            if isinstance(s, TraceableStatistic) and knows(type(s), "traced", of=["update"])
        )
        self._module: nn.Module | None = None
        self._passed_by = False
        self._reader: CallReader | None = None
        self._undo: Callable[[], None] | None = None
        self._begin = self._marked = False
        self.plain = True
        self.thread = OneThread()
        self.validity: Validity | None = None
        self._position = 0  # steps that came since the validity was told
        self._labels: Labels | None = None

    @property
    def called(self) -> bool:
        """Whether a chunk has come since the last reset."""
        return self.neurons is not None

    @property
    def needs_eager(self) -> bool:
        """Whether each chunk must be looked at in Python."""
        return self.validity is not None or self._labels is not None

    def see_validity(self, validity: Validity | None) -> None:
        """Say which of the steps that come are padding; None where none is."""
        self.validity, self._position = validity, 0
        self.interrupt()

    def label(self, labels: Labels | None) -> None:
        """Say of which class the samples are that come; None where that is not known."""
        self._labels = labels
        for statistic in self.statistics:
            if isinstance(statistic, Firing):
                statistic.label(labels)
        self.interrupt()

    def read_from(self, module: nn.Module, adapter: Adapter, *, passed_by: bool = False) -> None:
        """Say whose calls are recorded, by which adapter; `watch` starts it.

        Args:
            module: the module.
            adapter: reads its calls.
            passed_by: as `neuroact.hooks.watch` takes it.
        """
        self._module, self._passed_by = module, passed_by
        self._reader = CallReader(module, adapter, self)

    def watch(self) -> None:
        """Have the module's calls read; nothing where they are, or where there is none."""
        if self._module is None or self._reader is None or self._undo is not None:
            return
        self._reader.prepare()
        self._undo = watch(self._module, self._reader, passed_by=self._passed_by)

    def unwatch(self) -> None:
        """Let the module's calls be."""
        if self._undo is not None:
            self._undo()
        self._undo = None
        self.interrupt()

    def refuse(self) -> None:
        """Have each call refused, in a process forked from the one that records them."""
        if self._module is not None and self._undo is not None:
            self._undo()
            self._undo = watch(self._module, Refusal(self.info), passed_by=self._passed_by)

    def forget_module(self) -> None:
        """Let the module's calls be for good, and keep the model alive no longer."""
        self.unwatch()
        # The kernel knows the model. A call that is under way may not lend it anything anew.
        lender, self.lender = self.lender, None
        if lender is not None:
            lender.take_back()
        self.trace.take_back()
        if self._reader is not None:
            self._reader.let_go()
        self._module = self._reader = None

    def interrupt(self) -> None:
        """Have the next call read in full, from whatever thread, after whatever calls."""
        self.thread.let_go()
        # One thing for a compiled program to look at before each call, in place of three.
        self.plain = not (self._marked or self.needs_eager)
        if self._reader is not None:
            self._reader.interrupt()

    def begin_sequence(self) -> None:
        """Make the next chunk start a sequence, whatever its adapter says.

        A layer without state, read step by step, cannot tell by itself where a sequence starts:
        from the first mark on, its sequences reach from one mark to the next.
        """
        self._begin = self._marked = True
        self.interrupt()

    def reset(self) -> None:
        """Forget everything counted, and the neurons' shape."""
        self.neurons = None
        self.trace.forget()
        self.interrupt()
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
        self.interrupt()
        pairs = list(zip(self.statistics, other.statistics, strict=True))
        # Those first that may refuse for reasons of their own, so that nothing is added then.
        for mine, theirs in sorted(pairs, key=lambda pair: isinstance(pair[0], _NEVER_REFUSE)):
            try:
                mine.merge(theirs)
            except MergeError as cause:
                raise MergeError(f"{self.info}: {cause}", layer=self.info.name) from cause
            if self.neurons is None:
                # Merged, the other's open sequences would have ended.
                mine.load_state_dict(theirs.state_dict())
        self._see_kind(other.info.kind, first=self.neurons is None)
        self.neurons = other.neurons

    def take(self, chunk: SpikeChunk) -> None:
        """Hand a chunk to the statistics.

        Raises:
            LayerShapeError: its neurons are not those of the chunks before; nothing is counted.
            StatisticKindError: a statistic does not apply to its kind; nothing is counted.
            OtherThreadError: the chunks before came from another thread, which is still running.
        """
        self.thread.check(self.info)
        self.see_neurons(chunk.neurons, chunk.kind)
        starts = self.marked(
            chunk.starts_sequence, one_step=chunk.steps == 1, has_state=self.trace.has_state
        )
        if starts is not chunk.starts_sequence:
            chunk = replace(chunk, starts_sequence=bool(starts))
        if self.validity is not None:
            chunk = replace(chunk, valid=self._valid_steps(self.validity, chunk))
        if self._labels is not None and len(self._labels.samples) != chunk.batch:
            raise ChunkError(
                f"{self.info}: recording.label was told of {len(self._labels.samples)} samples, "
                f"and {chunk.batch} came. Label each batch before its forward call; "
                "recording.label(None) ends it.",
                layer=self.info.name,
            )
        for told in self.told:
            told.update(chunk)

    def _valid_steps(self, validity: Validity, chunk: SpikeChunk) -> Tensor:
        try:
            valid = validity.of(
                steps=chunk.steps,
                batch=chunk.batch,
                first=self._position,
                device=chunk.values.device,
            )
        except ValueError as cause:
            raise ChunkError(
                f"{self.info}: what recording.valid was told does not fit what came: {cause}. One "
                "`with recording.valid(...)` block holds the steps of one batch.",
                layer=self.info.name,
            ) from cause
        self._position += chunk.steps
        return valid if chunk.valid is None else valid & chunk.valid

    def see_neurons(self, neurons: torch.Size, kind: SignalKind) -> None:
        """Take note of a chunk's neurons and kind.

        Raises:
            LayerShapeError: its neurons are not those of the chunks before.
        """
        if self.neurons is None:
            self._see_kind(kind, first=True)
            self.neurons = neurons
        elif neurons != self.neurons:
            raise LayerShapeError(
                f"{self.info} was recorded with neurons of shape {tuple(self.neurons)} and now "
                f"came with {tuple(neurons)}. A neuron's figures need one shape. Where one module "
                f"is used in several places of the model{self._places()}, give each a module of "
                "its own; or leave it out with layers=, and record the layers behind it with "
                'of="input". Where inputs differ in shape, record those of each shape in a '
                "recording of their own, or call recording.reset() in between. What was recorded "
                "before stays.",
                layer=self.info.name,
            )
        elif kind is not self.info.kind:
            self._see_kind(kind, first=False)

    def _places(self) -> str:
        names = self.info.name, *self.info.aliases
        return f" ({', '.join(names)})" if self.info.aliases else ""

    def marked(self, starts: bool | Tensor, *, one_step: bool, has_state: bool) -> bool | Tensor:
        """Whether a chunk starts a sequence, marks by hand considered.

        Args:
            starts: what the chunk says.
            one_step: it is a single step.
            has_state: the layer's state told so.
        """
        if not self._marked:
            return starts
        by_mark_alone = one_step and not has_state and self._module is not None
        begin, self._begin = self._begin, False
        if begin or by_mark_alone:
            return begin
        return starts

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
        general = max(kinds, key=_GENERALITY.index)
        if general is not self.info.kind:
            self.info = replace(self.info, kind=general)


def _can_step(told: SpikeSink) -> TypeGuard[StepStatistic | PackedSteps]:
    if isinstance(told, PackedSteps):
        return True
    return isinstance(told, StepStatistic) and knows(type(told), "advance", of=["update"])


def _can_lend(told: SpikeSink) -> TypeGuard[Lender]:
    return isinstance(told, Lender) and knows(type(told), "lend", of=["update", "advance"])


def _can_share(statistic: Statistic) -> TypeGuard[PackedStatistic]:
    return isinstance(statistic, PackedStatistic) and knows(
        type(statistic), "count_packed", of=["update", "advance"]
    )


if TYPE_CHECKING:
    from neuroact.hooks import Watcher

    _: type[Watcher] = CallReader

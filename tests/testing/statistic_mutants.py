"""Statistics that are wrong on purpose, each in one way, with the check that has to catch them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from right_statistic import Spread, SpreadResult
from torch import Tensor

from neuroact import SignalKind, SpikeChunk
from neuroact.statistics.counting.step_block import StepBlock

MUTANTS: dict[type[Spread], str] = {}


def caught_by(check: str) -> Any:
    """Say which check has to be the first to fail."""

    def add(mutant: type[Spread]) -> type[Spread]:
        MUTANTS[mutant] = check
        return mutant

    return add


@caught_by("interface")
class CannotReset(Spread):
    reset: Any = None

    def __init__(self) -> None:
        Spread.reset(self)

    def __getattribute__(self, name: str) -> Any:
        if name == "reset":
            raise AttributeError(name)
        return super().__getattribute__(name)


@caught_by("nothing_yet")
class StateBeforeTheFirstChunk(Spread):
    def state_dict(self) -> dict[str, Tensor]:
        return super().state_dict() or {"sums": torch.zeros(1), "squares": torch.zeros(1)}


@caught_by("figures")
class LastBatchDropped(Spread):
    """Leaves out the open window."""

    def result(self) -> Any:
        if self.sums is None or self.squares is None:
            return None
        return SpreadResult(self.sums.numpy().copy(), self.squares.numpy().copy())


@caught_by("figures")
class OneTooMany(Spread):
    def result(self) -> Any:
        result = super().result()
        return None if result is None else SpreadResult(result.sums + 1, result.squares)


@caught_by("figures")
class NoSingleNeurons(Spread):
    """Fails for a layer of a single neuron, which has no axis 2."""

    def events(self, chunk: SpikeChunk) -> Tensor:
        assert chunk.values.shape[2] >= 0
        return super().events(chunk)


@caught_by("figures")
class SumsValuesForEvents(Spread):
    def counted(self, events: Tensor, chunk: SpikeChunk) -> Tensor:
        return chunk.values.where(events, 0).sum(0).to(torch.int64)


@caught_by("cut_in_time")
class EachChunkASequence(Spread):
    def begins(self, chunk: SpikeChunk) -> bool:
        return True


@caught_by("cut_in_time")
class EventsPerChunk(Spread):
    """Counts a neuron's first event of each chunk."""

    def counted(self, events: Tensor, chunk: SpikeChunk) -> Tensor:
        doubled = events.sum(0)
        return doubled if chunk.starts_sequence else doubled.clamp(max=1)


@caught_by("asked_in_between")
class AskingEndsTheSequence(Spread):
    def result(self) -> Any:
        self.close()
        return super().result()


@caught_by("state_round_trip")
class OpenWindowNotSaved(Spread):
    def copy(self) -> Any:
        twin = type(self)()
        twin.load_state_dict(super().state_dict())
        return twin

    def state_dict(self) -> dict[str, Tensor]:
        closed = self.copy()
        closed.close()
        return Spread.state_dict(closed)


@caught_by("state_round_trip")
class StateAddedOnLoading(Spread):
    def copy(self) -> Any:
        twin = type(self)()
        Spread.load_state_dict(twin, self.state_dict())
        return twin

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        super().load_state_dict(state)
        if self.sums is not None:
            self.sums.add_(self.sums)


@caught_by("split_and_merged")
class MergeClosesTheOther(Spread):
    def merge(self, other: Any) -> None:
        super().merge(other)
        other.close()


@caught_by("split_and_merged")
class MergeDropsTheOpen(Spread):
    def merge(self, other: Any) -> None:
        settled = other.copy()
        settled.open = None
        super().merge(settled)


@caught_by("split_and_merged")
class MergeReplaces(Spread):
    def merge(self, other: Any) -> None:
        if other.sums is not None:
            self.load_state_dict(other.state_dict())


@caught_by("continues_after_merge")
class MergeEndsTheOwn(Spread):
    def merge(self, other: Any) -> None:
        super().merge(other)
        self.close()


@caught_by("padding")
class PaddingCounted(Spread):
    def events(self, chunk: SpikeChunk) -> Tensor:
        return chunk.values.ne(0)


@caught_by("padding")
class PaddingMultipliedByZero(Spread):
    """Multiplies by the mask: NaN times zero is NaN, and NaN is not zero."""

    def events(self, chunk: SpikeChunk) -> Tensor:
        values = chunk.values
        return (values if chunk.valid is None else values * self.mask(chunk)).ne(0)


@caught_by("padding")
class AMaskedSampleIsLeftOut(Spread):
    def events(self, chunk: SpikeChunk) -> Tensor:
        events = chunk.values.ne(0)
        if chunk.valid is None:
            return events
        return events & self.mask(chunk).all(0, keepdim=True)


@caught_by("dtypes")
class FloatsAlone(Spread):
    def events(self, chunk: SpikeChunk) -> Tensor:
        events = super().events(chunk)
        return events if chunk.values.is_floating_point() else events & False


@caught_by("mixed_kinds")
class TheFirstKindHolds(Spread):
    def reset(self) -> None:
        super().reset()
        self.first: SignalKind | None = None

    def events(self, chunk: SpikeChunk) -> Tensor:
        self.first = self.first or chunk.kind
        return super().events(chunk) if chunk.kind is self.first else chunk.values.eq(1)


@caught_by("negative_zero")
class NegativeZeroIsAnEvent(Spread):
    def events(self, chunk: SpikeChunk) -> Tensor:
        events = chunk.values.ne(0)
        if chunk.values.is_floating_point():
            events = events | chunk.values.signbit()
        return events if chunk.valid is None else events & self.mask(chunk)


@caught_by("reset")
class ResetKeepsTheTotals(Spread):
    def __init__(self) -> None:
        Spread.reset(self)

    def reset(self) -> None:
        self.open = None


@caught_by("edge_shapes")
class NoLayerWithoutNeurons(Spread):
    def admit(self, neurons: torch.Size) -> None:
        if 0 in neurons:
            raise ValueError("expected at least one neuron")
        super().admit(neurons)


@caught_by("large_counts")
class Float32Counter(Spread):
    dtype = torch.float32


@caught_by("large_counts")
class Int32Counter(Spread):
    dtype = torch.int32


@caught_by("long_sequences")
class CountsInTheTypeOfTheValues(Spread):
    """Counts in bfloat16, which stays at 256."""

    def update(self, chunk: SpikeChunk) -> None:
        super().update(chunk)
        if chunk.values.dtype is torch.bfloat16 and self.open is not None:
            self.open = self.open.to(torch.bfloat16).to(torch.int64)


@caught_by("memory")
class EveryBatchKept(Spread):
    def __init__(self) -> None:
        super().__init__()
        self.counts: list[Tensor] = []

    def close(self) -> None:
        if self.open is not None:
            self.counts.append(self.open.clone())
        super().close()


@caught_by("nothing_kept")
class LastChunkKept(Spread):
    def update(self, chunk: SpikeChunk) -> None:
        super().update(chunk)
        self.last = chunk


@caught_by("nothing_kept")
class StateGivenAway(Spread):
    """Gives its own tensors in state_dict, not copies."""

    def state_dict(self) -> dict[str, Tensor]:
        held = {"sums": self.sums, "squares": self.squares, "open": self.open}
        return {name: tensor for name, tensor in held.items() if tensor is not None}


@caught_by("no_host_sync")
class LooksAtTheValues(Spread):
    def events(self, chunk: SpikeChunk) -> Tensor:
        if chunk.values.isnan().any() and chunk.valid is None:
            raise ValueError("NaN")
        return super().events(chunk)


@caught_by("no_host_sync")
class IndexesByTheMask(Spread):
    def events(self, chunk: SpikeChunk) -> Tensor:
        events = chunk.values.ne(0)
        if chunk.valid is not None:
            events[~chunk.valid] = False
        return events


@caught_by("modes")
class MadeInInferenceMode(Spread):
    def update(self, chunk: SpikeChunk) -> None:
        if self.sums is None:
            self.sums = torch.zeros(chunk.neurons, dtype=torch.int64)
            self.squares = torch.zeros(chunk.neurons, dtype=torch.int64)
        super().update(chunk)


@caught_by("layouts")
class ReadsTheMemoryInItsOrder(Spread):
    """Takes channels-last memory for contiguous memory."""

    def events(self, chunk: SpikeChunk) -> Tensor:
        events = super().events(chunk)
        if events.ndim == 5 and chunk.values.stride(2) == 1:
            return events.permute(0, 1, 3, 4, 2).reshape(events.shape)
        return events


@caught_by("other_neurons")
class OtherNeuronsBroadcast(Spread):
    def merge(self, other: Any) -> None:
        held = [s.sums.shape for s in (self, other) if s.sums is not None]
        if len(set(held)) < 2:
            super().merge(other)


@caught_by("other_kinds")
class TakesAnyKind(Spread):
    def update(self, chunk: SpikeChunk) -> None:
        known = chunk.kind in self.kinds
        kind = chunk.kind if known else SignalKind.GRADED
        super().update(SpikeChunk(chunk.values, kind, chunk.starts_sequence, chunk.valid))


@caught_by("free_of_torch")
class ResultOfTensors(Spread):
    def result(self) -> Any:
        closed = self.copy()
        closed.close()
        return None if closed.sums is None else SpreadResult(closed.sums, closed.squares)


@caught_by("free_of_torch")
class ResultSharesTheMemory(Spread):
    """Returns the same array as every result, filled anew."""

    shown: Any = None

    def result(self) -> Any:
        result = super().result()
        if result is None:
            return None
        if self.shown is None or self.shown.shape != result.sums.shape:
            self.shown = result.sums.copy()
        self.shown[...] = result.sums
        return SpreadResult(self.shown, result.squares)


@caught_by("starts")
class OnlyStartsThatAreSaid(Spread):
    """Lets samples of another batch continue those before, as far as there are any."""

    def update(self, chunk: SpikeChunk) -> None:
        kept = self.open
        if kept is not None and not chunk.starts_sequence and len(kept) > chunk.batch > 0:
            self.open = kept[: chunk.batch].clone()
        super().update(chunk)


@caught_by("event_lists")
class BlocksForgotten(Spread):
    def count(self, block: StepBlock) -> None:
        """Counts nothing."""


@caught_by("event_lists")
class EachBlockASequence(Spread):
    def count(self, block: StepBlock) -> None:
        super().count(dataclasses.replace(block, starts_sequence=True))


@caught_by("blocks")
class BlocksGoOnFromBlocksAlone(Spread):
    after_block = False

    def update(self, chunk: SpikeChunk) -> None:
        super().update(chunk)
        self.after_block = False

    def count(self, block: StepBlock) -> None:
        starts = block.starts_sequence or not self.after_block
        super().count(dataclasses.replace(block, starts_sequence=starts))
        self.after_block = True

"""The base of the statistics that read a stream step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.errors import MergeError, StatisticKindError
from neuroact.statistics.counting.core_loops import CountsBlocks, loops
from neuroact.statistics.counting.open_sequences import OpenSequences
from neuroact.statistics.counting.parts import events_of, parts_of, per_sample
from neuroact.statistics.counting.step_block import StepBlock, valid_steps
from neuroact.stream.chunk import SignalKind, SpikeChunk

SPIKING = frozenset({SignalKind.BINARY, SignalKind.GRADED})


class PlacedSteps(NamedTuple):
    """Some steps of some samples of the open sequences.

    Attributes:
        events: 1 for an event, else 0, float32 `[steps, samples, *neurons]`; 0 where padding.
        amounts: the values of a layer that is not binary; 0 where padding. None if binary.
        samples: which samples of the batch.
        places: each step's number in its sample's sequence, int64 `[steps, samples]`, see
            `OpenSequences.places`.
        valid: 0 where a step is padding, else 1, int64 `[steps, samples]`.
    """

    events: Tensor
    amounts: Tensor | None
    samples: slice
    places: Tensor
    valid: Tensor


class BlockPlaces(NamedTuple):
    """Where a block's steps lie in their samples' sequences.

    Attributes:
        clock: valid steps of each sample before the block, int64 `[batch]`.
        lengths: valid steps of each sample in the block, int64 `[batch]`.
    """

    clock: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def each(self, steps: int) -> tuple[Tensor, Tensor]:
        """`places` and `valid` of all samples' steps, as in `PlacedSteps`."""
        places = torch.from_numpy(self.clock + np.arange(steps)[:, None])
        return places, valid_steps(self.lengths, steps).to(torch.int64)


class StepwiseStatistic(CountsBlocks, ABC):
    """Reads a stream step by step. Knows where sequences start and which steps are padding.

    An event is a value that is not zero. A sample's sequence consists of its valid steps, in order.
    Padded steps are skipped, whatever their values, so padding anywhere changes nothing.
    `OpenSequences` says where sequences start.

    The counts have two parts. *Totals* are added up when statistics merge. *Open* counts belong to
    the sequences that may still continue. A report counts these as if they ended now. A merge
    counts the other statistic's open sequences as ended, and leaves its own open.

    A subclass defines its totals, how to count steps, and what to do when sequences end.
    """

    kinds: ClassVar[frozenset[SignalKind]] = SPIKING
    """The kinds of layers it applies to."""

    _growing: ClassVar[frozenset[str]] = frozenset()
    """Totals whose length grows with the data. A merge aligns them at index 0. A state and a result
    leave out trailing zeros."""

    _options: ClassVar[tuple[str, ...]] = ()
    """Names of the whole numbers that an instance may be configured with, as states hold them."""

    _settings: Mapping[str, int] = MappingProxyType({})
    """Those that are configured. What is configured as if it were not is left out."""

    _of_samples: ClassVar[frozenset[str]] = frozenset()
    """Open counts of a sample, int64 `[batch]`. All others are of a sample and a neuron."""

    _together: ClassVar[int] = 64
    """How many steps of a chunk are best counted at once."""

    def __init__(self) -> None:
        self.reset()

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={number}" for name, number in self._settings.items())
        return f"{type(self).__name__}({given})"

    def reset(self) -> None:
        """Forget everything counted, the neurons' shape included."""
        self._shape: torch.Size | None = None
        self._device = torch.device("cpu")
        self._totals: dict[str, Tensor] = {}
        self._sequences = OpenSequences()

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk.

        Raises:
            StatisticKindError: the statistic does not apply to the chunk's kind.
            ValueError: the chunk's neurons have another shape than those before.
        """
        self._admit(chunk.neurons, chunk.values.device, chunk.kind)
        steps, device, valid = chunk.steps, chunk.values.device, chunk.valid
        self._see_starts(chunk.starts_sequence, chunk.batch)
        places = self._sequences.places(steps, valid, device)
        self._sequences.step(steps, None if valid is None else valid.sum(0))
        if chunk.kind is not SignalKind.BINARY:
            self._see_amounts()
        for part in parts_of(chunk, self._together):
            at = places[part.steps, part.samples]
            there = torch.ones_like(at) if part.valid is None else part.valid.to(torch.int64)
            amounts = None if chunk.kind is SignalKind.BINARY else part.values
            self._add(PlacedSteps(events_of(part.values), amounts, part.samples, at, there))

    def count(self, block: StepBlock) -> None:
        """Count a block of steps, as `update` would.

        Raises:
            StatisticKindError: the statistic does not apply to binary layers.
            ValueError: its neurons have another shape than those before.
        """
        core = loops()
        self._admit(block.neurons, torch.device("cpu"), SignalKind.BINARY)
        self._see_starts(block.starts_sequence, block.batch)
        clock = self._sequences.clocks(torch.device("cpu")).numpy()
        lengths = block.lengths
        self._sequences.step(block.steps, None if lengths is None else torch.from_numpy(lengths))
        if lengths is None:
            lengths = np.full(block.batch, block.steps)
        self._add_block(core, block, BlockPlaces(clock, lengths))

    def merge(self, other: Self) -> None:
        """Add another's counts, exact in any order. Its open sequences count as ended.

        Raises:
            MergeError: see `check_merge`.
        """
        if other._shape is None:
            return
        self.check_merge(other)
        theirs = other._ended()._totals_so_far()
        if self._shape is None:
            self._prepare(other._shape, other._device)
        for name, tensor in self._matched(theirs).items():
            self._add_total(name, tensor.to(self._device))

    def check_merge(self, other: Self) -> None:
        """Refuse another whose counts cannot be added to these.

        Raises:
            MergeError: the two are configured in different ways, such as with different widths of
                bins, or counted layers whose neurons have different shapes.
        """
        if self._settings != other._settings:
            raise MergeError(
                f"cannot add figures of {other} to figures of {self}: they are of "
                "other steps. Record both with the same"
            )
        if other._shape is not None and self._shape not in (None, other._shape):
            raise MergeError(
                f"cannot add counts of neurons of shape {list(other._shape)} to counts of "
                f"neurons of shape {list(self._shape or ())}"
            )

    def state_dict(self) -> dict[str, Tensor]:
        """The counts, as new tensors on the layer's device; empty before the first chunk.

        Keys: the totals by name; `shape`, the shape of the neurons; what it is configured with,
        int64 `[]`, such as `bin_width`, unless it is as without. While sequences are open, and
        the next steps' counts depend on them: `open_clock`, each sample's steps so far, int64
        `[batch]`, and the open counts, `open_<name>`.
        """
        if self._shape is None:
            return {}
        state = {"shape": torch.tensor(self._shape, dtype=torch.int64, device=self._device)}
        for name, number in self._settings.items():
            state[name] = torch.tensor(number, dtype=torch.int64, device=self._device)
        state |= {name: tensor.clone() for name, tensor in self._totals_so_far().items()}
        opened = {} if self._sequences.batch is None else self._open_state()
        if opened:
            state["open_clock"] = self._sequences.clocks(self._device).clone()
            shape = (self._sequences.batch, *self._shape)
            for name, tensor in opened.items():
                own = tensor if name in self._of_samples else tensor.reshape(shape)
                state[f"open_{name}"] = own.clone()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the counts, and what it is configured with, by what `state_dict` returned.

        Raises:
            ValueError: it is configured with a number below 1.
        """
        self.reset()
        if not state:
            return
        self._configure(state)
        self._prepare(torch.Size(state["shape"].tolist()), state["shape"].device)
        for name, tensor in state.items():
            if name not in ("shape", *self._options) and not name.startswith("open_"):
                self._add_total(name, tensor)
        if "open_clock" in state:
            self._sequences.resume(state["open_clock"])
            self._begin(len(state["open_clock"]))
            self._restore({name.removeprefix("open_"): tensor for name, tensor in state.items()})

    # What a subclass defines.

    @abstractmethod
    def _make_totals(self) -> dict[str, Tensor]:
        """The totals before anything is counted."""

    @abstractmethod
    def _begin(self, batch: int) -> None:
        """Open a sequence for each sample."""

    @abstractmethod
    def _add(self, steps: PlacedSteps) -> None:
        """Count steps. `self._sequences` includes them already."""

    def _add_block(self, core: Any, block: StepBlock, at: BlockPlaces) -> None:
        """Count a block as `_add` would. Override it if the core has a loop for it."""
        events = block.chunk().values.to(torch.float32)
        self._add(PlacedSteps(events, None, slice(None), *at.each(block.steps)))

    def _close(self) -> None:
        """Add to the totals what is known only when the open sequences end."""

    def _see_amounts(self) -> None:
        """Prepare for values of a layer that is not binary."""

    def _open_state(self) -> dict[str, Tensor]:
        """The open counts besides the clock, of each sample and neuron."""
        return {}

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `_open_state` returned. Called after `_begin`."""

    def _matched(self, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The other's totals to add, in case one statistic has totals that the other lacks."""
        return theirs

    # What a subclass can use.

    def _configure(self, state: Mapping[str, Tensor]) -> None:
        """Take over what a state says of the configuration."""
        self._settings = {name: int(state[name]) for name in self._options if name in state}
        if min(self._settings.values(), default=1) < 1:
            raise ValueError(f"expected numbers of 1 or more, came {self._settings}")

    def _zeros(self, *size: int, dtype: torch.dtype = torch.int64) -> Tensor:
        # A tensor made in inference mode could not be updated outside it.
        with torch.inference_mode(False):
            return torch.zeros(size, dtype=dtype, device=self._device)

    def _room(self, name: str, length: int) -> Tensor:
        """The growing total of that name; if it is too short, it becomes at least twice as long."""
        tensor = self._totals[name]
        if len(tensor) < length:
            longer = self._zeros(max(length, 2 * len(tensor), 16), dtype=tensor.dtype)
            longer[: len(tensor)].copy_(tensor)
            self._totals[name] = tensor = longer
        return tensor

    def _on_host(self) -> dict[str, Any] | None:
        """The totals as arrays, open sequences counted as ended; None before the first chunk."""
        if self._shape is None:
            return None
        return {name: t.cpu().numpy() for name, t in self._ended()._totals_so_far().items()}

    @property
    def _neurons(self) -> int:
        return (self._shape or torch.Size()).numel()

    def _admit(self, neurons: torch.Size, device: torch.device, kind: SignalKind) -> None:
        if self._shape is not None and self._shape != neurons:
            raise ValueError(f"expected neurons of shape {list(self._shape)}, came {list(neurons)}")
        if kind not in self.kinds:
            raise StatisticKindError(type(self).__name__, kind, self.kinds)
        if self._shape is None:
            self._prepare(neurons, device)
        elif self._device != device:
            self.load_state_dict({name: t.to(device) for name, t in self.state_dict().items()})

    def _prepare(self, shape: torch.Size, device: torch.device) -> None:
        self._shape, self._device = shape, device
        self._totals = self._make_totals()

    def _see_starts(self, said: bool, batch: int) -> None:
        if self._sequences.starts(said, batch):
            self._end()
            self._sequences.start(batch)
            self._begin(batch)

    def _end(self) -> None:
        if self._sequences.batch is not None:
            self._close()
        self._sequences.close()

    def _ended(self) -> Self:
        """A copy whose sequences have ended."""
        copy = type(self)()
        copy.load_state_dict(self.state_dict())
        copy._end()
        return copy

    def _totals_so_far(self) -> dict[str, Tensor]:
        return {
            name: without_trailing_zeros(tensor) if name in self._growing else tensor
            for name, tensor in self._totals.items()
        }

    def _add_total(self, name: str, tensor: Tensor) -> None:
        if name in self._growing:
            if name not in self._totals:
                self._totals[name] = self._zeros(0, dtype=tensor.dtype)
            self._room(name, len(tensor))[: len(tensor)].add_(tensor)
        else:
            self._totals[name].add_(tensor)


def sums_of_samples(events: Tensor) -> Tensor:
    """Events of each sample at each step, int64 `[steps, samples]`.

    Summed in float32 as long as that is exact: up to 2^24 neurons.
    """
    rows = per_sample(events)
    exact = torch.float32 if rows.shape[2] <= 2**24 else torch.float64
    return rows.sum(2, dtype=exact).to(torch.int64)


def add_at(totals: Tensor, places: Tensor, found: Tensor) -> None:
    """Add each number found to the total at its place, without waiting for the device."""
    totals.scatter_add_(0, places.reshape(-1), found.reshape(-1))


def flat(tensor: Tensor) -> NDArray[Any]:
    """A tensor on the CPU as a flat array that shares its memory."""
    array: NDArray[Any] = tensor.view(-1).numpy()
    return array


def without_trailing_zeros(tensor: Tensor) -> Tensor:
    """The tensor up to its last number that is not zero."""
    found = tensor.nonzero()
    return tensor[: int(found[-1]) + 1 if len(found) else 0]


def padded(array: NDArray[Any], length: int) -> NDArray[Any]:
    """The array with zeros appended, up to `length`."""
    return np.concatenate([array, np.zeros(length - len(array), array.dtype)])

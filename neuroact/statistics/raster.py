"""The spikes of the first few sequences, as a raster plot shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from neuroact.errors import MergeError, StatisticKindError
from neuroact.statistics.counting.core_loops import CountsBlocks
from neuroact.statistics.counting.kept_sequences import Ended, Open, check_events
from neuroact.statistics.counting.open_sequences import OpenSequences
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.counting.stepwise import SPIKING
from neuroact.statistics.results import Integers, LayerResult
from neuroact.stream.chunk import SignalKind, SpikeChunk


@dataclass(frozen=True, eq=False, repr=False)
class RasterResult(LayerResult):
    """Every event of the sequences that were kept, by sequence, step and neuron.

    Attributes:
        sequence: the kept sequence of each event, counted from 0, int64 `[events]`; ascending.
        step: the step of each event in its sequence, from 0, int64 `[events]`; ascending within a
            sequence.
        neuron: the neuron of each event, by its index among the layer's neurons in C order, int64
            `[events]`; ascending within a step.
        lengths: number of steps kept of each sequence, int64 `[kept]`, 1 or more.
        begun: number of sequences that began, kept or not.
        neurons: number of neurons of the layer.
        every: the neurons with the indices 0, every, 2 · every, … were watched.
        most_steps: the most steps kept of a sequence.
        dt: seconds per time step, or None.

    >>> import numpy as np
    >>> from neuroact.statistics import RasterResult
    >>> raster = RasterResult(
    ...     sequence=np.array([0, 0, 1]), step=np.array([0, 4, 2]), neuron=np.array([7, 0, 7]),
    ...     lengths=np.array([5, 5]), begun=360, neurons=8, every=1,
    ...     most_steps=1000,
    ... )
    >>> raster.of(0)
    (array([0, 4]), array([7, 0]))
    """

    sequence: Integers
    step: Integers
    neuron: Integers
    lengths: Integers
    begun: int
    neurons: int
    every: int
    most_steps: int
    dt: float | None = field(default=None, kw_only=True)

    @property
    def kept(self) -> int:
        """Number of sequences kept."""
        return len(self.lengths)

    @property
    def watched(self) -> int:
        """Number of neurons watched."""
        return -(-self.neurons // self.every)

    def of(self, sequence: int) -> tuple[Integers, Integers]:
        """Steps and neurons of the events of one sequence; empty if nothing fired.

        Raises:
            IndexError: the sequence was not kept.
        """
        if not 0 <= sequence < self.kept:
            raise IndexError(f"sequence {sequence} was not kept: there are {self.kept}, from 0")
        within = slice(*np.searchsorted(self.sequence, [sequence, sequence + 1]))
        return self.step[within], self.neuron[within]


class Raster(CountsBlocks):
    """The events of the first sequences only: for a look at raw activity.

    The first `sequences` sequences are kept, in the order in which they begin; within a batch, in
    the order of its samples. A sequence of padding alone takes one of these places and leaves it
    empty. Of each sequence the first `steps` valid steps are kept. If a layer has more than
    `neurons` neurons, only every k-th is watched, with the smallest k that keeps to the limit. An
    event is a value that is not zero. Sequences start, and padded steps are skipped, as in the
    other statistics.

    Memory is bounded by `sequences · steps · neurons` bytes and does not grow with the data. Once
    the sequences are complete, an update costs next to nothing.

    A merge keeps this raster's sequences and then the other's, up to `sequences` in all. So the
    order of merging decides which are kept; grouping does not matter.

    With zero spikes there are sequences without events. Before any chunk there is no result.

    Args:
        sequences: the most sequences kept.
        steps: the most steps kept of a sequence.
        neurons: the most neurons watched.

    >>> import torch
    >>> from neuroact import Raster, SignalKind, SpikeChunk
    >>> raster = Raster()
    >>> spikes = torch.tensor([[[0, 1]], [[1, 1]]])
    >>> raster.update(SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True))
    >>> result = raster.result()
    >>> result.step.tolist(), result.neuron.tolist(), result.begun
    ([0, 1, 1], [1, 0, 1], 1)
    """

    kinds = SPIKING
    """The kinds of layers it applies to."""

    def __init__(self, sequences: int = 1, *, steps: int = 1000, neurons: int = 1000) -> None:
        self._limits = (sequences, steps, neurons)
        if not all(isinstance(n, Integral) and n >= 1 for n in self._limits):
            raise ValueError(f"expected whole numbers of 1 or more, came {self._limits}")
        self.reset()

    def __repr__(self) -> str:
        sequences, steps, neurons = self._limits
        return f"Raster({sequences}, steps={steps}, neurons={neurons})"

    def reset(self) -> None:
        """Forget everything, the neurons' shape included."""
        self._shape: torch.Size | None = None
        self._device: torch.device | None = None
        self._kept: list[Ended | Open] = []
        self._sequences = OpenSequences()
        self._open: Open | None = None

    def update(self, chunk: SpikeChunk) -> None:
        """Keep the next chunk, as far as the limits allow.

        Raises:
            StatisticKindError: the chunk's values are not spikes.
            ValueError: the chunk's neurons have another shape than those before.
        """
        lengths = None if chunk.valid is None else chunk.valid.sum(0)
        self._admit(chunk.neurons, chunk.values.device, chunk.kind)
        self._see(chunk.starts_sequence, chunk.steps, chunk.batch, lengths)
        if self._open is not None:
            self._open.add(chunk, self._every)

    def count(self, block: StepBlock) -> None:
        """Keep a block of steps, as `update` would.

        Raises:
            ValueError: its neurons have another shape than those before.
        """
        lengths = None if block.lengths is None else torch.from_numpy(block.lengths)
        self._admit(block.neurons, torch.device("cpu"), SignalKind.BINARY)
        self._see(block.starts_sequence, block.steps, block.batch, lengths)
        if self._open is not None:
            self._open.add(block.chunk(), self._every)

    def merge(self, other: Raster) -> None:
        """Keep the other's sequences after these. Its open sequences count as ended.

        Raises:
            MergeError: the two differ in the shape of the neurons or in their limits.
        """
        if other._shape is None:
            return
        if self._limits != other._limits or self._shape not in (None, other._shape):
            ours, theirs = ((x._limits, list(x._shape or ())) for x in (self, other))
            raise MergeError(
                "cannot merge rasters that differ in their neurons, or in the numbers of "
                f"sequences, steps and neurons that they keep: {theirs} into {ours}"
            )
        if self._shape is None:
            self._prepare(other._shape, other._device)
        self._begun.add_(other._begun.to(self._device))
        events, lengths = other._events()
        room = self._limits[0] - self._size
        if room > 0:
            within = events[events[:, 0] < room]
            self._kept.append(Ended(within.to(self._device), lengths[:room].to(self._device)))

    def state_dict(self) -> dict[str, Tensor]:
        """What is kept, as new tensors on the layer's device; empty before the first chunk.

        Keys: `events` int64 `[events, 3]`, sequence, step and neuron, sorted; `lengths` int64
        `[kept]`; `begun` int64 `[]`; `limits` int64 `[3]`, sequences, steps and neurons; `shape`,
        the shape of the neurons. While sequences are open also: `open` int64 `[3]`, the batch size,
        the first open one among the kept sequences, and how many of these are open; `pending`, bool
        `[batch]`, the sequences that have no valid step yet.
        """
        if self._shape is None:
            return {}
        events, lengths = self._events()
        state = {
            "events": events,
            "lengths": lengths,
            "begun": self._begun.clone(),
            "limits": self._whole(*self._limits),
            "shape": self._whole(*self._shape),
        }
        if self._sequences.batch is not None:
            first, number = 0, 0
            if self._open is not None:
                before = self._kept[: self._kept.index(self._open)]
                first, number = sum(map(len, before)), len(self._open)
            state["open"] = self._whole(self._sequences.batch, first, number)
            state["pending"] = self._sequences.clocks(self._device).eq(0)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace state and limits by those that `state_dict` returned.

        Raises:
            ValueError: the state is impossible: an event outside the kept sequences, steps or
                neurons.
        """
        self.reset()
        if not state:
            return
        events, lengths = state["events"].clone(), state["lengths"].clone()
        shape = torch.Size(state["shape"].tolist())
        self._prepare(shape, events.device)
        sequences, steps, neurons = state["limits"].tolist()
        self._limits = (sequences, steps, neurons)
        self._begun.copy_(state["begun"])
        check_events(events, lengths, self._limits, math.prod(shape), self._every)
        batch, first, number = state["open"].tolist() if "open" in state else (None, 0, 0)
        if batch is not None:
            known = "pending" in state
            self._sequences.resume((~state["pending"]).to(torch.int64) if known else batch)
        ended = Ended(events, lengths)
        self._kept = [ended]
        if number:
            opened, behind = ended.between(first, first + number), first + number
            self._open = Open.resumed(opened, self._every, self._watched, steps)
            self._kept = [ended.between(0, first), self._open, ended.between(behind, len(lengths))]

    def result(self) -> RasterResult | None:
        """What is kept, open sequences as they stand; None before the first chunk."""
        if self._shape is None:
            return None
        events, lengths = (tensor.cpu().numpy() for tensor in self._events())
        there = lengths > 0  # a sequence of padding alone left its place empty
        return RasterResult(
            sequence=(there.cumsum() - 1)[events[:, 0]],
            step=events[:, 1],
            neuron=events[:, 2],
            lengths=lengths[there],
            begun=int(self._begun),
            neurons=math.prod(self._shape or ()),
            every=self._every,
            most_steps=self._limits[1],
        )

    @property
    def _every(self) -> int:
        return max(1, -(-math.prod(self._shape or ()) // self._limits[2]))

    @property
    def _watched(self) -> int:
        return -(-math.prod(self._shape or ()) // self._every)

    @property
    def _size(self) -> int:
        return sum(map(len, self._kept))

    def _admit(self, neurons: torch.Size, device: torch.device, kind: SignalKind) -> None:
        if kind not in self.kinds:
            raise StatisticKindError(type(self).__name__, kind, self.kinds)
        if self._shape is None:
            self._prepare(neurons, device)
        elif self._shape != neurons:
            raise ValueError(f"expected neurons of shape {list(self._shape)}, came {list(neurons)}")
        elif self._device != device:
            self.load_state_dict({name: t.to(device) for name, t in self.state_dict().items()})

    def _prepare(self, shape: torch.Size, device: torch.device | None) -> None:
        self._shape, self._device = shape, device
        with torch.inference_mode(False):  # a tensor made inside could not be updated outside
            self._begun = torch.zeros((), dtype=torch.int64, device=device)

    def _see(self, starts: bool, steps: int, batch: int, lengths: Tensor | None) -> None:
        if self._sequences.starts(starts, batch):
            self._sequences.start(batch)
            number = min(batch, self._limits[0] - self._size)
            self._open = None
            if number > 0:
                self._open = Open(number, self._watched, self._limits[1], self._device)
                self._kept.append(self._open)
        begun = self._sequences.step(steps, lengths)
        if not isinstance(begun, int) or begun:
            self._begun.add_(begun)

    def _events(self) -> tuple[Tensor, Tensor]:
        """All events, `[events, 3]`, and all lengths, `[kept]`, in order."""
        events, lengths, first = [self._whole().reshape(0, 3)], [self._whole()], 0
        for part in self._kept:
            shift = self._whole(first, 0, 0)
            events.append(part.events(self._every) + shift)
            lengths.append(part.lengths)
            first += len(part)
        return torch.cat(events), torch.cat(lengths)

    def _whole(self, *numbers: int) -> Tensor:
        return torch.tensor(numbers, dtype=torch.int64, device=self._device)

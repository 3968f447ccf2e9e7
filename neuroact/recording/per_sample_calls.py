"""The operations of each repetition in the calls of a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import torch
from torch import Size, Tensor

from neuroact.layers.fan_out import Integers
from neuroact.recording.per_sample import Samples
from neuroact.recording.per_sample_sums import SampleSums
from neuroact.statistics.counting.parts import events_of, parts_of, per_sample
from neuroact.stream.chunk import SpikeChunk
from neuroact.stream.sparse import SparseChunk

AskFans: TypeAlias = Callable[[Size], Integers]

_OUTSIDE = (
    "it was called outside of a call of the recorded model, or in a compiled program, so that "
    "nothing says to which batch the call belongs: run each batch in a `with recording.batch():`"
)
_BAGS = "the indices that arrive are of bags of any size, not of one sample each"
_WIDE = "an element of its input meets 2^24 weights or more"

_MOST_EXACT = 2**24
"""Below it, float32 adds whole numbers exactly, in any order."""


class CallTally:
    """Works out the operations of each repetition in the calls of one connection.

    Args:
        samples: says whether the calls' samples will be known.
        sums: takes the operations.
        fans: gives the layer's fan-out for inputs of a shape.
        refuse: has the layer's operations not counted, for a reason.
    """

    def __init__(
        self, samples: Samples, sums: SampleSums, fans: AskFans, refuse: Callable[[str], None]
    ) -> None:
        self._samples, self._sums, self._fans = samples, sums, fans
        self.refuse = refuse
        self.forget()

    def forget(self) -> None:
        """Ask for the fan-out anew: the layer's weights or the shape of its input may be others."""
        self._vectors: dict[tuple[Size, torch.device], FanVector] = {}

    @property
    def padded(self) -> bool:
        """Whether the user said which steps of the batch under way are padding."""
        return self._samples.padded is not None

    @property
    def wanted(self) -> bool:
        """Whether `take` still has a use for calls."""
        return self._sums.problem is None

    def valid(self, leading: tuple[int, ...], device: torch.device) -> Tensor | None:
        """Which repetitions of a call are not padding, bool `[1, repetitions]`; None if none is.

        Raises:
            ValueError: that is not clear.
        """
        padded = self._samples.padded
        return None if padded is None else padded.valid(self, leading, device)

    def take(self, chunk: SpikeChunk, leading: tuple[int, ...]) -> None:
        """Take a call, `[1, repetitions, *shape]`; whatever fails, the model runs on.

        Args:
            chunk: the input.
            leading: its dimensions before those of one input; their product is the repetitions.
        """
        if not self.wanted:
            return
        try:
            self._sums.add_call(self._operations(chunk), leading)
        except Exception as cause:
            self._sums.fail(str(cause))

    def _operations(self, chunk: SpikeChunk) -> Tensor:
        if not self._samples.known:
            raise ValueError(_OUTSIDE)
        if isinstance(chunk, SparseChunk):
            raise ValueError(_BAGS)
        of = chunk.neurons, chunk.values.device
        if of not in self._vectors:
            self._vectors[of] = FanVector(self._fans(chunk.neurons), chunk.values.device)
        return self._vectors[of].operations(chunk)


class FanVector:
    """Multiplies events by their fan-out, exactly and in float32.

    Args:
        fans: the fan-out of each element of an input.
        device: where the inputs are.
    """

    def __init__(self, fans: Integers, device: torch.device) -> None:
        self.device = device
        flat, blocks = fans.ravel(), list(_blocks(fans.ravel()))
        with torch.inference_mode(False):
            each = torch.from_numpy(flat.astype(np.float32)).to(device)
        self._blocks = [(block, each[block]) for block in blocks]

    def operations(self, chunk: SpikeChunk) -> Tensor:
        """Effective operations of each repetition, int64; of a chunk of one step."""
        found = [self._of(per_sample(part.values)[0]) for part in parts_of(chunk)]
        if len(found) == 1:
            return found[0]
        return torch.cat(found) if found else chunk.values.new_zeros(0, dtype=torch.int64)

    def _of(self, values: Tensor) -> Tensor:
        events = events_of(values)
        # Not as a product of matrices, which a device may compute in fewer digits.
        if len(self._blocks) == 1:
            return events.mul_(self._blocks[0][1]).sum(1).to(torch.int64)
        sums = torch.zeros(len(events), dtype=torch.int64, device=self.device)
        for block, fans in self._blocks:
            sums.add_(events[:, block].mul_(fans).sum(1).to(torch.int64))
        return sums


def _blocks(fans: Integers) -> Iterator[slice]:
    """Parts of a fan-out whose sums float32 can add up exactly."""
    if fans.max(initial=0) >= _MOST_EXACT:
        raise ValueError(_WIDE)
    begin = 0
    while begin < len(fans):
        fitting = int(np.searchsorted(np.cumsum(fans[begin:]), _MOST_EXACT))
        yield slice(begin, begin + fitting)
        begin += fitting

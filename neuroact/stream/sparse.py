"""A chunk whose values would not fit into memory, but for most of them being zero."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neuroact.stream.chunk import SignalKind, SpikeChunk


@dataclass(frozen=True, slots=True)
class SparseChunk(SpikeChunk):
    """One step of which only some values are stored; all others are zero.

    Attributes:
        entries: those values, a coalesced sparse tensor `[batch, *neurons]`.

    `values` has the shape alone: zeros that take no memory. Who takes the chunk reads `entries`.

    >>> import torch
    >>> chunk = SparseChunk.of_entries(torch.eye(3).to_sparse())
    >>> chunk.steps, chunk.batch, chunk.neurons
    (1, 3, torch.Size([3]))
    """

    entries: Tensor | None = None

    @classmethod
    def of_entries(cls, entries: Tensor) -> SparseChunk:
        """The chunk of a coalesced sparse tensor `[batch, *neurons]`."""
        nothing = torch.zeros((), dtype=entries.dtype, device=entries.device)
        values = nothing.expand(1, *entries.shape)
        return cls(values, SignalKind.GRADED, starts_sequence=True, entries=entries.detach())

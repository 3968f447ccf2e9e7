"""A right statistic. Mutants derive from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact import SignalKind, SpikeChunk
from neuroact.errors import MergeError, StatisticKindError
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.testing.strategies import Stream


@dataclass(frozen=True)
class SpreadResult:
    """Sums over all sequences of a neuron's events, and of their squares."""

    sums: NDArray[np.int64]
    squares: NDArray[np.int64]


class Spread:
    """Events of each neuron in each sequence: sum and sum of squares over sequences."""

    kinds = frozenset({SignalKind.BINARY, SignalKind.GRADED})
    dtype = torch.int64

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.sums: Tensor | None = None
        self.squares: Tensor | None = None
        self.open: Tensor | None = None  # [batch, *neurons]

    def update(self, chunk: SpikeChunk) -> None:
        if chunk.kind not in self.kinds:
            raise StatisticKindError(type(self).__name__, chunk.kind, self.kinds)
        self.admit(chunk.neurons)
        if self.open is None or self.begins(chunk) or len(self.open) != chunk.batch:
            self.close()
            with torch.inference_mode(False):
                self.open = torch.zeros(chunk.batch, *chunk.neurons, dtype=self.dtype)
        self.open.add_(self.counted(self.events(chunk), chunk))

    def admit(self, neurons: torch.Size) -> None:
        if self.sums is None:
            with torch.inference_mode(False):
                self.sums = torch.zeros(neurons, dtype=self.dtype)
                self.squares = torch.zeros(neurons, dtype=self.dtype)
        elif self.sums.shape != neurons:
            raise ValueError(f"expected neurons {self.sums.shape}, came {neurons}")

    def begins(self, chunk: SpikeChunk) -> bool:
        return chunk.starts_sequence

    def events(self, chunk: SpikeChunk) -> Tensor:
        events = chunk.values.ne(0)
        return events if chunk.valid is None else events & self.mask(chunk)

    def mask(self, chunk: SpikeChunk) -> Tensor:
        assert chunk.valid is not None
        return chunk.valid.reshape(*chunk.valid.shape, *(1,) * (chunk.values.ndim - 2))

    def counted(self, events: Tensor, chunk: SpikeChunk) -> Tensor:
        return events.sum(0)

    def count(self, block: StepBlock) -> None:
        self.update(block.chunk())

    def close(self) -> None:
        if self.open is not None and self.sums is not None and self.squares is not None:
            self.sums.add_(self.open.sum(0))
            self.squares.add_(self.open.square().sum(0))
        self.open = None

    def copy(self) -> Any:
        twin = type(self)()
        twin.load_state_dict(self.state_dict())
        return twin

    def merge(self, other: Any) -> None:
        closed = other.copy()
        closed.close()
        if closed.sums is None:
            return
        if self.sums is not None and self.sums.shape != closed.sums.shape:
            raise MergeError("other neurons")
        self.admit(closed.sums.shape)
        assert self.sums is not None
        assert self.squares is not None
        self.sums.add_(closed.sums)
        self.squares.add_(closed.squares)

    def state_dict(self) -> dict[str, Tensor]:
        held = {"sums": self.sums, "squares": self.squares, "open": self.open}
        return {name: tensor.clone() for name, tensor in held.items() if tensor is not None}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        with torch.inference_mode(False):
            for name in ("sums", "squares", "open"):
                setattr(self, name, state[name].clone() if name in state else None)

    def result(self) -> Any:
        closed = self.copy()
        closed.close()
        if closed.sums is None:
            return None
        return SpreadResult(closed.sums.numpy(), closed.squares.numpy())


def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
    """Computed by NumPy, without the class above."""
    counts = [np.count_nonzero(sequence, axis=0) for sequence in stream.of_samples]
    none = np.zeros(stream.neurons, dtype=np.int64)
    return {
        "sums": sum(counts, start=none),
        "squares": sum((count**2 for count in counts), start=none),
    }

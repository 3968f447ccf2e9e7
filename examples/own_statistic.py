"""A statistic of your own: the longest silence of each neuron, first checked, then recorded.

Run: python examples/own_statistic.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import neuroact
from neuroact import SignalKind, SpikeChunk
from neuroact.errors import MergeError
from neuroact.statistics import check_kind
from neuroact.testing import check_statistic
from neuroact.testing.strategies import Stream


@dataclass(frozen=True)
class LongestSilenceResult:
    """The longest silence of each neuron in steps, int64 `[*neurons]`."""

    longest: np.ndarray[Any, Any]


class LongestSilence:
    """The longest run of steps without a spike of each neuron, within one sample's sequence.

    A silence that lasts until its sequence ends counts up to that end.
    """

    kinds = frozenset({SignalKind.BINARY, SignalKind.GRADED})  # real values are hardly ever 0

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.longest: Tensor | None = None  # int64 [*neurons]: of all sequences
        self.silent: Tensor | None = None  # int64 [batch, *neurons]: how long it has lasted

    def update(self, chunk: SpikeChunk) -> None:
        """Count the layer's next chunk, without waiting for the device."""
        check_kind([self], chunk.kind)
        device = chunk.values.device
        if self.longest is None:
            self.longest = torch.zeros(chunk.neurons, dtype=torch.int64)
        elif self.longest.shape != chunk.neurons:
            raise ValueError(f"expected neurons {self.longest.shape}, came {chunk.neurons}")
        if chunk.starts_sequence or self.silent is None or len(self.silent) != chunk.batch:
            self.silent = torch.zeros(chunk.batch, *chunk.neurons, dtype=torch.int64)
        longest, silent = self.longest.to(device), self.silent.to(device)
        for number, step in enumerate(chunk.values):
            grown = torch.where(step == 0, silent + 1, 0)
            if chunk.valid is not None:  # a padded step does not exist, whatever its values are
                valid = chunk.valid[number].reshape(-1, *(1,) * len(chunk.neurons))
                grown = torch.where(valid, grown, silent)
            silent = grown
            longest = torch.maximum(longest, silent.amax(0)) if chunk.batch else longest
        self.longest, self.silent = longest, silent

    def merge(self, other: LongestSilence) -> None:
        """Take the longer silence of both, which does not depend on order or grouping."""
        if other.longest is None:
            return
        if self.longest is None:
            self.longest = torch.zeros_like(other.longest)
        if self.longest.shape != other.longest.shape:
            raise MergeError(f"cannot add neurons {other.longest.shape} to {self.longest.shape}")
        self.longest = torch.maximum(self.longest, other.longest.to(self.longest.device))

    def state_dict(self) -> dict[str, Tensor]:
        """Everything counted, including silences that still last."""
        kept = {"longest": self.longest, "silent": self.silent}
        return {name: tensor.clone() for name, tensor in kept.items() if tensor is not None}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state_dict` gave."""
        kept = {name: tensor.clone() for name, tensor in state.items()}
        self.longest, self.silent = kept.get("longest"), kept.get("silent")

    def result(self) -> LongestSilenceResult | None:
        """On the host, without torch; None before the first chunk."""
        return None if self.longest is None else LongestSilenceResult(self.longest.cpu().numpy())


def by_numpy(stream: Stream, kind: SignalKind) -> dict[str, np.ndarray[Any, Any]]:
    """The same, computed slowly by NumPy from the raw values."""
    longest = np.zeros(stream.neurons, dtype=np.int64)
    for sequence in stream.sequences:
        run = np.zeros(sequence.shape[1:], dtype=np.int64)
        for step in sequence:
            run = np.where(step == 0, run + 1, 0)
            longest = np.maximum(longest, run.max(0, initial=0))
    return {"longest": longest}


def main() -> None:
    """Check the statistic, then record with it."""
    print(check_statistic(LongestSilence, expected=by_numpy))

    recording = neuroact.Recording(statistics=[LongestSilence])  # or neuroact.record(net, ...)
    steps = torch.arange(120).reshape(120, 1, 1).expand(120, 8, 3)
    recording.observe("clocks", steps % torch.tensor([2, 3, 100]) == 0)
    layer = recording.report()["clocks"]
    print(f"longest silences: {layer[LongestSilence].longest}")


if __name__ == "__main__":
    main()

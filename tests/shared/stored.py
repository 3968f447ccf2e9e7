"""Recordings to store and merge, and a comparison of two to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neuroact import Recording, SignalKind, SpikeChunk
from neuroact.statistics import BUILT_IN, Firing
from neuroact.testing.strategies import Stream

# By name; Firing is always kept.
ALL_BUT_FIRING = [cls for name, cls in sorted(BUILT_IN.items()) if cls is not Firing]

LEVELS = {
    SignalKind.BINARY: (0.0, 1.0),
    SignalKind.GRADED: (0.0, -0.5, 1.0, 3.0),
    SignalKind.ANALOG: (0.0, 0.125, -2.5),
}


class Largest:
    """A user's own statistic; its state has unusual dtypes, and keys that look like paths."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.reset()

    def reset(self) -> None:
        self.seen = torch.zeros(0, dtype=torch.bfloat16)
        self.steps = torch.zeros((), dtype=torch.int16)

    def update(self, chunk: SpikeChunk, /) -> None:
        if chunk.values.numel():
            largest = chunk.values.double().flatten(1).amax(1) * self.scale
            self.seen = torch.cat([self.seen, largest.to(torch.bfloat16)]).sort().values
        self.steps += chunk.steps

    def merge(self, other: Largest, /) -> None:
        self.seen = torch.cat([self.seen, other.seen]).sort().values
        self.steps += other.steps

    def state_dict(self) -> dict[str, Tensor]:
        return {"../seen": self.seen.clone(), "a.b": self.steps.clone(), "": torch.zeros(0, 2)}

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> None:
        self.seen, self.steps = state["../seen"].clone(), state["a.b"].clone()

    def result(self) -> Any:
        return self.seen.tolist(), int(self.steps)


def fed(
    stream: Stream, kind: SignalKind = SignalKind.BINARY, name: str = "lif", **options: Any
) -> Recording:
    """A recording of a stream that was fed by hand."""
    recording = Recording(**options)
    feed(recording, stream, kind, name)
    return recording


def feed(
    recording: Recording, stream: Stream, kind: SignalKind = SignalKind.BINARY, name: str = "lif"
) -> None:
    for sequence in stream.sequences:
        recording.observe(name, torch.from_numpy(sequence), axes=stream.axes, kind=kind)


def settled(recording: Recording, name: str = "lif") -> tuple[Any, ...]:
    """A layer's statistics, with everything counted that came."""
    with recording._layers[name].settled() as statistics:
        return statistics


def bits_of(recording: Recording) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """Everything that a recording has counted: dtype, shape and bits of every tensor."""
    found = {}
    for name, layer in recording._layers.items():
        with layer.settled() as statistics:
            for statistic in statistics:
                for key, tensor in statistic.state_dict().items():
                    found[name, type(statistic).__name__, key] = form_of(tensor)
    return found


def form_of(tensor: Tensor) -> tuple[Any, ...]:
    # float64 represents every other dtype here to the bit, even -0.0.
    wide = tensor if tensor.dtype is torch.int64 else tensor.double()
    return tensor.dtype, tuple(tensor.shape), wide.cpu().numpy().tobytes()


def same(ours: Recording, theirs: Recording) -> bool:
    """Whether two recordings are the same, to the bit; the order of layers does not matter."""
    return (
        dict(ours.layers) == dict(theirs.layers)
        and ours.dt == theirs.dt
        and bits_of(ours) == bits_of(theirs)
    )

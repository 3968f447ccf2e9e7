"""A recording in a file: the same to the bit, and readable without neuroact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from neuroact import Recording, SignalKind, SpikeChunk
from neuroact.storage import from_bytes, to_bytes
from strategies import Stream, streams

KINDS = {
    SignalKind.BINARY: (0.0, 1.0),
    SignalKind.GRADED: (0.0, -0.5, 1.0, 3.0),
    SignalKind.ANALOG: (0.0, 0.1, -2.5),
}


class Largest:
    """A statistic of a user's own, with state of many dtypes and keys that look like paths."""

    def __init__(self, bins: int = 3) -> None:
        self.bins = bins
        self.reset()

    def reset(self) -> None:
        self.seen = torch.zeros(0, dtype=torch.bfloat16)
        self.calls = torch.zeros((), dtype=torch.int16)

    def update(self, chunk: SpikeChunk, /) -> None:
        self.seen = torch.cat([self.seen, chunk.values.amax().reshape(1).to(torch.bfloat16)])
        self.calls += 1

    def merge(self, other: Any, /) -> None:
        self.seen = torch.cat([self.seen, other.seen]).sort().values
        self.calls += other.calls

    def state_dict(self) -> dict[str, Tensor]:
        return {"../seen": self.seen.clone(), "a.b": self.calls.clone(), "": torch.zeros(0, 2)}

    def load_state_dict(self, state: Mapping[str, Tensor], /) -> None:
        self.seen, self.calls = state["../seen"].clone(), state["a.b"].clone()

    def result(self) -> Any:
        return self.seen.tolist(), int(self.calls)


def fed(
    stream: Stream, kind: SignalKind = SignalKind.BINARY, name: str = "lif", **options: Any
) -> Recording:
    recording = Recording(**options)
    for sequence in stream.sequences:
        recording.observe(name, torch.from_numpy(sequence), kind=kind)
    return recording


def state_of(recording: Recording) -> dict[tuple[str, int, str], Tensor]:
    return {
        (name, place, key): tensor
        for name, layer in recording._layers.items()
        for place, statistic in enumerate(layer.statistics)
        for key, tensor in statistic.state_dict().items()
    }


def same(ours: Recording, theirs: Recording) -> bool:
    """Whether two recordings hold the same, to the bit."""
    a, b = state_of(ours), state_of(theirs)
    return (
        dict(ours.layers) == dict(theirs.layers)
        and a.keys() == b.keys()
        and all(a[k].dtype == b[k].dtype and a[k].shape == b[k].shape for k in a)
        and all(a[k].numpy().tobytes() == b[k].numpy().tobytes() for k in a if a[k].itemsize != 2)
        and ours.dt == theirs.dt
    )


@given(st.data(), st.sampled_from(list(KINDS)), st.sampled_from([None, 0.001, 1 / 3]))
def test_a_recording_comes_back_from_bytes_to_the_bit(
    data: st.DataObject, kind: SignalKind, dt: float | None
) -> None:
    recording = fed(data.draw(streams(KINDS[kind])), kind, data.draw(st.text()), dt=dt)
    again = from_bytes(to_bytes(recording))
    assert same(again, recording)
    assert to_bytes(again) == to_bytes(recording)
    assert again.report() == recording.report()

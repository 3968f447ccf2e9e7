"""Spike trains of neo, which PyNN, elephant and many file formats hand out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuroact.errors import EventError
from neuroact.stream.events import EventList


class NeoReader:
    """Reads a `Block`, a `Segment`, a `SpikeTrainList`, a `SpikeTrain`, and a list of trains.

    Each train is a neuron, in their order; those without spikes too. The segments of a block are
    samples, each from its `t_start` to its `t_stop`, and have to have as many trains. Each train is
    rescaled to seconds by its own unit. A spike at `t_stop` itself, which neo allows, is outside of
    `[t_start, t_stop)` and refused: say `closed="right"` for simulators whose times mark the end of
    a step, such as NEST.
    """

    framework = "neo"
    tested = ("0.14.6", "0.14.6")

    def read(self, source: Any) -> EventList | None:
        """The spikes of the trains; None for any other object."""
        kind = type(source).__name__
        if kind == "Block":
            parts = [list(segment.spiketrains) for segment in source.segments]
        elif kind == "Segment":
            parts = [list(source.spiketrains)]
        elif kind == "SpikeTrain":
            parts = [[source]]
        elif kind in ("SpikeTrainList", "list", "tuple"):
            parts = [list(source)]
        else:
            return None
        if not all(type(train).__name__ == "SpikeTrain" for part in parts for train in part):
            return None
        return _events(parts, kind)


def _events(parts: Sequence[Sequence[Any]], kind: str) -> EventList:
    if not parts:
        raise EventError("expected segments, came a block without any")
    numbers = {len(part) for part in parts}
    if len(numbers) != 1 or not min(numbers):
        raise EventError(
            f"expected as many spike trains in each segment, one or more, came {sorted(numbers)}"
        )
    spans = [_span(part) for part in parts]
    trains = [
        (sample, neuron, _seconds(train) - spans[sample][0])
        for sample, part in enumerate(parts)
        for neuron, train in enumerate(part)
    ]
    sizes = [len(times) for _, _, times in trains]
    return EventList(
        times=np.concatenate([times for _, _, times in trains]),
        indices=np.repeat([neuron for _, neuron, _ in trains], sizes),
        shape=(numbers.pop(),),
        duration=[end - start for start, end in spans],
        samples=np.repeat([sample for sample, _, _ in trains], sizes),
        batch=len(parts),
        framework="neo",
        layer_type="SpikeTrain" if kind in ("list", "tuple") else kind,
    )


def _span(trains: Sequence[Any]) -> tuple[float, float]:
    """When the trains of one segment start and end, in seconds."""
    spans = {(float(t.t_start.rescale("s")), float(t.t_stop.rescale("s"))) for t in trains}
    if len(spans) != 1:
        raise EventError(
            "expected spike trains that start and end at the same times, came "
            f"{sorted(spans)[:4]} s: cut them with time_slice, or feed each by itself"
        )
    return spans.pop()


def _seconds(train: Any) -> Any:
    return np.asarray(train.rescale("s").magnitude, np.float64)

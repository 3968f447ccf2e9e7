"""The parts of a recording without its model: what a file holds, and what a merge adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from neuroact.recording.connections import Connections
from neuroact.recording.layer import LayerRecorder
from neuroact.statistics.choice import StatisticFactory


@dataclass(frozen=True, slots=True)
class RecordingParts:
    """What a recording is made of.

    Attributes:
        dt: seconds per time step; None if not known.
        origin: where the figures come from; None if all was fed by hand.
        factories: build each layer's statistics.
        layers: by reported name, in the model's order.
        connections: layers whose operations are counted; None where operations are not recorded.
    """

    dt: float | None
    origin: dict[str, Any] | None
    factories: tuple[StatisticFactory, ...]
    layers: Mapping[str, LayerRecorder]
    connections: Connections | None = None


def seconds_of(dt: object) -> float:
    """A time step in seconds, as a float.

    Raises:
        TypeError, ValueError: `dt` is not a number of seconds above 0.
    """
    if isinstance(dt, bool) or not isinstance(dt, Real):
        raise TypeError(
            f"expected dt= to be a number of seconds, came {dt!r:.100}; a step of 1 ms is dt=0.001"
        )
    seconds = float(dt)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"expected dt= to be a number of seconds above 0, came {dt!r}")
    return seconds

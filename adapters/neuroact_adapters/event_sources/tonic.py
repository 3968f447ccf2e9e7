"""Events of event cameras and audio sensors, in Tonic's structured arrays."""

from __future__ import annotations

from typing import Any

from neuroact.errors import EventError
from neuroact.stream.events import EventList

_TO_SECONDS = 1e-6


class TonicReader:
    """Reads a structured array with a field `t`, in microseconds, and `x`, `y` and `p` if it has.

    The array does not say how large the sensor is: give `shape=` in the order polarity, y, x, of
    those fields that it has. Nor does it say how long the recording was: give `duration=`. Frames
    that Tonic made are arrays of counts: `observe(name, frames, axes="TN", kind="graded")`.
    """

    framework = "tonic"
    tested = ("1.7.0", "1.7.0")

    def read(self, source: Any) -> EventList | None:
        """The events; None for an array without such fields."""
        names = getattr(getattr(source, "dtype", None), "names", None) or ()
        places = [name for name in ("p", "y", "x") if name in names]
        if "t" not in names or not places:
            return None
        if source["t"].dtype.kind not in "iu":
            raise EventError(
                f"expected t in whole microseconds, as Tonic has it, came {source['t'].dtype}: "
                "give the times in seconds, and the places: observe_events(name, times, (y, x), …)"
            )
        return EventList(
            times=source["t"] * _TO_SECONDS,
            indices=tuple(source[name] for name in places),
            framework="tonic",
            layer_type="events",
        )

"""Units of files in the format Neurodata Without Borders (NWB), as pynwb reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neuroact.errors import EventError
from neuroact.stream.events import EventList


class NwbReader:
    """Reads an `NWBFile`, or its table of `Units`.

    Each unit is a neuron, in the table's order, those without spikes too. The table's
    `obs_intervals`, the same of all units, are samples: only what lies inside of them was observed.
    A file without them does not say how long it observed: give `duration=`, and `start=` where the
    observation did not begin at 0.
    """

    framework = "pynwb"
    tested = ("4.2.0", "4.2.0")

    def read(self, source: Any) -> EventList | None:
        """The units' spikes; None for any other object."""
        kind = type(source).__name__
        if kind not in ("NWBFile", "Units"):
            return None
        units = source.units if kind == "NWBFile" else source
        if units is None or not len(units.id):
            raise EventError("the file has no units")
        numbers = range(len(units.id))
        trains = [np.asarray(units.get_unit_spike_times(k), np.float64) for k in numbers]
        times = np.concatenate(trains)
        indices = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
        found = EventList(
            times=times,
            indices=indices,
            shape=(len(trains),),
            framework="pynwb",
            layer_type="Units",
        )
        if "obs_intervals" not in units.colnames:
            return found
        starts, ends = _intervals([np.asarray(units.get_unit_obs_intervals(k)) for k in numbers])
        sample = np.searchsorted(starts, times, side="right") - 1
        outside = (sample < 0) | (times > ends[np.maximum(sample, 0)])
        if outside.any():
            raise EventError(
                f"{int(outside.sum())} of {len(times)} spikes lie outside of obs_intervals, the "
                f"first at {float(times[outside][0])!r} s"
            )
        return replace(
            found,
            times=times - starts[sample],
            samples=sample,
            batch=len(starts),
            duration=ends - starts,
        )


def _intervals(found: list[Any]) -> tuple[Any, Any]:
    """Starts and ends of the intervals that all units were observed in, in order."""
    first = found[0].reshape(-1, 2)
    if any(not np.array_equal(first, other.reshape(-1, 2)) for other in found) or not len(first):
        raise EventError(
            "expected obs_intervals that are the same for all units: feed units of other intervals "
            "as layers of their own"
        )
    first = first[np.argsort(first[:, 0])]
    if (first[1:, 0] < first[:-1, 1]).any():
        raise EventError("expected obs_intervals that do not overlap")
    return first[:, 0], first[:, 1]

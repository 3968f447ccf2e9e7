"""Spike monitors of Brian 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroact.errors import EventError
from neuroact.stream.events import EventList


class Brian2Reader:
    """Reads a `SpikeMonitor`: all neurons of its group, silent ones too, from time 0 to now.

    A monitor that was made later does not say when: give `start=`, in seconds. Without another dt,
    the step is that of the group's clock. A monitor with `record=False` has only counts, and is
    refused.
    """

    framework = "brian2"
    tested = ("2.9.0", "2.9.0")

    def read(self, source: Any) -> EventList | None:
        """The monitor's spikes; None for any other object."""
        if type(source).__name__ != "SpikeMonitor":
            return None
        if not source.record:
            raise EventError("the SpikeMonitor has only counts: make it with record=True")
        clock = source.source.clock
        return EventList(
            times=np.asarray(source.t_[:], np.float64),
            indices=np.asarray(source.i[:]),
            shape=(len(source.source),),
            duration=float(np.asarray(clock.t_)),
            dt=float(np.asarray(clock.dt_)),
            framework="brian2",
            layer_type=type(source.source).__name__,
        )

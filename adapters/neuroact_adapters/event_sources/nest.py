"""Spike recorders of NEST."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from neuroact.errors import EventError
from neuroact.stream.events import EventList


class NestReader:
    """Reads a `spike_recorder`: the neurons that are connected to it, silent ones too.

    Neurons are in the order of their global ids. Times mark the end of a step, so a step is
    `(t, t + dt]`; those of precise models lie between. The time observed reaches from the
    recorder's `origin + start`, or from 0, to its `origin + stop`, or to now. A recorder that was
    made or emptied (`n_events = 0`) later does not say when: give `start=`, in seconds. Without
    another dt, the step is NEST's resolution.
    Of several processes (MPI), each has the spikes of its own neurons.
    """

    framework = "nest"
    tested = ("3.10.0", "3.10.0")

    def read(self, source: Any) -> EventList | None:
        """The recorder's spikes; None for what is not a spike recorder."""
        nest: Any = sys.modules["nest"]
        models = getattr(source, "model", None)
        if models not in ("spike_recorder", ("spike_recorder",) * len(source)):
            return None
        if len(source) != 1:
            raise EventError(
                f"expected one spike_recorder, came {len(source)}: feed each by itself"
            )
        if source.record_to != "memory":
            raise EventError(
                f"the recorder writes to {source.record_to!r}: only record_to='memory' can be read"
            )
        events = source.events
        times = np.asarray(events["times"])
        if times.dtype.kind in "iu":  # time_in_steps=True: whole steps, less an offset
            times = times * nest.resolution - np.asarray(events["offsets"])
        connected = nest.GetConnections(target=source)
        ids = np.unique(np.asarray(connected.get("source"), np.int64)) if connected else ()
        if not len(ids):
            raise EventError("no neuron is connected to the spike_recorder")
        start = source.origin + source.start
        end = min(source.origin + source.stop, nest.biological_time)
        return EventList(
            times=times * 1e-3,
            indices=np.asarray(events["senders"]),
            shape=(len(ids),),
            ids=ids,
            start=start * 1e-3,
            duration=(end - start) * 1e-3,
            closed="right",
            dt=nest.resolution * 1e-3,
            framework="nest",
            layer_type="spike_recorder",
        )

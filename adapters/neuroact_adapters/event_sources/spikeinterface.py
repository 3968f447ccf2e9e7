"""Sortings of SpikeInterface."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroact.stream.events import EventList


class SpikeInterfaceReader:
    """Reads a sorting: each unit is a neuron, in the order of `unit_ids`; segments are samples.

    How long a segment is follows from the recording that is registered at the sorting
    (`register_recording`). Without one it is not known: give `duration=`, one number for each
    segment. The rate of 30 kHz makes very short steps: say a `dt` of a millisecond, and
    `several="clip"` or "count" for the few units with two spikes in one.
    """

    framework = "spikeinterface"
    tested = ("0.105.3", "0.105.3")

    def read(self, source: Any) -> EventList | None:
        """The sorting's spikes; None for any other object."""
        if not hasattr(source, "to_spike_vector"):
            return None
        rate, segments = float(source.sampling_frequency), int(source.get_num_segments())
        spikes = source.to_spike_vector()
        duration = None
        if source.has_recording():
            samples = [source.get_num_samples(k) for k in range(segments)]
            duration = np.asarray(samples) / rate
        return EventList(
            times=spikes["sample_index"] / rate,
            indices=np.asarray(spikes["unit_index"]),
            shape=(len(source.unit_ids),),
            samples=np.asarray(spikes["segment_index"]),
            batch=segments,
            duration=duration,
            framework="spikeinterface",
            layer_type=type(source).__name__,
        )

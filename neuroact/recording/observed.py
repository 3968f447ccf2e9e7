"""Makes chunks and lists of events of what the user feeds by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neuroact.errors import ChunkError, EventError
from neuroact.layers.axes import Axes
from neuroact.layers.event_sources import events_of
from neuroact.layers.reading import kind_of
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.stream.events import BinnedEvents, EventList, binned
from neuroact.stream.seconds import seconds
from neuroact.stream.tensors import as_tensor


def observed(
    name: str,
    values: Any,
    axes: str | None,
    kind: SignalKind | str,
    starts_sequence: bool,
    valid: Any,
) -> SpikeChunk:
    """A chunk of the layer `name`; arguments as in `Recording.observe`.

    Raises:
        ChunkError: the values or the mask cannot be read or do not fit; names the layer.
        TypeError, ValueError: `axes` or `kind` is not valid.
    """
    order = Axes("TBN" if axes is None else axes)
    meaning = kind_of(kind)
    try:
        tensor = as_tensor(values)
        if axes is None and tensor.ndim < 3:
            raise ChunkError(_which_axes(tuple(tensor.shape)))
        mask = None if valid is None else as_tensor(valid)
        return SpikeChunk(order.ordered(tensor), meaning, starts_sequence, mask)
    except ValueError as cause:
        raise ChunkError(f'layer "{name}": {cause}', layer=name) from cause


def event_list(name: str, times: Any, indices: Any, given: Mapping[str, Any]) -> EventList:
    """The events of the layer `name`; arguments as in `Recording.observe_events`.

    Raises:
        EventError: no reader knows the source; names the layer.
        TypeError: arguments that do not fit together.
    """
    said = {key: value for key, value in given.items() if value is not None}
    neurons, shape = said.pop("neurons", None), said.pop("shape", None)
    if neurons is not None and shape is not None:
        raise TypeError(f'layer "{name}": expected neurons= or shape=, came both')
    if neurons is not None:
        shape = (neurons,)
    if shape is not None:
        said["shape"] = shape
    if "start" in said:
        said["start"] = _start(name, said["start"])
    if indices is None:
        try:
            found = events_of(times)
            if "start" in said and "duration" not in said and found.batch == 1:
                said["duration"] = _until_the_same_end(found, said["start"])
            return replace(found, **said)
        except ValueError as cause:
            raise EventError(f'layer "{name}": {cause}', layer=name) from cause
    if ("samples" in said) is not ("batch" in said):
        raise TypeError(
            f'layer "{name}": expected samples= and batch= together: the sample of each event, and '
            "how many samples there are, those without events too"
        )
    return EventList(times=times, indices=indices, **said)


def _start(name: str, given: Any) -> float:
    try:
        found, _ = seconds(given, "start")
        if len(found) != 1 or not np.isfinite(found[0]):
            raise EventError(f"expected start= to be one number of seconds, came {given!r}")
    except ValueError as cause:
        raise EventError(f'layer "{name}": {cause}', layer=name) from cause
    return float(found[0])


def _until_the_same_end(source: EventList, start: float) -> Any:
    """The duration of a source that is observed from `start` on."""
    if source.duration is None:
        return None
    (duration,), _ = seconds(source.duration, "duration")
    return source.start + duration - start


def binned_of(name: str, events: EventList, dt: float) -> BinnedEvents:
    """The events of the layer `name` in steps of `dt` seconds.

    Raises:
        EventError: as `binned`; names the layer.
    """
    try:
        return binned(events, dt)
    except EventError as cause:
        raise EventError(f'layer "{name}": {cause}', layer=name) from cause


def _which_axes(shape: tuple[int, ...]) -> str:
    came = f"came values of shape {list(shape)}, without axes= to say what each dimension is"
    if len(shape) == 2:
        pairs = "; pairs such as (neuron, step) are not read: make an array of 0 and 1 of them"
        return (
            f'{came}: say axes="TN" for [time, neurons], "NT" for [neurons, time], "BN" for one '
            f'step of a batch or "TB" for a single neuron{pairs if shape[1] == 2 else ""}'
        )
    if len(shape) == 1:
        return f'{came}: say axes="N" for one step of many neurons, "T" for one neuron over time'
    return f"{came}: expected [time, batch, *neurons]"

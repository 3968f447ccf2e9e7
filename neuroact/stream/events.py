"""Lists of events, as simulators, recordings and chips hand them out: who fired when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuroact.errors import EventError
from neuroact.stream.seconds import array_of, seconds

Several: TypeAlias = Literal["error", "clip", "count"]
Closed: TypeAlias = Literal["left", "right"]

_BORDER = 1e-6
"""A time this close to the border of two steps, in steps, lies on it: floats are rounded."""
_ROUNDINGS = 8
"""So many roundings of a time to its precision are taken for none, too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EventList:
    """Events of one layer, and what they say of the neurons and times without any.

    Attributes:
        times: of each event, in seconds, in any order; an array of floats, or values with units.
        indices: the neuron of each event: its index in C order or, with `ids`, its id; or a tuple
            with an array for each dimension of `shape`.
        shape: shape of the neurons; `(n,)` for n neurons. None if the source does not say it.
        duration: seconds observed, from `start` on; or one number for each sample. The last step
            may be observed in part. None if the source does not say it.
        start: time at which the observation starts, in seconds.
        ids: the id of each neuron, `[neurons]`, if `indices` are ids.
        samples: the sample (trial, segment) of each event, counted from 0; None if there is one.
        batch: number of samples.
        closed: which end of a step belongs to it: "left" for `[t, t + dt)`, "right" for
            `(t, t + dt]`, as in NEST.
        several: what to do if a neuron has several events in one step: "error"; "clip", to count
            one; or "count", which makes the layer graded.
        dt: the source's own time step in seconds; None if it has none.
        framework: the package that the events come from.
        layer_type: what that package calls the source.

    >>> from neuroact.stream.events import EventList
    >>> EventList(times=[0.001, 0.0035], indices=[0, 2], shape=(3,), duration=0.005).batch
    1
    """

    times: Any
    indices: Any
    shape: Sequence[int] | None = None
    duration: Any = None
    start: float = 0.0
    ids: Any = None
    samples: Any = None
    batch: int = 1
    closed: Closed = "left"
    several: Several = "error"
    dt: float | None = None
    framework: str = "observed"
    layer_type: str = "events"


@dataclass(frozen=True, eq=False)
class BinnedEvents:
    """Events by sample, step and neuron, in this order, each cell once.

    Attributes:
        shape: shape of the neurons.
        lengths: steps of each sample, int64 `[batch]`.
        sample, step, neuron: where there are events, int64 `[cells]`.
        counts: events in each of these cells, int64 `[cells]`; None if one in each.
    """

    shape: tuple[int, ...]
    lengths: NDArray[np.int64]
    sample: NDArray[np.int64]
    step: NDArray[np.int64]
    neuron: NDArray[np.int64]
    counts: NDArray[np.int64] | None

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape, dtype=np.int64))

    def of_samples(self, first: int, end: int) -> BinnedEvents:
        """Those of the samples from `first` on, `end` excluded, renumbered from 0."""
        here = slice(*np.searchsorted(self.sample, (first, end)))
        counts = None if self.counts is None else self.counts[here]
        lengths, sample = self.lengths[first:end], self.sample[here] - first
        return BinnedEvents(self.shape, lengths, sample, self.step[here], self.neuron[here], counts)

    def windows(self, steps: int) -> Iterator[tuple[int, int, NDArray[np.intp]]]:
        """Windows of so many steps: the first step, the number of them, and which cells are in."""
        total = int(self.lengths.max(initial=0))
        # Cells of one sample are in this order already.
        order = np.arange(len(self.step)) if len(self.lengths) == 1 else np.argsort(self.step)
        ends = np.searchsorted(self.step[order], np.arange(0, total + steps, steps))
        for first, begin, end in zip(range(0, total, steps), ends[:-1], ends[1:], strict=False):
            yield first, min(steps, total - first), order[begin:end]


def binned(events: EventList, dt: float) -> BinnedEvents:
    """The events in steps of `dt` seconds.

    The step of an event is `floor((time - start) / dt)`, with `closed="right"` one less at the
    border of two steps. A time that is within 1e-6 of a step of a border, and within the rounding
    of its float type, lies on the border: 0.3 / 0.1 comes out a little below 3.

    Raises:
        EventError: an event lies outside the observation, is of an unknown neuron or sample, or has
            no finite time; several fall into one cell though `several` is "error"; the shape or
            the duration is not known; arrays are of different lengths, or no numbers.
    """
    shape = _shape(events.shape)
    times, precision = seconds(events.times, "times")
    indices = _flat_indices(events.indices, shape)
    neuron = _indices(indices, events.ids, int(np.prod(shape, dtype=np.int64)))
    sample = _samples(events, len(times))
    if not len(times) == len(neuron) == len(sample):
        raise EventError(
            f"expected times, indices and samples of one length, came {len(times)}, {len(neuron)} "
            f"and {len(sample)}"
        )
    lengths = _lengths(events, dt)
    step = _steps(times, precision, events, dt)
    outside = (step < 0) | (step >= lengths[sample])
    if outside.any():
        first = times[outside][0]
        raise EventError(
            f"{int(outside.sum())} of {len(times)} events lie outside of the time observed, the "
            f"first at {first!s} s: expected times from start={events.start!r} s on, for "
            f"duration={events.duration!r} s. Correct these, or leave the events out yourself"
        )
    steps, neurons = int(lengths.max()), int(np.prod(shape, dtype=np.int64))
    alone, sample, step, neuron = _sorted(sample, step, neuron, steps, neurons)
    counts = _counts(events.several, alone, dt)
    return BinnedEvents(shape, lengths, sample, step, neuron, counts)


def _sorted(
    sample: NDArray[np.int64],
    step: NDArray[np.int64],
    neuron: NDArray[np.int64],
    steps: int,
    neurons: int,
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """In order, which events are the first of their cell; and these cells, each once."""
    most = (int(sample.max(initial=0)) + 1) * steps * neurons
    if most < 2**63:  # one number for each cell is sorted far faster than three
        keys = (sample * steps + step) * neurons + neuron
        keys.sort()
        first = np.concatenate(([True], np.diff(keys) != 0))[: len(keys)]
        rows, neuron = np.divmod(keys[first], neurons)
        return first, *np.divmod(rows, steps), neuron
    order = np.lexsort((neuron, step, sample))
    places = np.stack((sample, step, neuron))[:, order]
    first = np.concatenate(([True], np.diff(places).any(0)))[: len(order)]
    sample, step, neuron = places[:, first]
    return first, sample, step, neuron


def _counts(several: Several, first: NDArray[np.bool_], dt: float) -> NDArray[np.int64] | None:
    if several not in ("error", "clip", "count"):
        raise ValueError(f'expected several= to be "error", "clip" or "count", came {several!r}')
    more = len(first) - int(first.sum())
    if more and several == "error":
        raise EventError(
            f"{more} of {len(first)} events come after another one of the same neuron in the same "
            f'step of {dt!r} s: say several="clip" to count one a step, several="count" to count '
            "all, as a graded layer, or take a smaller dt"
        )
    if several != "count":
        return None
    starts = np.flatnonzero(first)
    return np.diff(np.concatenate((starts, [len(first)])))


def _steps(
    times: NDArray[np.float64], precision: float, events: EventList, dt: float
) -> NDArray[np.int64]:
    if events.closed not in ("left", "right"):
        raise ValueError(f'expected closed= to be "left" or "right", came {events.closed!r}')
    bad = ~np.isfinite(times)
    if bad.any():
        raise EventError(
            f"{int(bad.sum())} of {len(times)} times are NaN or infinite: leave such events out"
        )
    largest = max(float(np.abs(times).max(initial=0)), abs(events.start))
    near = _BORDER + _ROUNDINGS * precision * largest / dt
    if near > 0.25:
        raise EventError(
            f"times up to {largest!r} s of a precision of {precision:.1e} cannot tell steps of "
            f"{dt!r} s apart: give them as float64, or take a larger dt"
        )
    at = (times - events.start) / dt
    border = np.rint(at)
    on_border = np.abs(at - border) < near
    at_border = border - 1 if events.closed == "right" else border
    steps: NDArray[np.float64] = np.where(on_border, at_border, np.floor(at))
    return np.clip(steps, -1, 2.0**62).astype(np.int64)


def _lengths(events: EventList, dt: float) -> NDArray[np.int64]:
    if events.duration is None:
        raise EventError(
            "how long was observed is not known: say it with duration=, in seconds, since silence "
            "at the end is in no list"
        )
    durations, _ = seconds(events.duration, "duration")
    if len(durations) not in (1, events.batch):
        raise EventError(
            f"expected one duration, or one for each of {events.batch} samples, came "
            f"{len(durations)}"
        )
    found = durations / dt
    bad = ~((found > 0) & (found < 2.0**62))  # steps are int64
    if bad.any():
        raise EventError(
            f"expected duration= in seconds, above 0, came {float(durations[bad][0])!r}; fewer "
            "than 2^62 steps are counted"
        )
    whole = np.maximum(1.0, np.ceil(found - _BORDER))
    return np.broadcast_to(whole.astype(np.int64), events.batch)


def _shape(shape: Any) -> tuple[int, ...]:
    if shape is None:
        raise EventError(
            "how many neurons there are is not known: say it with neurons= or shape=, since those "
            "without events are in no list"
        )
    sizes = tuple(shape) if np.ndim(shape) == 1 else (None,)
    if not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
        raise EventError(f"expected shape= to hold numbers of neurons from 1 on, came {shape!r}")
    return tuple(map(int, sizes))


def _flat_indices(indices: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    if not isinstance(indices, tuple):
        return _integers(indices, "indices")
    if len(indices) != len(shape):
        raise EventError(
            f"expected indices of {len(shape)} dimensions for neurons of shape {list(shape)}, came "
            f"{len(indices)}"
        )
    places = [_integers(each, "indices") for each in indices]
    try:
        return np.ravel_multi_index(tuple(places), shape).astype(np.int64)
    except ValueError as cause:
        raise EventError(
            f"some events are of neurons that are not there: expected indices below {list(shape)} "
            f"({cause})"
        ) from cause


def _indices(indices: NDArray[np.int64], ids: Any, neurons: int) -> NDArray[np.int64]:
    what = "ids"
    if ids is None:
        found, known = indices, (indices >= 0) & (indices < neurons)
        what = f"indices from 0 to {neurons - 1}"
    else:
        own = _integers(ids, "ids")
        order = np.argsort(own, kind="stable")
        if len(own) != neurons or (np.diff(own[order]) == 0).any():
            raise EventError(f"expected ids= to hold {neurons} different ids, came {len(own)}")
        at = np.minimum(np.searchsorted(own[order], indices), neurons - 1)
        found = order[at].astype(np.int64)
        known = own[found] == indices
    if not known.all():
        first = int(indices[~known][0])
        raise EventError(
            f"{int((~known).sum())} of {len(indices)} events are of neurons that are not there, "
            f"the first of {first}: expected {what}"
        )
    return found


def _samples(events: EventList, number: int) -> NDArray[np.int64]:
    if not isinstance(events.batch, int | np.integer) or events.batch < 1:
        raise EventError(f"expected batch= to be a number from 1 on, came {events.batch!r}")
    if events.samples is None:
        return np.zeros(number, np.int64)
    samples = _integers(events.samples, "samples")
    unknown = (samples < 0) | (samples >= events.batch)
    if unknown.any():
        raise EventError(
            f"{int(unknown.sum())} of {len(samples)} events are of samples that are not there, the "
            f"first of {int(samples[unknown][0])}: expected 0 to batch= less 1, "
            f"{events.batch - 1}"
        )
    return samples


def _integers(values: Any, what: str) -> NDArray[np.int64]:
    array = array_of(values, what)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise EventError(
            f"expected {what} to be whole numbers in one dimension, came {array.dtype} of shape "
            f"{list(array.shape)}"
        )
    if array.dtype.kind == "u" and int(array.max()) > np.iinfo(np.int64).max:
        raise EventError(f"{what} hold a number beyond int64")
    return array.astype(np.int64)

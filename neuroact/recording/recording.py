"""`Recording` counts what a model's layers do."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Self, TypeVar

from neuroact.errors import OtherProcessError, RecordingClosedError
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording import recording_file
from neuroact.recording.connections import Connections
from neuroact.recording.known_batch import KnownBatch
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.merging import check_layer, check_options, merge_layer
from neuroact.recording.observed import observed
from neuroact.recording.parts import RecordingParts, seconds_of
from neuroact.recording.recorded_layers import RecordedLayers
from neuroact.recording.summary import report_of
from neuroact.recording.threads import one_at_a_time, refuse_when_forked
from neuroact.recording.watched_layer import WatchedLayer
from neuroact.report.activity_report import ActivityReport
from neuroact.report.provenance import provenance
from neuroact.results.layer_activity import OBSERVED
from neuroact.statistics.choice import (
    StatisticSelection,
    builders,
    check_pickled,
)
from neuroact.statistics.class_activity import ClassActivity
from neuroact.stream.chunk import SignalKind

_T = TypeVar("_T")


class Recording:
    """The running counts of a model's layers.

    `record` makes one for a model. Made directly, it has no model and takes the spikes given to
    `observe`. A copy, or one sent to another process, holds the counts so far; it is closed and
    has no model.

    Args:
        statistics: as in `record`.
        dt: as in `record`.

    >>> import torch
    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.observe("chip", torch.eye(3).unsqueeze(1))   # [time, batch, neurons]
    >>> recording.report()["chip"].mean
    0.3333333333333333
    """

    def __init__(self, *, statistics: StatisticSelection = None, dt: float | None = None) -> None:
        self.dt = None if dt is None else seconds_of(dt)
        self._factories = builders(statistics)
        self._layers: dict[str, LayerRecorder] = {}
        self._connections: Connections | None = None  # None if operations are not recorded
        self._watched: list[WatchedLayer] = []  # empty once closed
        self._origin: dict[str, Any] | None = None
        self._closed = self._forked = False
        self._batches: list[KnownBatch] = []  # under way, the innermost last
        refuse_when_forked(self)

    @property
    def layers(self) -> Mapping[str, LayerInfo]:
        """The recorded layers by reported name, in the model's order; printed, they are a table."""
        return RecordedLayers(layer.info for layer in self._layers.values())

    @property
    def _counts_classes(self) -> bool:
        """Whether `ClassActivity` is among the statistics, so that labels have a use."""
        return any(isinstance(build(), ClassActivity) for build in self._factories)

    def report(self) -> ActivityReport:
        """The exact figures so far, without torch tensors; recording goes on.

        Raises:
            NothingRecordedError: no layer was called yet.

        Warns:
            LayerNotCalledWarning: some layers were not called; they are left out, and listed in
                `report.not_called`.
            UnreliableLayerWarning: a layer has values that its kind does not allow.
        """
        origin = provenance(None, ()) if self._origin is None else self._origin
        operations = None if self._connections is None else self._connections.operations()
        return report_of(self._layers.values(), origin=origin, dt=self.dt, operations=operations)

    def reset(self) -> None:
        """Forget everything counted. The next call of each layer starts a sequence."""
        _each(self._layers.values(), lambda layer: layer.reset())
        if self._connections is not None:
            self._connections.reset()

    def pause(self) -> None:
        """Stop watching the layers; counts stay. The model then runs at no cost."""
        _each(self._watched, WatchedLayer.unwatch)

    def resume(self) -> None:
        """Watch the layers again after `pause`.

        A layer whose state changed meanwhile starts a new sequence.

        Raises:
            RecordingClosedError: the recording is closed.
        """
        self._check_open("resumed")
        for watched in self._watched:
            watched.watch()

    def new_sequence(self) -> None:
        """Say that the next call of every layer starts a sequence, whatever its state says.

        Without such marks, each call of a module without state (a Linear, a ReLU, or any that no
        adapter knows) that is called step by step counts as one sequence. From the first mark on,
        its sequences reach from one mark to the next.
        """
        _each(self._layers.values(), lambda layer: layer.begin_sequence())

    def batch(
        self, *, valid: Any = None, lengths: Any = None, labels: Any = None
    ) -> AbstractContextManager[None]:
        """Say which steps are valid and which class each sample has, for the batch in the block.

        Step 0 is each layer's first step inside the `with` block. A padded step is no observation
        and no event, whatever its values; a sample of padding alone is no sequence. Calls after the
        block are not affected. Blocks can be nested: what the inner one does not state, the outer
        one does.

        Args:
            valid: bool `[time, batch]`, False where a step is padding; or `[batch]`, False where a
                whole sample is padding.
            lengths: in place of `valid`, the number of valid steps of each sample, `[batch]`.
            labels: the class of each sample, whole numbers from 0, `[batch]`. Reading them from a
                device waits for it. `ClassActivity` counts by them, and must be among the
                recording's statistics.

        Raises:
            ValueError: nothing is given, or both `valid` and `lengths`; an argument has the wrong
                shape or type; labels are negative or 2^20 or more, no statistic uses
                them, or padding is given while operations are recorded.
            ChunkError: inside the block, a layer was called with another number of samples or with
                more steps; that call is not counted.

        >>> import torch
        >>> from neuroact import ClassActivity, Recording
        >>> recording = Recording(statistics=ClassActivity)
        >>> with recording.batch(lengths=[3, 1], labels=[0, 1]):
        ...     recording.observe("lif", torch.ones(3, 2, 5))
        >>> layer = recording.report()["lif"]
        >>> layer.observations, layer[ClassActivity].class_observations.tolist()
        (4, [3, 1])
        """
        if labels is not None and not self._counts_classes:
            raise ValueError(
                "none of the recording's statistics counts by class, so labels would be lost: "
                "record with statistics=[neuroact.ClassActivity]"
            )
        if self._connections is not None and (valid is not None or lengths is not None):
            raise ValueError(
                "a recording with operations=True cannot leave padding out: which step of which "
                "sample arrives at a Linear or a convolution is not known. Record padded batches "
                "without operations, or run sequences of one length together."
            )
        return self._within(KnownBatch(valid=valid, lengths=lengths, labels=labels))

    def observe(
        self,
        name: str,
        values: Any,
        *,
        axes: str | None = None,
        kind: SignalKind | str = SignalKind.BINARY,
        starts_sequence: bool = True,
        valid: Any = None,
    ) -> None:
        """Feed spikes by hand, where a layer's calls cannot be seen.

        Args:
            name: the layer to feed; a new one is made if there is none of that name.
            values: a tensor, or anything that NumPy can read as an array of numbers.
            axes: the order of the dimensions, as in `record`: "TN" for `[time, neurons]`. None, for
                three dimensions or more, means "TBN", `[time, batch, *neurons]`.
            kind: what the values mean; it is not found from the values.
            starts_sequence: whether step 0 begins a new sequence for every sample.
            valid: bool `[time, batch]`, False where a step is padding.

        Raises:
            ChunkError: the values or the mask cannot be read, or have the wrong shape; or fewer
                than three dimensions came without `axes`.
            LayerShapeError: the layer had other neurons before.
            StatisticKindError: a statistic does not apply to the kind.
            RecordingClosedError: the recording is closed.
            OtherThreadError: another thread feeds the layer, and is still running.
            OtherProcessError: the recording was made before this process was forked.
            TypeError, ValueError: `name`, `axes` or `kind` is not valid.

        >>> import numpy as np
        >>> from neuroact import Recording
        >>> recording = Recording()
        >>> recording.observe("chip", np.eye(3), axes="NT")
        >>> recording.report()["chip"].observations
        3
        """
        self._check_open("fed")
        if not isinstance(name, str):
            raise TypeError(f"expected the name of a layer, came {name!r}")
        chunk = observed(name, values, axes, kind, starts_sequence, valid)
        with one_at_a_time():  # two threads may feed one new name
            if name not in self._layers:
                self._add(LayerInfo(name, (), OBSERVED, "by hand", chunk.kind))
        self._layers[name].observe(chunk)

    def merge(self, other: Recording) -> None:
        """Add another recording's counts, exactly; `other` stays unchanged.

        The sum is the same to the bit in any order and grouping. A layer that only `other` has is
        added after those of this recording. Open sequences of `other` end where they are. If this
        recording has counted nothing yet, it takes them over open instead, so that the next calls
        can continue them.

        Raises:
            MergeError: `other` has another dt, other statistics, another `of=`, or a layer with
                other neurons or of another class; or a statistic refuses. The layer is named, and
                nothing is added.
        """
        check_options(self._parts(), other._parts())
        pairs = [
            (self._layers.get(name) or self._new_layer(theirs.info), theirs)
            for name, theirs in list(other._layers.items())
        ]
        for ours, theirs in pairs:
            check_layer(ours, theirs)
        if other._connections is not None:
            self._connections = self._connections or Connections()
            self._connections.check(other._connections)
        if self._origin is None and not self._layers:
            self._origin = other._origin
        for ours, theirs in pairs:
            merge_layer(
                self._layers.setdefault(ours.info.name, ours), theirs
            )  # two threads may add one
        if self._connections is not None and other._connections is not None:
            self._connections.add(other._connections)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything counted to a file, whole or not at all; recording goes on.

        The file is in the safetensors format, without pickle. A killed process leaves the old
        file as it was.

        Raises:
            RecordingFileError: the format cannot hold a layer's name, or what a statistic of your
                own keeps.
            OSError: the folder does not exist or cannot be written; the old file is intact.
        """
        recording_file.save(self._parts(), path)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, statistics: StatisticSelection = None
    ) -> Recording:
        """The recording that `save` wrote: closed, on the CPU, without a model.

        You can report, merge and save it. To continue it, record the model anew with the same
        `statistics=` and `dt=`, and merge it: `recording.merge(Recording.load(path))`.

        Args:
            path: the file.
            statistics: as in `record`; needed if `record` was given statistics of your own.

        Raises:
            RecordingFileError: the file is damaged, foreign, of a newer schema, or holds a
                statistic that is neither neuroact's nor given.
            OSError: the file cannot be read.
        """
        return cls._of(recording_file.load(path, statistics=builders(statistics)))

    def to_bytes(self) -> bytes:
        """What `save` writes, as bytes, to send elsewhere."""
        return recording_file.to_bytes(self._parts())

    @classmethod
    def from_bytes(cls, data: bytes, *, statistics: StatisticSelection = None) -> Recording:
        """The recording whose `to_bytes` made the data; arguments and result as in `load`.

        Raises:
            RecordingFileError: as in `load`.
        """
        return cls._of(recording_file.from_bytes(data, statistics=builders(statistics)))

    def close(self) -> None:
        """Stop watching the layers and let go of the model; the figures stay readable.

        Closing again does nothing.
        """
        self._closed = True
        watched, self._watched = self._watched, []
        _each(watched, WatchedLayer.let_go)
        if self._connections is not None:
            self._connections.let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        check_pickled(self._factories)
        return partial(Recording.from_bytes, statistics=self._factories), (self.to_bytes(),)

    def __copy__(self) -> Recording:
        return Recording.from_bytes(self.to_bytes(), statistics=self._factories)

    def __deepcopy__(self, memo: dict[int, Any]) -> Recording:
        return copy.copy(self)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<neuroact.Recording of {len(self._layers)} layers, {state}>"

    def _parts(self) -> RecordingParts:
        return RecordingParts(
            self.dt, self._origin, self._factories, self._layers, self._connections
        )

    @contextmanager
    def _within(self, batch: KnownBatch) -> Iterator[None]:
        self._batches.append(batch)
        try:
            _each(self._layers.values(), lambda layer: layer.enter(batch))
            yield
        finally:
            self._batches.remove(batch)
            _each(self._layers.values(), lambda layer: layer.leave(batch))

    @classmethod
    def _of(cls, parts: RecordingParts) -> Recording:
        recording = Recording(statistics=parts.factories, dt=parts.dt)
        recording._origin, recording._closed = parts.origin, True
        recording._layers.update(parts.layers)
        recording._connections = parts.connections
        return recording

    def _add(self, info: LayerInfo) -> LayerRecorder:
        layer = self._layers[info.name] = self._new_layer(info)
        return layer

    def _new_layer(self, info: LayerInfo) -> LayerRecorder:
        layer = LayerRecorder(info, [build() for build in self._factories])
        for batch in self._batches:
            layer.enter(batch)
        return layer

    def refuse(self) -> None:
        """Refuse whatever is fed, in a process forked from the one that made the recording."""
        self._forked = True
        connected = () if self._connections is None else self._connections.layers
        for layer in (*self._layers.values(), *connected):
            layer.lock = threading.RLock()  # a thread of the other process may hold it
        for watched in self._watched:
            watched.refuse()

    def _check_open(self, what: str) -> None:
        if self._forked:
            raise OtherProcessError(
                f"a recording made before process {os.getpid()} was forked cannot be {what} in it: "
                "the process that made it would not see that. Make another recording here, and "
                "merge the files of both."
            )
        if self._closed:
            raise RecordingClosedError(
                f"a closed recording cannot be {what}; its report can still be read. Start "
                "another with neuroact.record(model), and merge the two if you need their sum."
            )


def _each(items: Iterable[_T], do: Callable[[_T], None]) -> None:
    """Do it with each item; afterwards raise the first error, if any."""
    raised: Exception | None = None
    for item in list(items):
        try:
            do(item)
        except Exception as cause:
            raised = raised or cause
    if raised is not None:
        raise raised

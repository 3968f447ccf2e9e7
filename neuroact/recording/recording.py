"""`Recording` counts what a model's layers do."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Self, TypeVar

from neuroact.card import Carded, brief
from neuroact.errors import (
    ChunkError,
    MissingOperationsError,
    OtherProcessError,
    RecordingClosedError,
)
from neuroact.layers.choose import GRADIENT
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording import recording_file
from neuroact.recording.connections import Connections
from neuroact.recording.known_batch import KnownBatch
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.merging import check_layer, check_options, merge_layer
from neuroact.recording.observed import binned_of, event_list, observed
from neuroact.recording.parts import RecordingParts, seconds_of
from neuroact.recording.recorded_layers import RecordedLayers
from neuroact.recording.summary import report_of
from neuroact.recording.threads import one_at_a_time, refuse_when_forked
from neuroact.recording.watched_layer import Watched
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
from neuroact.stream.events import Closed, Several
from neuroact.stream.padding import Validity
from neuroact.stream.product import SynapticProduct
from neuroact.stream.tensors import as_tensor

_T = TypeVar("_T")


class Recording(Carded):
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
        self._watched: list[Watched] = []  # empty once closed
        self._origin: dict[str, Any] | None = None
        self._closed = self._forked = False
        self._batches: list[KnownBatch] = []  # under way, the innermost last
        refuse_when_forked(self)

    @property
    def layers(self) -> RecordedLayers:
        """The recorded layers by reported name, in the model's order; printed, they are a table."""
        return RecordedLayers(layer.info for layer in self._layers.values())

    @property
    def _counts_classes(self) -> bool:
        """Whether `ClassActivity` is among the statistics, so that labels have a use."""
        return any(isinstance(build(), ClassActivity) for build in self._factories)

    @property
    def _of_gradients(self) -> bool:
        return bool((self._origin or {}).get("options", {}).get("of") == GRADIENT)

    def report(self) -> ActivityReport:
        """The exact figures so far, without torch tensors; recording goes on.

        Raises:
            NothingRecordedError: no layer was called yet.

        Warns:
            LayerNotCalledWarning: some layers were not called; they are left out, and listed in
                `report.not_called`.
            UnreliableLayerWarning: a layer has values that its kind does not allow.
        """
        origin = self._origin
        if origin is None:
            origin = provenance(None, (layer.info.framework for layer in self._layers.values()))
        operations = None if self._connections is None else self._connections.operations()
        return report_of(self._layers.values(), origin=origin, dt=self.dt, operations=operations)

    def reset(self) -> None:
        """Forget everything counted. The next call of each layer starts a sequence."""
        _each(self._layers.values(), lambda layer: layer.reset())
        if self._connections is not None:
            self._connections.reset()

    def pause(self) -> None:
        """Stop watching the layers; counts stay. The model then runs at no cost."""
        _each(self._watched, lambda watched: watched.unwatch())

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

        Where operations are recorded, padding is no input of a connection either. A connection then
        takes the same steps as the recorded layers; one that does not is not counted, with the
        reason. There, nothing has to be given: the block itself says that what is called inside is
        one batch, which only matters if the model itself is not called.

        Args:
            valid: bool `[time, batch]`, False where a step is padding; or `[batch]`, False where a
                whole sample is padding.
            lengths: in place of `valid`, the number of valid steps of each sample, `[batch]`.
            labels: the class of each sample, whole numbers from 0, `[batch]`. Reading them from a
                device waits for it. `ClassActivity` counts by them, and must be among the
                recording's statistics.

        Raises:
            ValueError: nothing is given, though no operations are recorded; or both `valid` and
                `lengths`; an argument has the wrong shape or type; labels are negative or 2^20 or
                more, or no statistic uses them.
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
        if self._of_gradients and (valid is not None or lengths is not None):
            raise ValueError(
                'a recording with of="grad" cannot leave padding out: its steps come in the order '
                "of the backward pass. Mask the loss instead, which leaves padding no gradient."
            )
        if self._connections is not None and valid is lengths is labels is None:
            return self._one_batch()
        return self._within(KnownBatch(valid=valid, lengths=lengths, labels=labels))

    def _one_batch(self, validity: Validity | None = None) -> AbstractContextManager[None]:
        """Say that the calls in the block are of one batch, for the operations of its samples."""
        if self._connections is None:
            return nullcontext()
        return self._connections.samples.block(validity)

    def observe(
        self,
        name: str,
        values: Any,
        *,
        axes: str | None = None,
        kind: SignalKind | str = SignalKind.BINARY,
        starts_sequence: bool = True,
        valid: Any = None,
        framework: str = OBSERVED,
        layer_type: str = "by hand",
    ) -> None:
        """Feed spikes by hand, where a layer's calls cannot be seen.

        Args:
            name: the layer to feed; a new one is made if there is none of that name.
            values: a tensor, an array of NumPy, JAX or another library that offers DLPack, a sparse
                array, or anything that NumPy can read as an array of numbers.
            axes: the order of the dimensions, as in `record`: "TN" for `[time, neurons]`. None, for
                three dimensions or more, means "TBN", `[time, batch, *neurons]`.
            kind: what the values mean; it is not found from the values.
            starts_sequence: whether step 0 begins a new sequence for every sample.
            valid: bool `[time, batch]`, False where a step is padding.
            framework: the package that the values come from, for the report.
            layer_type: what that package calls the layer, for the report.

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
            raise TypeError(f"expected the name of a layer and then values, came {brief(name)}")
        chunk = observed(name, values, axes, kind, starts_sequence, valid)
        with one_at_a_time():  # two threads may feed one new name
            if name not in self._layers:
                self._add(LayerInfo(name, (), framework, layer_type, chunk.kind))
        self._layers[name].observe(chunk)

    def observe_events(
        self,
        name: str,
        times: Any,
        indices: Any = None,
        *,
        neurons: int | None = None,
        shape: Sequence[int] | None = None,
        duration: Any = None,
        dt: float | None = None,
        start: Any = None,
        ids: Any = None,
        samples: Any = None,
        batch: int | None = None,
        closed: Closed | None = None,
        several: Several | None = None,
        framework: str | None = None,
        layer_type: str | None = None,
    ) -> None:
        """Feed a list of events: times and neurons, as simulators and recordings hand them out.

        No array of all cells is made, so long recordings of many neurons take little memory. Each
        sample is one sequence. The figures are those of the array of the same events.

        Args:
            name: the layer to feed; a new one is made if there is none of that name.
            times: time of each event in seconds, in any order. Or, alone, a source of events that
                a reader knows, such as a simulator's monitor (entry points of the group
                `neuroact.event_sources`). What is said beside it holds in place of what it says.
            indices: the neuron of each event: its index, in C order, or its id where `ids` is
                given; or a tuple with an array for each dimension of `shape`.
            neurons: how many neurons there are, those without events too.
            shape: in place of `neurons`, their shape.
            duration: how many seconds were observed, silence at the end too; or one number for each
                sample. The last step may be observed in part.
            dt: seconds per time step. If None, the recording's; else, the source's own.
            start: when the observation began, in seconds; 0 if nothing says it. Said alone, beside
                a source of one sample that knows when it ended, it leaves that end as it is.
            ids: the ids of the neurons, `[neurons]`.
            samples: the sample (trial, segment) of each event, counted from 0.
            batch: number of samples, those without events too; needed with `samples`.
            closed: "left", if nothing else is said: an event at the border of two steps belongs to
                the later one; "right" if to the earlier one.
            several: what to do with several events of a neuron in one step: "error", if nothing
                else is said; "clip" to count one; or "count" to count all, which makes the layer
                graded.
            framework: the package that the events come from, for the report.
            layer_type: what that package calls the source, for the report.

        Raises:
            EventError: events outside the time observed, of unknown neurons or samples, several in
                one step, or without finite times; nothing is counted.
            LayerShapeError, StatisticKindError, RecordingClosedError, OtherThreadError,
                OtherProcessError: as in `observe`.
            TypeError, ValueError: an argument is missing or has a wrong value.

        >>> from neuroact import Recording
        >>> recording = Recording(dt=0.001)
        >>> recording.observe_events(
        ...     "cortex", [0.0005, 0.0042, 0.0041], [7, 7, 0], neurons=10, duration=0.005
        ... )
        >>> layer = recording.report()["cortex"]
        >>> layer.events.tolist(), layer.observations, layer.dead
        ([1, 0, 0, 0, 0, 0, 0, 2, 0, 0], 5, 8)
        """
        self._check_open("fed")
        if not isinstance(name, str):
            raise TypeError(f"expected the name of a layer, came {name!r}")
        given = {
            "neurons": neurons, "shape": shape, "duration": duration, "start": start, "ids": ids,
            "samples": samples, "batch": batch, "closed": closed, "several": several,
            "framework": framework, "layer_type": layer_type,
        }  # fmt: skip
        events = event_list(name, times, indices, given)
        found = next((each for each in (dt, self.dt, events.dt) if each is not None), None)
        if found is None:
            raise ValueError(
                f'layer "{name}": events need dt=, the seconds of a time step: here, or in '
                "Recording(dt=…)"
            )
        if self.dt is not None and seconds_of(found) != self.dt:
            raise ValueError(
                f'layer "{name}": expected the dt={self.dt!r} s of the recording, came {found!r}'
            )
        cells = binned_of(name, events, seconds_of(found))
        kind = SignalKind.BINARY if cells.counts is None else SignalKind.GRADED
        with one_at_a_time():  # two threads may feed one new name
            if name not in self._layers:
                self._add(LayerInfo(name, (), events.framework, events.layer_type, kind))
        self._layers[name].observe_events(cells)

    def observe_product(self, name: str, left: Any, right: Any) -> None:
        """Count the synaptic operations of a product of two activations, such as attention's.

        A pair of a left and a right element that are multiplied is one operation; both have to be
        other than zero for it to be effective. It is an AC if one of them has magnitude one, else a
        MAC. In the report, `operations[name]` has the type "product" and no fan-out.

        Call it where the model multiplies, with what it multiplies:
        `recording.observe_product("block1.scores", q, k.transpose(-2, -1))`.

        Args:
            name: the product; calls of one name are added up. A name that `not_counted` has, such
                as "attention.products", takes its place.
            left: `[..., n, k]`, a tensor or anything that NumPy can read as an array of numbers.
            right: `[..., k, m]`, as `torch.matmul` takes it.

        Raises:
            ChunkError: they are not two such arrays.
            LayerNameError: a layer of the model has that name, or a product that an adapter reads.
            MissingOperationsError: the recording was made by `record` without `operations=True`.
            RecordingClosedError: the recording is closed.
            OtherProcessError: the recording was made before this process was forked.
            TypeError: `name` is not a text.

        >>> import torch
        >>> from neuroact import Recording
        >>> recording = Recording()
        >>> recording.observe("queries", torch.eye(3).unsqueeze(0))
        >>> recording.observe_product("scores", torch.eye(3), torch.ones(3, 2))
        >>> scores = recording.report().operations["scores"]
        >>> scores.dense, scores.acs, scores.fan_out
        (18, 6, nan)
        """
        self._check_open("fed")
        if not isinstance(name, str):
            raise TypeError(f"expected the name of a product, came {name!r}")
        if self._connections is None and self._origin is not None:
            raise MissingOperationsError
        try:
            product = SynapticProduct(as_tensor(left), as_tensor(right))
        except ValueError as cause:
            raise ChunkError(f'product "{name}": {cause}', layer=name) from cause
        with one_at_a_time():  # two threads may feed one new name
            self._connections = self._connections or Connections()
            self._connections.observe(name, product)

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
        if not isinstance(other, Recording):
            raise TypeError(
                f"expected a recording to add, came {type(other).__name__}; a file is read by "
                "neuroact.Recording.load(path), and reports are put side by side by "
                "neuroact.compare"
            )
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
        _each(watched, lambda each: each.let_go())
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

    def _parts(self) -> RecordingParts:
        return RecordingParts(
            self.dt, self._origin, self._factories, self._layers, self._connections
        )

    @contextmanager
    def _within(self, batch: KnownBatch) -> Iterator[None]:
        self._batches.append(batch)
        try:
            _each(self._layers.values(), lambda layer: layer.enter(batch))
            with self._one_batch(batch.validity):
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

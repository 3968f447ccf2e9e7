"""A recording as a file: in the safetensors format, without pickle, checked when it is read.

::

    text       JSON: schema and version, dt, origin, the statistics' names, the layers in order
               and the layers whose operations are counted, if there are any
    tensors    "<layer>.<statistic>.<key>": the layer's number, the number of one of its statistics,
               and a key of that statistic's `state_dict`;
               "operations.<layer>.<key>": what arrived at a layer, and its fan-out;
               "products.<number>.<key>": counts of a product of two activations;
               "padding": zeros, if reading the other tensors takes many times their size

Reading a file takes memory in proportion to its length. A recording that would take more (see
`working_memory`) is padded until its length is large enough.

A file names statistics but holds no code. Reading it knows those of `neuroact.statistics`, and
takes the user's own as an argument. It imports nothing that the file names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Size, Tensor

from neuroact.atomic_file import checked_path, write_bytes
from neuroact.errors import RecordingFileError
from neuroact.files.tensor_file import PREFIX, header_end, pack, parse_json, text_of, unpack
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording.connections import Connections
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.parts import RecordingParts, seconds_of
from neuroact.statistics import BUILT_IN, ClassActivity, Firing, Statistic
from neuroact.statistics.choice import StatisticFactory, builders
from neuroact.statistics.consistency import check_consistent
from neuroact.statistics.results import LayerResult
from neuroact.statistics.states import check_state, working_memory
from neuroact.stream.chunk import SignalKind

SCHEMA = "neuroact.recording"
SCHEMA_VERSION = 1
LONGEST_NAME = 4096

# Reading may take `_FREE` bytes of memory, and `_TIMES` more for each byte of the file.
_FREE, _TIMES = 2**26, 64
_PADDING = "padding"

_OURS = "neuroact."  # in a file, before the names of neuroact's own statistics
_T = TypeVar("_T")
_States: TypeAlias = dict[str, dict[str, Tensor]]


def to_bytes(recording: RecordingParts) -> bytes:
    """Everything a recording has counted, open sequences included, as bytes.

    Raises:
        RecordingFileError: the format cannot hold a layer's name, or what a user's own statistic
            keeps.

    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.observe("lif", [[[0, 1]], [[1, 1]]])
    >>> Recording.from_bytes(recording.to_bytes()).report() == recording.report()
    True
    """
    return b"".join(_pieces(recording))


def from_bytes(data: bytes, *, statistics: Sequence[StatisticFactory] = ()) -> RecordingParts:
    """The recording that `to_bytes` was given: closed, on the CPU, without a model.

    Args:
        data: what `to_bytes` returned.
        statistics: the user's own statistics that `record` was given: classes, or functions that
            build one.

    Raises:
        RecordingFileError: the bytes are damaged, foreign, of a newer schema, or hold a statistic
            that is neither neuroact's nor given.
    """
    return _recording(_parts_of(data), statistics)


def save(recording: RecordingParts, path: str | os.PathLike[str]) -> None:
    """Write what `to_bytes` returns to a file, whole or not at all."""
    write_bytes(path, _pieces(recording))


def load(
    path: str | os.PathLike[str], *, statistics: Sequence[StatisticFactory] = ()
) -> RecordingParts:
    """Read what `save` wrote. It reads no more than the header of a file of another kind."""
    try:
        # Unbuffered: a buffer would hold the whole file a second time for a moment.
        with Path(checked_path(path)).open("rb", buffering=0) as handle:
            size = os.fstat(handle.fileno()).st_size
            prefix = handle.read(PREFIX)
            header = prefix + handle.read(header_end(prefix, size) - PREFIX)
            _document(text_of(header, size))
            handle.seek(0)
            return _recording(_parts_of(handle.read()), statistics)
    except RecordingFileError as cause:
        raise RecordingFileError(f"{path}: {cause}", layer=cause.layer) from cause


def _pieces(recording: RecordingParts) -> Iterator[bytes | memoryview]:
    layers: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    needed = 0
    for number, layer in enumerate(list(recording.layers.values())):
        with layer.at_rest() as statistics:
            layers.append(_layer_document(layer))
            for place, statistic in enumerate(statistics):
                state = statistic.state_dict()
                needed += working_memory(statistic, state)
                tensors |= {f"{number}.{place}.{key}": tensor for key, tensor in state.items()}
    operations = None
    if recording.connections is not None:
        operations, more = recording.connections.document()
        tensors |= more
    size = sum(tensor.nbytes for tensor in tensors.values())
    if (missing := -(-(needed - _FREE) // _TIMES) - size) > 0:
        tensors[_PADDING] = torch.zeros(missing, dtype=torch.uint8)
    document = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "dt": recording.dt,
        "origin": recording.origin,
        "statistics": [_name_of(build()) for build in recording.factories],
        "layers": layers,
    }
    if operations is not None:
        document["operations"] = operations
    return pack(tensors, json.dumps(document, allow_nan=False))


def _layer_document(layer: LayerRecorder) -> dict[str, Any]:
    info = layer.info
    for name in (info.name, info.framework, info.layer_type, *info.aliases):
        if len(name) > LONGEST_NAME:
            raise RecordingFileError(
                f"the name {name[:80]!r}... has {len(name):,} characters, a file holds names of "
                f"up to {LONGEST_NAME:,}: give the module a shorter name",
                layer=info.name,
            )
    return {
        "name": info.name,
        "aliases": list(info.aliases),
        "framework": info.framework,
        "layer_type": info.layer_type,
        "kind": info.kind.value,
        "neurons": None if layer.neurons is None else list(layer.neurons),
        "statistics": [_name_of(statistic) for statistic in layer.statistics],
    }


def _document(text: str) -> dict[str, Any]:
    """A file's text, parsed; refused if it is of another schema or a newer version."""
    document = parse_json(text, "text")
    if document.get("schema") != SCHEMA:
        raise RecordingFileError(f'expected "schema": "{SCHEMA}" in its text; this is another file')
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise RecordingFileError(
            f"it has schema version {str(version)[:20]}, this neuroact reads up to "
            f"{SCHEMA_VERSION}: update neuroact"
        )
    return document


def _parts_of(data: bytes) -> tuple[dict[str, Any], _States, int]:
    """A file's parsed text, the states that its tensors make up, and its size in bytes."""
    document = _document(text_of(data, len(data)))
    return document, _states(unpack(data)), len(data)


def _recording(
    parts: tuple[Mapping[str, Any], _States, int], statistics: Sequence[StatisticFactory]
) -> RecordingParts:
    """The recording that a file describes; each state is dropped once it is loaded."""
    document, states, size = parts
    known = _known(statistics)
    try:
        document = _with_classes_apart(document, states)
        dt, origin, factories = _options(document, known)
        names = document["statistics"]
        layers = [_layer(entry, names, known) for entry in _list_of(dict, document["layers"])]
        connections = None
        if "operations" in document:
            connections = Connections.from_document(document["operations"], states)
    except RecordingFileError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as cause:
        raise RecordingFileError(f"its text is damaged: {str(cause)[:200]}") from cause
    needed, by_name = 0, dict[str, LayerRecorder]()
    for number, layer in enumerate(layers):
        if by_name.setdefault(layer.info.name, layer) is not layer:
            raise RecordingFileError("two of its layers have one name", layer=layer.info.name)
        for place, statistic in enumerate(layer.statistics):
            state = states.pop(f"{number}.{place}", {})
            needed += _checked(layer, statistic, state)
            if needed > _FREE + _TIMES * size:
                raise RecordingFileError(
                    f"reading its {size:,} bytes would take {needed:,} of memory, for long "
                    "sequences that are still open: Recording.save writes no such file",
                    layer=layer.info.name,
                )
            _take_over(layer, statistic, state)
    if states:
        raise RecordingFileError("it holds tensors that belong to none of its layers")
    return RecordingParts(dt, origin, factories, by_name, connections)


def _with_classes_apart(document: Mapping[str, Any], states: _States) -> Mapping[str, Any]:
    """Read an older file, in which `Firing` counted by class, as if `ClassActivity` had.

    Returns:
        The document with `ClassActivity` among its statistics, if any layer counted by class.
        `states` is changed in the same way.
    """
    statistics, name = document["statistics"], _name_of(ClassActivity())
    layers = [dict(entry) for entry in _list_of(dict, document["layers"])]
    found = False
    for number, layer in enumerate(layers):
        of_firing = states.get(f"{number}.0", {})
        own = {key: of_firing.pop(key) for key in [*of_firing] if key.startswith("class_")}
        layer["statistics"] = [*layer["statistics"], name]
        if own:
            found = True
            states[f"{number}.{len(layer['statistics']) - 1}"] = own
    return {**document, "statistics": [*statistics, name], "layers": layers} if found else document


def _options(
    document: Mapping[str, Any], known: Mapping[str, StatisticFactory]
) -> tuple[float | None, dict[str, Any] | None, tuple[StatisticFactory, ...]]:
    """The time step, the origin, and the factories of the statistics."""
    dt, origin, names = document["dt"], document["origin"], document["statistics"]
    if not (origin is None or isinstance(origin, dict)):
        raise TypeError("its origin is not an object")
    factories = builders(_builders(_list_of(str, names), known))
    if [_name_of(build()) for build in factories] != names:
        raise ValueError("these are not the statistics of a recording")
    return None if dt is None else seconds_of(dt), origin, factories


def _layer(
    entry: Mapping[str, Any], names: Sequence[str], known: Mapping[str, StatisticFactory]
) -> LayerRecorder:
    name, framework, layer_type, *aliases = (
        _name(text)
        for text in (
            entry["name"],
            entry["framework"],
            entry["layer_type"],
            *_list_of(str, entry["aliases"]),
        )
    )
    info = LayerInfo(name, tuple(aliases), framework, layer_type, SignalKind(entry["kind"]))
    kept = _list_of(str, entry["statistics"])
    # The recording's statistics that apply to the layer, in their order; the first always does.
    if kept[:1] != names[:1] or kept != [each for each in names if each in kept]:
        raise ValueError("a layer's statistics are not its recording's")
    layer = LayerRecorder(info, [build() for build in _builders(kept, known)])
    if entry["neurons"] is not None:
        layer.neurons = Size(_list_of(int, entry["neurons"]))
    return layer


def _checked(layer: LayerRecorder, statistic: Statistic, state: Mapping[str, Tensor]) -> int:
    """Check a state; returns the memory that loading it takes."""
    with _damage(layer, statistic):
        check_state(statistic, state, layer.neurons)
        return working_memory(statistic, state)


def _take_over(layer: LayerRecorder, statistic: Statistic, state: Mapping[str, Tensor]) -> None:
    with _damage(layer, statistic):
        statistic.load_state_dict(state)
        kept = statistic.state_dict()
        if _form(kept) != _form(state):
            raise ValueError(f"expected a state of {_form(kept)}, came {_form(state)}")
        if not isinstance(statistic, Firing):  # `check_state` checked its counts one by one
            result = statistic.result()
            if isinstance(result, LayerResult):
                check_consistent(vars(result), trusted=_is_trusted(layer))


@contextmanager
def _damage(layer: LayerRecorder, statistic: Statistic) -> Iterator[None]:
    try:
        yield
    except Exception as cause:  # a user's own statistic may raise anything
        raise RecordingFileError(
            f"{layer.info}: the figures of {type(statistic).__name__} are damaged: "
            f"{type(cause).__name__}: {str(cause)[:200]}",
            layer=layer.info.name,
        ) from cause


def _is_trusted(layer: LayerRecorder) -> bool:
    """Whether every value of the layer was one that its kind allows."""
    firing = layer.statistics[0]
    assert isinstance(firing, Firing)
    return firing.counts is None or not firing.counts.unreliable.any()


def _form(state: Mapping[str, Tensor]) -> dict[str, tuple[str, list[int]]]:
    return {key: (str(state[key].dtype), list(state[key].shape)) for key in sorted(state)}


def _known(given: Sequence[StatisticFactory]) -> dict[str, StatisticFactory]:
    """The factories of statistics, by the name that files give the statistic."""
    known: list[StatisticFactory] = [*BUILT_IN.values(), *given]
    return {_name_of(build()): build for build in known}


def _builders(
    names: Sequence[str], known: Mapping[str, StatisticFactory]
) -> list[StatisticFactory]:
    for name in names:
        if name not in known:
            raise RecordingFileError(
                f"it holds figures of the statistic {name[:80]!r}, which is not neuroact's own: "
                "pass its class, as in Recording.load(path, statistics=[ItsClass])"
            )
    return [known[name] for name in names]


def _name_of(statistic: Statistic) -> str:
    name = type(statistic).__name__
    return _OURS + name if BUILT_IN.get(name) is type(statistic) else name


def _states(tensors: Mapping[str, Tensor]) -> _States:
    """The statistics' states by "<layer>.<statistic>"."""
    states: _States = {}
    for name, tensor in tensors.items():
        if name != _PADDING:
            layer, place, key = (*name.split(".", 2), "", "")[:3]
            states.setdefault(f"{layer}.{place}", {})[key] = tensor
    return states


def _list_of(kind: type[_T], value: Any) -> list[_T]:
    if type(value) is not list or any(type(entry) is not kind for entry in value):
        raise TypeError(f"expected a list of {kind.__name__}")
    return value


def _name(value: Any) -> str:
    if type(value) is not str or len(value) > LONGEST_NAME:
        raise ValueError(f"expected a name of up to {LONGEST_NAME:,} characters")
    return value

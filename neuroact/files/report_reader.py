"""Read a report from a JSON document of this layout version or an older one.

`neuroact.files.layout` checks each value alone. Here the values are checked against each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from neuroact.errors import LayerNameError, ReportFileError
from neuroact.files.json_document import checked, opened
from neuroact.files.layout import (
    MOST,
    RESULTS,
    Layer,
    Leaf,
    OperationsOfLayer,
    Report,
    SpreadOverSamples,
    SynapticOperations,
    Text,
    entries_of,
)
from neuroact.files.strict_json import short
from neuroact.printable import printable
from neuroact.results.folded import FoldedOperations
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.layers import Layers
from neuroact.results.operations import LayerOperations, Operations
from neuroact.results.spread import OperationSpread, check_spread
from neuroact.statistics.consistency import check_consistent
from neuroact.statistics.results import LayerResult
from neuroact.stream.chunk import SignalKind

_DEEPEST = 16

# All other one-dimensional arrays of a result have the same length.
_OF_THEIR_OWN_LENGTH = ("histogram", "lengths", "bins", "bin_counts")


def from_document(document: Any) -> Layers:
    """Read a report's document.

    Raises:
        ReportFileError: it is not a report, or not readable by this version, or damaged.
    """
    report = opened(document, Report)
    layers = [_layer(at, entry) for at, entry in enumerate(report.layers)]
    try:
        origin = _plain(report.origin, _DEEPEST)
        return Layers(
            layers,
            origin=origin,
            not_called=report.not_called,
            operations=_operations(report.operations),
        )
    except (ValueError, LayerNameError) as cause:
        layer = cause.layer if isinstance(cause, LayerNameError) else None
        raise ReportFileError(f"the report is damaged: {cause}", layer=layer) from cause


def layer_from(entry: Any) -> LayerActivity:
    """Read an entry of a document's `layers`.

    Raises:
        ValueError: the entry is damaged.
    """
    layer = checked(entry, Layer)
    shape, binary = tuple(layer.shape), layer.kind is SignalKind.BINARY
    if len(layer.events) * layer.observations > MOST:
        steps = layer.observations
        raise ValueError(f"{steps} steps of {len(layer.events)} neurons cannot be counted")
    if (most := max(layer.events, default=0)) > layer.observations:
        raise ValueError(f"a neuron has {most} events in {layer.observations} steps")
    if not binary and layer.total is UNSET:
        raise ValueError("it has no `total`")
    total = np.empty(0) if binary else _shaped("total", layer.total, shape, np.float64)
    if not layer.nonfinite and np.isnan(total).any():
        raise ValueError("total: null where all values are said to be finite")
    trusted = not (layer.nonfinite or layer.not_binary)
    given = asdict(layer)
    del given["shape"], given["figures"]
    return LayerActivity(
        **given
        | {
            "aliases": tuple(layer.aliases),
            "events": _shaped("events", layer.events, shape, np.int64),
            "total": total,
            "results": {
                name: _result(name, getattr(layer.results, name), shape, trusted)
                for name in entry.get("results", ())  # in the file's order, which pages show
            },
        }
    )


def _layer(at: int, entry: Any) -> LayerActivity:
    try:
        return layer_from(entry)
    except ValueError as cause:
        name = entry.get("name") if isinstance(entry, Mapping) else None
        layer = name if isinstance(name, str) and len(name) < 200 else None
        shown = f"number {at}" if layer is None else f'"{printable(layer)}"'
        message = f"the report is damaged: layer {shown}: {cause}"
        raise ReportFileError(message, layer=layer) from cause


def _operations(entry: SynapticOperations | UnsetType) -> Operations | None:
    if isinstance(entry, UnsetType):
        return None
    return Operations(
        map(_layer_operations, entry.layers),
        not_counted=entry.not_counted,
        by_sample=_spread("all layers", entry.by_sample),
    )


def _spread(layer: str, entry: SpreadOverSamples | str) -> OperationSpread | str:
    if isinstance(entry, str):
        return entry
    try:
        given = asdict(entry) | {"values": tuple(entry.values), "counts": tuple(entry.counts)}
        return check_spread(OperationSpread(**given))
    except ValueError as cause:
        raise ValueError(f'operations: "{layer}": {cause}') from cause


def _layer_operations(entry: OperationsOfLayer) -> LayerOperations:
    given, by_sample = asdict(entry), _spread(entry.name, entry.by_sample)
    tuples = {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
    folded = None if entry.folded is None else FoldedOperations(**asdict(entry.folded))
    layer = LayerOperations(**given | tuples | {"by_sample": by_sample, "folded": folded})
    if layer.inputs and layer.events > layer.inputs * layer.observations:
        raise ValueError(f'operations: "{layer.name}" has more events than elements')
    if layer.ones > layer.events:
        raise ValueError(f'operations: "{layer.name}" has more ones than events')
    if not layer.effective <= layer.unpruned <= layer.dense:
        raise ValueError(f'operations: "{layer.name}" has more operations than connections')
    if folded is not None and folded.effective > folded.dense:
        raise ValueError(f'operations: "{layer.name}" folded has more operations than connections')
    most = max(
        folded.dense if folded else 0, layer.dense, layer.weighted or 0, layer.bias_additions
    )
    if most > MOST**3:  # floats hold it, as shares and energies do
        raise ValueError(f'operations: "{layer.name}" has operations that cannot be counted')
    if isinstance(by_sample, OperationSpread) and by_sample.sum != layer.effective:
        raise ValueError(f'operations: "{layer.name}" has other operations than its samples')
    return layer


def _shaped(name: str, values: list[Any], shape: tuple[int, ...], dtype: type) -> Any:
    if len(values) != math.prod(shape):
        raise ValueError(f"{name}: {len(values)} values do not make the shape {short(shape)}")
    return np.array(values, dtype=dtype).reshape(shape)


def _result(name: str, entry: Any, shape: tuple[int, ...], trusted: bool) -> LayerResult:
    cls = RESULTS[name]
    unset = {f.name: f.default for f in fields(cls) if f.default is not MISSING}
    data: dict[str, Any] = {key: unset[key] for key in entries_of(name) if key in unset}
    try:
        for key in entries_of(name):
            value = getattr(entry, key)
            if value is UNSET:
                continue
            if key in cls.real_arrays():
                value = np.array(value, dtype=np.float64)
            data[key] = _counts(key, value) if isinstance(value, list) else value
        # Lengths first: the check for contradictions relies on them.
        if problem := next(_lengths(cls, data, shape), None):
            raise ValueError(problem)
        check_consistent(data, trusted=trusted)
    except ValueError as cause:
        raise ValueError(f"{name}: {cause}") from cause
    shapes = dict.fromkeys(cls.per_neuron, shape) | {
        name: (len(data["class_observations"]), *shape) for name in cls.per_class
    }
    there = {name: data[name] for name in shapes if data[name] is not None}
    return cls(**data | {name: array.reshape(shapes[name]) for name, array in there.items()})


def _counts(name: str, values: list[Any]) -> Any:
    # Quantiles of a histogram need counts that float64 holds exactly.
    if sum(values) > (2**53 if name in ("histogram", "bin_counts") else MOST):
        raise ValueError(f"{name}: the sum cannot be counted")
    return np.array(values, dtype=np.int64)


def _lengths(
    cls: type[LayerResult], data: Mapping[str, Any], shape: tuple[int, ...]
) -> Iterator[str]:
    neurons = math.prod(shape)
    if data.get("neurons", neurons) != neurons:
        yield f"it has {data['neurons']} neurons, the layer has {neurons}"
    lengths = {name: len(array) for name, array in data.items() if isinstance(array, np.ndarray)}
    for name in cls.per_neuron:
        if lengths.pop(name, neurons) != neurons:
            yield f"{name}: {len(data[name])} values do not make {neurons} neurons"
    for name in cls.per_class:
        classes = len(data["class_observations"])
        if lengths.pop(name) != classes * neurons:
            yield f"{name}: {len(data[name])} values do not make {classes} times {neurons} neurons"
    if len({n for name, n in lengths.items() if name not in _OF_THEIR_OWN_LENGTH}) > 1:
        yield f"expected arrays of one length, came {lengths}"


def _plain(value: Any, depth: int) -> Any:
    """A copy of a value that JSON can hold; anything else, or nested deeper, is refused."""
    if depth < 0:
        raise ValueError(f"origin: nested deeper than {_DEEPEST}")
    if isinstance(value, Mapping):
        return {checked(key, Text): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    return checked(value, Leaf)

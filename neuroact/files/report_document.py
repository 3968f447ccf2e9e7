"""Write a report as a JSON document. `neuroact.files.layout` declares its layout."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import UNSET, UnsetType, to_builtins

from neuroact.atomic_file import write_text
from neuroact.files.layout import (
    COUNTS,
    METRICS,
    RESULTS,
    Layer,
    OperationsFolded,
    OperationsOfLayer,
    Report,
    SpreadOverSamples,
    SynapticOperations,
    entries_of,
)
from neuroact.results.definitions import definition
from neuroact.results.folded import FoldedOperations
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.spread import OperationSpread
from neuroact.stream.chunk import SignalKind

if TYPE_CHECKING:
    from neuroact.results.layers import Layers
    from neuroact.results.operations import Operations


def to_document(report: Layers) -> dict[str, Any]:
    """The report as plain JSON values."""
    document: dict[str, Any] = to_builtins(
        Report(
            schema_version=Report.newest,
            origin=_plain(report.origin),
            definitions={name: definition(name) for name in (*COUNTS, *METRICS)},
            not_called=list(report.not_called),
            layers=[_layer(layer) for layer in report.values()],
            operations=_operations(report.recorded_operations),
        )
    )
    return document


def write(document: Mapping[str, Any], path: str | os.PathLike[str] | None) -> str:
    """A document as JSON text, with one line for each layer, report or other entry.

    Numbers are written in full, so that reading gives the same bits. If there is a path, the text
    is also written to it, whole or not at all.
    """
    entries = (f' "{name}": {_entry(name, value)}' for name, value in document.items())
    text = "{\n" + ",\n".join(entries) + "\n}\n"
    if path is not None:
        write_text(path, text)
    return text


def finite_or_none(value: float) -> float | None:
    """The number, or None (null in JSON) if it is not finite."""
    return value if math.isfinite(value) else None


def _entry(name: str, value: Any) -> str:
    if name not in ("layers", "reports") or not value:
        return _json(value)
    return "[\n" + ",\n".join(f"  {_json(row)}" for row in value) + "\n ]"


def _json(value: Any) -> str:
    # JSON has no NaN, so None was put in its place before.
    return json.dumps(value, allow_nan=False)


def _layer(layer: LayerActivity) -> Layer:
    same = ("name", "framework", "layer_type", "kind", "dt", "observations", "sequences", "of")
    return Layer(
        **{name: getattr(layer, name) for name in (*same, "nonfinite", "not_binary")},
        aliases=list(layer.aliases),
        shape=list(layer.shape),
        figures={
            name: finite_or_none(getattr(layer, name)) if layer.has_meaning(name) else None
            for name in METRICS
        },
        events=layer.events.ravel().tolist(),
        total=UNSET if layer.kind is SignalKind.BINARY else _value(layer.total),
        results={  # a dict keeps the order asked for, which pages show; `Results` would sort
            name: _result(name, result)
            for name, result in layer.results.items()
            if type(result) is RESULTS.get(name)
        },
    )


def _result(name: str, result: Any) -> dict[str, Any]:
    entries = {entry: _value(getattr(result, entry)) for entry in entries_of(name)}
    return {entry: value for entry, value in entries.items() if value is not None}


def _operations(operations: Operations | None) -> SynapticOperations | UnsetType:
    if operations is None:
        return UNSET
    names = OperationsOfLayer.__struct_fields__
    layers = [
        OperationsOfLayer(**{name: _listed(getattr(layer, name)) for name in names})
        for layer in operations.values()
    ]
    return SynapticOperations(layers, dict(operations.not_counted), _listed(operations.by_sample))


def _listed(value: Any) -> Any:
    if isinstance(value, OperationSpread):
        return SpreadOverSamples(**{name: _listed(part) for name, part in vars(value).items()})
    if isinstance(value, FoldedOperations):
        return OperationsFolded(**vars(value))
    return list(value) if isinstance(value, tuple) else value


def _value(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    values = value.ravel().tolist()
    return values if value.dtype.kind == "i" else [finite_or_none(x) for x in values]


def _plain(value: Any) -> Any:
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value

"""A report as a JSON document; `docs/reference/report.schema.json` describes it.

`neuroact.report_reader` reads it back, and every older version of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neuroact.files.result_document import number_or_null, results_document
from neuroact.results.definitions import definition
from neuroact.results.layer_activity import LayerActivity
from neuroact.stream.chunk import SignalKind

if TYPE_CHECKING:
    from neuroact.results.layers import Layers

SCHEMA = "neuroact.report"
SCHEMA_VERSION = 2
"""2 adds results of neuroact's own statistics, `definitions` and, in the origin, the statistics
and the layers that were asked for."""

# Written for whoever reads the file without neuroact; reading back derives them anew.
FIGURES = ("mean", "std", "min", "q1", "median", "q3", "max", "sparsity", "dead", "saturated")
COUNTS = ("neurons", "sequences", "observations", "events", "total", "activity")


def to_document(report: Layers) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "origin": _plain(report.origin),
        "definitions": {name: definition(name) for name in (*COUNTS, *FIGURES)},
        "not_called": list(report.not_called),
        "layers": [_layer_document(layer) for layer in report.values()],
    }


def to_text(document: Mapping[str, Any]) -> str:
    """A document as JSON text, a line for each layer and for each other entry.

    Numbers are written in full: the nearest shorter one would be another one.
    """
    layers = ",\n".join(f"  {_json(layer)}" for layer in document["layers"])
    entries = {name: _json(value) for name, value in document.items()}
    entries["layers"] = f"[\n{layers}\n ]" if layers else "[]"
    return "{\n" + ",\n".join(f' "{name}": {text}' for name, text in entries.items()) + "\n}\n"


def _json(value: Any) -> str:
    # allow_nan: NaN is no JSON; None stands in its place.
    return json.dumps(value, allow_nan=False)


def _layer_document(layer: LayerActivity) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": layer.name,
        "aliases": list(layer.aliases),
        "framework": layer.framework,
        "layer_type": layer.layer_type,
        "kind": layer.kind.value,
        "shape": list(layer.shape),
        "dt": layer.dt,
        "observations": layer.observations,
        "sequences": layer.sequences,
        "nonfinite": layer.nonfinite,
        "not_binary": layer.not_binary,
        "figures": {name: number_or_null(getattr(layer, name)) for name in FIGURES},
        "events": layer.events.ravel().tolist(),
    }
    if layer.kind is not SignalKind.BINARY:
        document["total"] = [number_or_null(value) for value in layer.total.ravel().tolist()]
    document["results"] = results_document(layer.results)
    return document


def _plain(value: Any) -> Any:
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value

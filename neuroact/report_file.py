"""A report as a JSON document, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroact.activity import LayerActivity
from neuroact.errors import LayerNameError, ReportFileError
from neuroact.statistics import (
    InterspikeIntervalsResult,
    RasterResult,
    SpikeCountsResult,
    SynchronyResult,
    TimeCourseResult,
)
from neuroact.statistics.counted import LayerResult
from neuroact.stream import SignalKind

if TYPE_CHECKING:
    from neuroact.report import ActivityReport

SCHEMA = "neuroact.report"
SCHEMA_VERSION = 2  # 2: results of neuroact's own statistics

# A statistic of the user's own has a result that only its author can write and read.
RESULTS: dict[str, type[LayerResult]] = {
    "InterspikeIntervals": InterspikeIntervalsResult,
    "Raster": RasterResult,
    "SpikeCounts": SpikeCountsResult,
    "Synchrony": SynchronyResult,
    "TimeCourse": TimeCourseResult,
}

# Written for whoever reads the file without neuroact; reading back derives them anew.
FIGURES = ("mean", "std", "min", "q1", "median", "q3", "max", "sparsity", "dead", "saturated")


def to_document(report: ActivityReport) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "origin": _plain(report.origin),
        "not_called": list(report.not_called),
        "layers": [_layer_document(layer) for layer in report.values()],
    }


def from_document(document: Any) -> ActivityReport:
    """The report a document describes; everything in it is checked.

    Raises:
        ReportFileError: it is no report, or one that this version cannot read.
    """
    from neuroact.report import ActivityReport

    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise ReportFileError(f'expected a document with "schema": "{SCHEMA}"; this is none')
    schema_version = document.get("schema_version")
    if type(schema_version) is not int or not 1 <= schema_version <= SCHEMA_VERSION:
        raise ReportFileError(
            f"the report has schema version {schema_version!r}, this neuroact reads up to "
            f"{SCHEMA_VERSION}: update neuroact"
        )
    try:
        return ActivityReport(
            [_layer(entry) for entry in document["layers"]],
            origin=_expect(document["origin"], dict),
            not_called=[_expect(name, str) for name in document["not_called"]],
        )
    except (KeyError, TypeError, ValueError, OverflowError, LayerNameError) as cause:
        raise ReportFileError(f"the report is damaged: {type(cause).__name__}: {cause}") from cause


def parse(text: str | bytes, source: str) -> ActivityReport:
    """The report in a JSON text.

    Raises:
        ReportFileError: names `source` and what is wrong with it.
    """
    try:
        return from_document(json.loads(text))
    except ReportFileError as cause:
        raise ReportFileError(f"{source}: {cause}") from cause
    except (ValueError, RecursionError) as cause:
        raise ReportFileError(f"{source}: not JSON, or cut short: {cause}") from cause


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
        "figures": {name: _number(getattr(layer, name)) for name in FIGURES},
        "events": layer.events.ravel().tolist(),
    }
    if layer.kind is not SignalKind.BINARY:
        document["total"] = [_number(value) for value in layer.total.ravel().tolist()]
    document["results"] = {
        name: _result_document(result)
        for name, result in layer.results.items()
        if type(result) is RESULTS.get(name)
    }
    return document


def _layer(entry: Any) -> LayerActivity:
    _expect(entry, dict)
    shape = tuple(_count(size) for size in entry["shape"])
    kind = SignalKind(entry["kind"])
    events = np.array([_count(n) for n in entry["events"]], dtype=np.int64).reshape(shape)
    binary = kind is SignalKind.BINARY
    total = [] if binary else [math.nan if x is None else float(x) for x in entry["total"]]
    dt = entry["dt"]
    return LayerActivity(
        name=_expect(entry["name"], str),
        aliases=tuple(_expect(alias, str) for alias in entry["aliases"]),
        framework=_expect(entry["framework"], str),
        layer_type=_expect(entry["layer_type"], str),
        kind=kind,
        dt=None if dt is None else float(dt),
        observations=_count(entry["observations"]),
        sequences=_count(entry["sequences"]),
        nonfinite=_expect(entry["nonfinite"], bool),
        not_binary=_expect(entry["not_binary"], bool),
        events=events,
        total=np.array(total).reshape((0,) if binary else shape),
        results={
            _expect(name, str): _result(RESULTS[name], data, shape)
            for name, data in _expect(entry.get("results", {}), dict).items()
        },
    )


def _result_document(result: LayerResult) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name in _data_of(type(result)):
        value = getattr(result, name)
        if isinstance(value, np.ndarray):
            value = [_number(x) for x in value.ravel().tolist()]
        document[name] = value
    return document


def _result(cls: type[LayerResult], entry: Any, shape: tuple[int, ...]) -> LayerResult:
    _expect(entry, dict)
    data: dict[str, Any] = {}
    for name in _data_of(cls):
        value = entry[name]
        if name == "total":
            data[name] = np.array([math.nan if x is None else float(x) for x in value])
        elif isinstance(value, list):
            array = np.array([_count(n) for n in value], dtype=np.int64)
            data[name] = array.reshape(shape) if name in cls.per_neuron else array
        else:
            data[name] = _count(value)
    return cls(**data)


def _data_of(cls: type[LayerResult]) -> list[str]:
    """The names of what a result holds; the layer tells the rest."""
    return [f.name for f in fields(cls) if f.name not in ("fault", "dt")]


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, came {type(value).__name__}")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a count, came {value!r}")
    return value


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    return {str(k): _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value

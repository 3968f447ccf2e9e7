"""From a JSON document to a report; nothing in it is taken for granted.

A file may be cut short, of another program, of a later neuroact, or made to do harm. Whatever is
in it, reading takes time and memory in proportion to its length, and ends in a report or in a
`ReportFileError` that says what is wrong.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

import numpy as np

from neuroact.errors import LayerNameError, ReportFileError
from neuroact.files.json_checks import (
    MOST,
    expect_count,
    expect_kind,
    expect_number,
    expect_text,
    required,
    value_of,
)
from neuroact.files.report_document import SCHEMA, SCHEMA_VERSION
from neuroact.files.result_document import results_from
from neuroact.results.layer_activity import Floats, Integers, LayerActivity
from neuroact.results.layers import Layers
from neuroact.stream.chunk import SignalKind

_DEEPEST = 16


def parse(text: str | bytes, source: str) -> Layers:
    """The report in a JSON text.

    Raises:
        ReportFileError: names `source` and what is wrong with it.
    """
    try:
        document = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as cause:
        raise ReportFileError(f"{source}: not JSON, or cut short: {cause}") from cause
    try:
        return from_document(document)
    except ReportFileError as cause:
        raise ReportFileError(f"{source}: {cause}", layer=cause.layer) from cause


def from_document(document: Any) -> Layers:
    """The report a document describes, of this version of the schema or an older one.

    Raises:
        ReportFileError: it is no report, or one that this version cannot read.
    """
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise ReportFileError(f'expected a document with "schema": "{SCHEMA}"; this is none')
    _check_version(document.get("schema_version"))
    try:
        return Layers(
            _layers(value_of(document, "layers", list)),
            origin=_plain(value_of(document, "origin", dict), _DEEPEST),
            not_called=[expect_text(name) for name in value_of(document, "not_called", list)],
        )
    except (ValueError, LayerNameError) as cause:
        layer = cause.layer if isinstance(cause, LayerNameError | _LayerDamagedError) else None
        raise ReportFileError(f"the report is damaged: {cause}", layer=layer) from cause


class _LayerDamagedError(ValueError):
    """What is wrong with a layer's entry."""

    def __init__(self, layer: str | None, at: int, cause: Exception) -> None:
        shown = f"number {at}" if layer is None else f'"{layer}"'
        super().__init__(f"layer {shown}: {cause}")
        self.layer = layer


def _check_version(version: Any) -> None:
    if type(version) is not int or version < 1:
        raise ReportFileError(f"the report is damaged: its schema version is {short(version)}")
    if version > SCHEMA_VERSION:
        raise ReportFileError(
            f"the report has schema version {short(version)}, this neuroact reads up to "
            f"{SCHEMA_VERSION}: update neuroact"
        )


def _layers(entries: list[Any]) -> list[LayerActivity]:
    layers = []
    for at, entry in enumerate(entries):
        try:
            layers.append(layer_from(expect_kind(entry, dict)))
        except (ValueError, OverflowError) as cause:
            name = entry.get("name") if isinstance(entry, dict) else None
            shown = name if isinstance(name, str) and len(name) < 200 else None
            raise _LayerDamagedError(shown, at, cause) from cause
    return layers


def layer_from(entry: dict[str, Any]) -> LayerActivity:
    """The layer that an entry of a document's `layers` describes.

    Raises:
        ValueError: something in it is not as it was written.
        OverflowError: a number is beyond any count.
    """
    kind = SignalKind(value_of(entry, "kind", str))
    shape = tuple(expect_count(size) for size in value_of(entry, "shape", list))
    observations = expect_count(required(entry, "observations"))
    events = _events(value_of(entry, "events", list), shape, observations)
    binary, nonfinite = kind is SignalKind.BINARY, value_of(entry, "nonfinite", bool)
    not_binary = value_of(entry, "not_binary", bool)
    total = np.empty(0) if binary else _totals(value_of(entry, "total", list), events.shape)
    if not nonfinite and np.isnan(total).any():
        raise ValueError("total: null where all values are said to be finite")
    return LayerActivity(
        name=expect_text(required(entry, "name")),
        aliases=tuple(expect_text(alias) for alias in value_of(entry, "aliases", list)),
        framework=expect_text(required(entry, "framework")),
        layer_type=expect_text(required(entry, "layer_type")),
        kind=kind,
        dt=_seconds(required(entry, "dt")),
        observations=observations,
        sequences=expect_count(required(entry, "sequences")),
        nonfinite=nonfinite,
        not_binary=not_binary,
        events=events,
        total=total,
        results=results_from(
            entry.get("results", {}), shape, trusted=not (nonfinite or not_binary)
        ),
    )


def _events(values: list[Any], shape: tuple[int, ...], observations: int) -> Integers:
    _check_length("events", values, shape)
    if len(values) * observations > MOST:
        raise ValueError(f"{short(observations)} steps of {len(values)} neurons cannot be counted")
    events = np.array([expect_count(value) for value in values], dtype=np.int64)
    if events.size and int(events.max()) > observations:
        raise ValueError(f"a neuron has {events.max()} events in {observations} steps")
    return events.reshape(shape)


def _totals(values: list[Any], shape: tuple[int, ...]) -> Floats:
    _check_length("total", values, shape)
    totals = [math.nan if value is None else expect_number(value) for value in values]
    return np.array(totals, dtype=np.float64).reshape(shape)


def _check_length(name: str, values: list[Any], shape: tuple[int, ...]) -> None:
    if len(shape) > 64:  # what NumPy has at most
        raise ValueError(f"expected at most 64 dimensions, came {len(shape)}")
    if len(values) != math.prod(shape):
        raise ValueError(f"{name}: {len(values)} values do not make the shape {short(shape)}")


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if (seconds := expect_number(value)) <= 0:
        raise ValueError(f"dt: expected seconds above 0, came {short(value)}")
    return seconds


def _plain(value: Any, depth: int) -> Any:
    """What `json` may have made of a text, and nothing else, no deeper than that."""
    if depth < 0:
        raise ValueError(f"origin: nested deeper than {_DEEPEST}")
    if isinstance(value, Mapping):
        return {expect_text(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    if value is None or type(value) is bool:
        return value
    if isinstance(value, str):
        return expect_text(value)
    return value if type(value) is int else expect_number(value)


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = Counter(key for key, _ in pairs)
        twice = keys.most_common(1)[0][0]
        raise ValueError(f"the key {short(twice)} comes twice in one object")
    return found

"""Results of neuroact's own statistics as JSON values, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from neuroact.files.json_checks import MOST, expect_count, expect_kind, expect_number, required
from neuroact.statistics import (
    ClassActivityResult,
    InterspikeIntervalsResult,
    RasterResult,
    SpikeCountsResult,
    SynchronyResult,
    TimeCourseResult,
)
from neuroact.statistics.consistency import check_consistent
from neuroact.statistics.results import LayerResult

# A statistic of the user's own has a result that only its author can write and read.
# `Firing` has no result here: its counts are the layer's own.
RESULTS: dict[str, type[LayerResult]] = {
    "ClassActivity": ClassActivityResult,
    "InterspikeIntervals": InterspikeIntervalsResult,
    "Raster": RasterResult,
    "SpikeCounts": SpikeCountsResult,
    "Synchrony": SynchronyResult,
    "TimeCourse": TimeCourseResult,
}

# The other arrays of one dimension are of one length.
_OF_THEIR_OWN_LENGTH = ("histogram", "lengths")


def results_document(results: Mapping[str, Any]) -> dict[str, Any]:
    """The results that can be read back, by the name of their statistic."""
    return {
        name: _result_document(result)
        for name, result in results.items()
        if type(result) is RESULTS.get(name)
    }


def results_from(document: Any, shape: tuple[int, ...], *, trusted: bool) -> dict[str, LayerResult]:
    """The results of a layer of neurons of that shape.

    Args:
        document: what `results_document` made.
        shape: of the layer's neurons.
        trusted: as in `check_consistent`.

    Raises:
        ValueError: something in the document is not as it was written.
    """
    found = {}
    for name, entry in expect_kind(document, dict).items():
        if name not in RESULTS:
            raise ValueError(f'there is no statistic "{name[:80]}"; there are {", ".join(RESULTS)}')
        try:
            found[name] = _result(RESULTS[name], expect_kind(entry, dict), shape, trusted)
        except ValueError as cause:
            raise ValueError(f"{name}: {cause}") from cause
    return found


def number_or_null(value: float) -> float | None:
    """A figure as JSON has it: null where it is no finite number."""
    return value if math.isfinite(value) else None


def _result_document(result: LayerResult) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name in _data_of(type(result)):
        value = getattr(result, name)
        if isinstance(value, np.ndarray):
            value = [number_or_null(x) for x in value.ravel().tolist()]
        document[name] = value
    return document


def _data_of(cls: type[LayerResult]) -> dict[str, str]:
    """What a result holds, with its type as it is written; the layer tells the rest."""
    return {f.name: str(f.type) for f in fields(cls) if f.name not in ("unreliable", "dt")}


def _result(
    cls: type[LayerResult], entry: dict[str, Any], shape: tuple[int, ...], trusted: bool
) -> LayerResult:
    data = {name: _datum(kind, name, entry) for name, kind in _data_of(cls).items()}
    # First: what is of the wrong length cannot be looked at for contradictions.
    if problem := next(_lengths(cls, data, shape), None):
        raise ValueError(problem)
    check_consistent(data, trusted=trusted)
    shapes = dict.fromkeys(cls.per_neuron, shape) | {
        name: (len(data["class_observations"]), *shape) for name in cls.per_class
    }
    return cls(**data | {name: data[name].reshape(shapes[name]) for name in shapes})


def _datum(kind: str, name: str, entry: dict[str, Any]) -> Any:
    value = required(entry, name)
    try:
        if kind == "int":
            return expect_count(value)
        values = expect_kind(value, list)
        if kind == "Floats":
            return np.array([math.nan if x is None else expect_number(x) for x in values])
        counts = [expect_count(x) for x in values]
    except ValueError as cause:
        raise ValueError(f"{name}: {cause}") from cause
    # Quantiles take a histogram as far as float64 counts it.
    if sum(counts) > (2**53 if name == "histogram" else MOST):
        raise ValueError(f"{name}: the sum cannot be counted")
    return np.array(counts, dtype=np.int64)


def _lengths(
    cls: type[LayerResult], data: Mapping[str, Any], shape: tuple[int, ...]
) -> Iterator[str]:
    neurons = math.prod(shape)
    if data.get("neurons", neurons) != neurons:
        yield f"it is of {data['neurons']} neurons, the layer of {neurons}"
    lengths = {name: len(array) for name, array in data.items() if isinstance(array, np.ndarray)}
    for name in cls.per_neuron:
        if lengths.pop(name) != neurons:
            yield f"{name}: {len(data[name])} values do not make {neurons} neurons"
    for name in cls.per_class:
        classes = len(data["class_observations"])
        if lengths.pop(name) != classes * neurons:
            yield f"{name}: {len(data[name])} values do not make {classes} times {neurons} neurons"
    if len({n for name, n in lengths.items() if name not in _OF_THEIR_OWN_LENGTH}) > 1:
        yield f"expected arrays of one length, came {lengths}"

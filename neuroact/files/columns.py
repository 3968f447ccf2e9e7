"""A report as columns: for data frames, CSV and Parquet."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neuroact.errors import MissingExtraError
from neuroact.files.layout import METRICS
from neuroact.results.history import Entry
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.statistic_figures import figures_of, medians_of
from neuroact.statistics.results import LayerResult

if TYPE_CHECKING:
    from neuroact.results.layers import Layers
    from neuroact.results.operations import Operations

Per = Literal["layer", "neuron"]
Columns = dict[str, Any]

PLAIN = ("framework", "layer_type", "neurons", "sequences", "observations", *METRICS)
OPERATIONS = (
    *("input_kind", "observations", "inputs", "events", "density", "fan_out", "parameters"),
    *("dense", "unpruned", "effective", "acs", "macs", "weighted", "share", "bias_additions"),
)
"""Figures of a layer's synaptic operations, see `LayerOperations`."""
PER_NEURON = {
    "fano_factor": "SpikeCounts",
    "mean_interval": "InterspikeIntervals",
    "cv": "InterspikeIntervals",
    "cv2": "InterspikeIntervals",
    "lv": "InterspikeIntervals",
    "mean_per_neuron": "Signal",
    "std_per_neuron": "Signal",
    "min_per_neuron": "Signal",
    "max_per_neuron": "Signal",
    "zeros_share_per_neuron": "Signal",
}
"""Metrics of a neuron by name, and the statistic that gives each."""


def columns_of(report: Layers, per: Per = "layer") -> Columns:
    """The report as columns of equal length, with a row for each layer or each neuron.

    A layer's row has its name, kind, framework, type, shape (`2x3`), counts, metrics and `dt`. A
    metric that says nothing of the layer is None, see `LayerActivity.has_meaning`. The column
    `unreliable` says why the values cannot be trusted; None if they can.

    Then come the figures of the other statistics that were recorded. The statistic's name stands in
    front: `synchrony_chi`, `time_course_latency_mean`. A figure of each neuron is given as the
    median over the neurons that have one: `interspike_intervals_cv_median`,
    `spike_counts_fano_factor_median`. They are None where a layer has no such figure, and there is
    no column of a figure that no layer has.

    A neuron's row has:

    - `layer`, the layer's name;
    - `neuron`, the neuron's number in the layer, in row-major order;
    - `position`, its indices (`1,0`);
    - `events`, `total` and `activity`;
    - the metrics of `PER_NEURON`, if any layer was recorded with their statistic. They are NaN for
      the other layers.

    Raises:
        ValueError: `per` is neither "layer" nor "neuron".
    """
    if per == "layer":
        return _per_layer(list(report.values()))
    if per == "neuron":
        return _per_neuron(list(report.values()))
    raise ValueError(f'expected per= to be "layer" or "neuron", came {per!r}')


def to_frame(report: Layers, per: Per = "layer") -> Any:
    """The columns of `columns_of` as a data frame. Numbers stay numbers."""
    return data_frame(columns_of(report, per), purpose="ActivityReport.to_frame()")


def data_frame(columns: Mapping[str, Sequence[Any]], *, purpose: str) -> Any:
    """The columns as a pandas data frame, or as a polars one if pandas is not installed.

    Raises:
        MissingExtraError: neither pandas nor polars is installed.
    """
    for package in ("pandas", "polars"):
        try:
            library = import_module(package)
        except ModuleNotFoundError:
            continue
        return library.DataFrame(columns)
    raise MissingExtraError("pandas", extra="frames", purpose=purpose)


def operation_columns(operations: Operations) -> Columns:
    """Synaptic operations as columns of equal length, a row for each layer that was counted.

    They are the layer's name, framework, type, shapes of one input and of its output (`2x3`), and
    `OPERATIONS`. `weighted` is None where it has no figure, and the shape of the output where it is
    not one tensor. Reads of weights, and reads and writes of potentials, are as many as
    `effective`; reads of inputs as many as `events`.
    """
    layers = list(operations.values())
    columns: Columns = {"layer": [layer.name for layer in layers]}
    columns |= {
        name: [getattr(layer, name) for layer in layers]
        for name in ("framework", "layer_type", *OPERATIONS)
    }
    for name in ("shape", "output_shape"):
        shapes = [getattr(layer, name) for layer in layers]
        columns[name] = [None if s is None else "x".join(map(str, s)) for s in shapes]
    return columns


def history_columns(entries: Sequence[Entry[Layers]]) -> Columns:
    """A history as columns of equal length, with a row for each report and layer.

    The columns of `columns_of` come after the report's label, its first and last recorded training
    step, and the layer's verdicts in that report. Labels are texts if one of them is a text.
    """
    texts = any(isinstance(entry.label, str) for entry in entries)
    columns: Columns = {"label": [], "first_step": [], "last_step": [], "verdicts": []}
    columns |= {name: [] for name in _per_layer([])}
    for entry in entries:
        found = _per_layer(list(entry.layers.values()))
        rows = len(entry.layers)
        steps = (None, None) if entry.steps is None else (entry.steps.first, entry.steps.last)
        columns["label"] += [str(entry.label) if texts else entry.label] * rows
        columns["first_step"] += [steps[0]] * rows
        columns["last_step"] += [steps[1]] * rows
        columns["verdicts"] += [
            ", ".join(kind for kind, names in entry.sick.items() if name in names)
            for name in entry.layers
        ]
        for name, values in found.items():
            columns[name] += values
    return columns


def _per_layer(layers: Sequence[LayerActivity]) -> Columns:
    columns: Columns = {
        "layer": [layer.name for layer in layers],
        "kind": [layer.kind.value for layer in layers],
    }
    columns |= {
        name: [getattr(x, name) if x.has_meaning(name) else None for x in layers] for name in PLAIN
    }
    columns["shape"] = ["x".join(map(str, layer.shape)) for layer in layers]
    columns["dt"] = [np.nan if layer.dt is None else layer.dt for layer in layers]
    columns["unreliable"] = [layer.unreliable for layer in layers]
    return columns | _of_statistics(layers)


def _of_statistics(layers: Sequence[LayerActivity]) -> Columns:
    rows = [_figures(layer) for layer in layers]
    heads = dict.fromkeys(n for row in rows for n, value in row.items() if value is not None)
    return {head: [row.get(head) for row in rows] for head in heads}


def _figures(layer: LayerActivity) -> dict[str, float | None]:
    """The figures of a layer's statistics beside `Firing`, by the names of their columns."""
    found: dict[str, float | None] = {}
    for statistic, result in layer.results.items():
        if isinstance(result, LayerResult):
            in_front = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", statistic).lower()
            found |= {f"{in_front}_{name}": value for name, value in figures_of(statistic, result)}
            found |= {
                f"{in_front}_{name}_median": median
                for name, median, _ in medians_of(statistic, result)
            }
    return found


def _per_neuron(layers: Sequence[LayerActivity]) -> Columns:
    def joined(values: Callable[[LayerActivity], Any], dtype: type) -> Any:
        arrays = [np.ravel(values(layer)) for layer in layers]
        return np.concatenate([np.empty(0, dtype), *arrays])

    columns: Columns = {
        "layer": [name for layer in layers for name in [layer.name] * layer.neurons],
        "neuron": joined(lambda layer: np.arange(layer.neurons), np.int64),
        "position": [place for layer in layers for place in _positions(layer.shape)],
        "events": joined(lambda layer: layer.events, np.int64),
        "total": joined(lambda layer: layer.total, np.float64),
        "activity": joined(lambda layer: layer.activity, np.float64),
    }
    for metric, statistic in PER_NEURON.items():
        if any(statistic in layer.results for layer in layers):
            columns[metric] = joined(_metric(statistic, metric), np.float64)
    return columns


def _positions(shape: tuple[int, ...]) -> Iterable[str]:
    indices = np.indices(shape).reshape(len(shape), math.prod(shape)).T
    return (",".join(map(str, index)) for index in indices.tolist())


def _metric(statistic: str, metric: str) -> Callable[[LayerActivity], Any]:
    def of(layer: LayerActivity) -> Any:
        result = layer.results.get(statistic)
        return np.full(layer.shape, np.nan) if result is None else getattr(result, metric)

    return of

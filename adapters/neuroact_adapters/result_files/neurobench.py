"""Makes an `ActivityReport` of NeuroBench's results, live or read from a file."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroact import ActivityReport, LayerActivity, SignalKind
from neuroact.errors import (
    NeuroactError,
    NothingRecordedError,
    ReportFileError,
    UnreliableLayerWarning,
)
from neuroact.files.json_document import checked
from neuroact.files.layout import Count, Finite
from neuroact.files.report_reader import layer_from

Results = Mapping[str, Any] | str | os.PathLike[str]
"""What `benchmark.run()` returned, or the JSON file that `save_benchmark_results` wrote."""


def report(results: Results, *, name: str | None = None) -> ActivityReport:
    """The results of an `AverageActivityMetric` as a report: table, plot, JSON, frame.

    Args:
        results: what `benchmark.run()` returned, the path of the JSON file that
            `save_benchmark_results` wrote, or the contents of that file. The metric's part of the
            results will do too.
        name: the metric's name; needed only if there are several.

    Returns:
        A report equal to the one that `neuroact.record` makes of the same run. Layers without
        figures are in its `not_called`. It has no statistics except `Firing`.

    Raises:
        NothingRecordedError: the results have no figures of this metric; the message says why.
        ReportFileError: the figures are damaged, or lack each neuron's own (`per_neuron=False`); or
            the file is not JSON.
        ValueError: there are several metrics, and no `name`.
        OSError: the file cannot be read.

    Warns:
        UnreliableLayerWarning: some layers have no figures; names each with the reason.
    """
    entry = entry_of(results, name)
    layers, missing = [], {}
    for layer_name, figures in entry.items():
        if "timesteps" in figures:
            layers.append(_layer(layer_name, figures))
        else:
            missing[layer_name] = figures["error"]
    if missing:
        reasons = "; ".join(f'"{layer}": {reason}' for layer, reason in missing.items())
        warnings.warn(f"no figures of {reasons}", UnreliableLayerWarning, stacklevel=2)
    return ActivityReport(layers, not_called=missing)


def from_file(path: Path) -> ActivityReport | None:
    """The report of a file, if it is what `save_benchmark_results` writes as JSON; else None.

    The entry point of `neuroact.result_files`. It warns as `report` does.

    Raises:
        ReportFileError: the results have no figures of each neuron, or those of several metrics.
    """
    try:
        document = _read(path)
    except ReportFileError:
        return None
    found = [name for name, part in document.items() if _is_entry(part)]
    if not found and not _is_entry(document):
        return None
    if len(found) > 1:
        raise ReportFileError(
            f"{path} holds NeuroBench's results of {', '.join(found)}. In Python, write the report "
            "of one: "
            f'neuroact_adapters.neurobench.report(path, name="{found[0]}").to_json(new_path)'
        )
    try:
        return report(document)
    except NeuroactError as cause:
        raise ReportFileError(f"{path}, NeuroBench's results: {cause}") from cause


def entry_of(results: Results, name: str | None = None) -> Mapping[str, Any]:
    """The metric's part of the results; raises like `report`."""
    results = _loaded(results)
    found = {key: part for key, part in results.items() if _is_entry(part)}
    if name is None and _is_entry(results):
        entry = results
    elif name is not None and name in found:
        entry = found[name]
    elif name is None and len(found) == 1:
        (entry,) = found.values()
    elif name is None and found:
        raise ValueError(f"figures of {', '.join(found)} are in the results: say which with name=")
    else:
        raise NothingRecordedError(_why_none(results, name))
    if set(entry) == {"error"}:
        raise NothingRecordedError(entry["error"])
    return entry


def own_entry(results: Results, name: str) -> Mapping[str, Any]:
    """The part of the metric of that name; without one, the only part of a metric."""
    found = _loaded(results)
    return entry_of(found, name if name in found else None)


def _loaded(results: Results) -> Mapping[str, Any]:
    if isinstance(results, Mapping):
        return results
    if isinstance(results, str | os.PathLike):
        return _read(Path(results))
    raise TypeError(
        "expected the dict of benchmark.run(), or the path of its JSON file, came "
        f"{type(results).__name__}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as cause:
        raise ReportFileError(
            f"{path}: not JSON, or cut short: {cause}. Give the JSON file that "
            "save_benchmark_results writes, not the csv or txt"
        ) from cause
    if not isinstance(found, dict):
        raise ReportFileError(f"{path}: expected the results of a benchmark, a JSON object")
    return found


def _is_entry(part: Any) -> bool:
    if not isinstance(part, Mapping) or not part:
        return False
    failed = set(part) == {"error"} and isinstance(part["error"], str)
    return failed or all(map(_is_layer, part.values()))


def _is_layer(part: Any) -> bool:
    return (
        isinstance(part, Mapping)
        and "layer_type" in part
        and bool({"timesteps", "error"} & set(part))
    )


def _why_none(results: Mapping[str, Any], name: str | None) -> str:
    wanted = name or "an AverageActivityMetric"
    listed = ", ".join(map(str, results)) or "nothing"
    if name is not None and name in results:
        return f"the results of {name} are not figures of neurons: {results[name]!r}"
    return (
        f"the results hold no figures of {wanted}; they hold {listed}. A metric is left out of "
        "the results if the data loader gave no batch, or if it was not in the Benchmark's list "
        "of workload metrics"
    )


def _layer(name: str, figures: Mapping[str, Any]) -> LayerActivity:
    if "histogram" not in figures:
        raise ReportFileError(
            f"layer \"{name}\": these results hold only the layers' figures, not each neuron's "
            "(per_neuron=False), which a report needs",
            layer=name,
        )
    try:
        return layer_from(_entry(name, figures))
    except ValueError as cause:
        message = f'layer "{name}": its figures are damaged: {cause}'
        raise ReportFileError(message, layer=name) from cause


def _entry(name: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures as an entry of a report's JSON. The reader of that JSON checks the rest."""
    steps = checked(figures["timesteps"], Count)
    if figures.get("kind") != SignalKind.BINARY.value:
        events = figures.get("events")
    elif "error" in figures:
        events = [0] * len(checked(figures["histogram"], list))
    else:
        activity = checked(figures["histogram"], list[Finite])
        events = [int(count) for count in np.rint(np.array(activity) * steps)]
    taken = ("kind", "shape", "framework", "layer_type", "aliases", "total")
    return {key: figures[key] for key in taken if key in figures} | {
        "name": name,
        "dt": figures.get("dt"),
        "observations": steps,
        "sequences": figures.get("samples"),
        "nonfinite": figures.get("nonfinite", False),
        "not_binary": figures.get("not_binary", False),
        "figures": None,
        "events": events,
    }

"""NeuroBench's results, live or read from a file, as an `ActivityReport`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from neuroact import ActivityReport, LayerActivity, SignalKind
from neuroact.errors import NothingRecordedError, ReportFileError, UnreliableLayerWarning


def report(results: Mapping[str, Any], *, name: str | None = None) -> ActivityReport:
    """The figures that an `AverageActivityMetric` came to, as a report: table, plot, JSON, frame.

    Args:
        results: what `benchmark.run()` returned, what was read from the JSON file that
            `save_benchmark_results` wrote, or the one metric's part of either.
        name: the metric's name; needed only where there are several.

    Returns:
        A report equal to the one `neuroact.record` makes of the same run. Layers without figures
        are in its `not_called`. It holds no statistics beside `Firing`.

    Raises:
        NothingRecordedError: the results have no figures of this metric; says why.
        ReportFileError: they have, without every neuron's own (`per_neuron=False`), or damaged.
        ValueError: several metrics, and no `name`.

    Warns:
        UnreliableLayerWarning: layers without figures, each with the reason.
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


def entry_of(results: Mapping[str, Any], name: str | None = None) -> Mapping[str, Any]:
    """The one metric's part of the results; raises as `report` does."""
    if not isinstance(results, Mapping):
        raise TypeError(f"expected the dict of benchmark.run(), came {type(results).__name__}")
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
        return f"what the results hold of {name} are no figures of neurons: {results[name]!r}"
    return (
        f"the results hold no figures of {wanted}; they hold {listed}. A metric is left out of "
        "the results where the data loader gave no batch, or where it was not in the Benchmark's "
        "list of workload metrics"
    )


def _layer(name: str, figures: Mapping[str, Any]) -> LayerActivity:
    try:
        kind, shape = SignalKind(figures["kind"]), tuple(figures["shape"])
        steps, broken = figures["timesteps"], "error" in figures
        if "histogram" not in figures:
            raise ReportFileError(
                f'layer "{name}": these results hold the layers\' figures only, not each '
                "neuron's (per_neuron=False), of which a report is made",
                layer=name,
            )
        activity = np.array(figures["histogram"], dtype=np.float64).reshape(shape)
        total = np.zeros(shape) if broken else activity * steps
        events = np.rint(total)
        if kind is not SignalKind.BINARY:
            total = np.array(figures["total"], dtype=np.float64).reshape(shape)
            events = np.array(figures["events"]).reshape(shape)
        return LayerActivity(
            name=name,
            framework=figures["framework"],
            layer_type=figures["layer_type"],
            kind=kind,
            observations=steps,
            sequences=figures["samples"],
            events=events.astype(np.int64),
            total=total,
            nonfinite=figures.get("nonfinite", False),
            not_binary=figures.get("not_binary", False),
            aliases=tuple(figures["aliases"]),
            dt=figures.get("dt"),
        )
    except (KeyError, TypeError, ValueError) as cause:
        if isinstance(cause, ReportFileError):
            raise
        raise ReportFileError(
            f'layer "{name}": its figures are damaged: {type(cause).__name__}: {cause}', layer=name
        ) from cause

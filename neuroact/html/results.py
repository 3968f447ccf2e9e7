"""The results of statistics beside `Firing` in a layer, as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroact.printable import printable
from neuroact.results.definitions import definition, headline
from neuroact.results.layer_activity import SPREAD
from neuroact.statistics.results import LayerResult
from neuroact.table import number_text

_OF_LAYER = {
    "ClassActivity": ("classes",),
    "InterspikeIntervals": ("mean_ms", *SPREAD),
    "Raster": ("kept", "begun", "watched"),
    "Signal": (
        *SPREAD,
        *("zeros_share", "density", "l0", "norm"),
        *("threshold", "above_share", "distance_mean", "distance_min"),
    ),
    "SpikeCounts": ("window", *SPREAD),
    "Synchrony": ("chi", "bin_width", *SPREAD),
    "TimeCourse": ("bins", "bin_width", "onset", "latency_mean", "latency_mean_ms", "never_share"),
}
_OF_NEURONS = {
    "ClassActivity": ("selectivity",),
    "InterspikeIntervals": ("mean_interval", "mean_interval_ms", "cv", "cv2", "lv"),
    "Signal": ("mean_per_neuron", "std_per_neuron", "zeros_share_per_neuron"),
    "SpikeCounts": ("mean_per_neuron", "fano_factor"),
}
_MOST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its name, and its definition if there is one."""

    name: str
    text: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class ResultBlock:
    """The result of one statistic."""

    title: str
    meaning: str
    facts: tuple[Fact, ...]


def result_blocks(results: Mapping[str, Any]) -> tuple[ResultBlock, ...]:
    """A block for each statistic. The result of a user's own statistic is shown as its `repr`."""
    return tuple(_block(name, result) for name, result in results.items())


def _block(name: str, result: Any) -> ResultBlock:
    if name not in _OF_LAYER or not isinstance(result, LayerResult):
        text = repr(result)
        shown = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"
        return ResultBlock(printable(name), "", (Fact("result", printable(shown)),))
    cls = type(result)
    facts = [
        Fact(n, _text(getattr(result, n)), definition(n, cls))
        for n in _OF_LAYER[name]
        if _known(n, result)
    ]
    for metric in filter(lambda n: _known(n, result), _OF_NEURONS.get(name, ())):
        values = getattr(result, metric)
        known = values[~np.isnan(values)]
        median = float(np.median(known)) if known.size else np.nan
        meaning = f"Median over the {known.size:,} neurons that have one. {definition(metric, cls)}"
        facts.append(Fact(f"{metric}, median", number_text(median), meaning))
    return ResultBlock(name, headline(cls), tuple(facts))


def _known(name: str, result: Any) -> bool:
    """Whether the figure exists: those in ms need a time step."""
    return not name.endswith("_ms") or result.dt is not None


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else number_text(value)

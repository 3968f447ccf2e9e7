"""Which figures the results of neuroact's statistics have, for pages, cards and columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neuroact.results.layer_activity import SPREAD

OF_LAYER: Mapping[str, tuple[str, ...]] = {
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
"""Numbers of a layer, by the statistic's name."""
OF_NEURONS: Mapping[str, tuple[str, ...]] = {
    "ClassActivity": ("selectivity",),
    "InterspikeIntervals": ("mean_interval", "mean_interval_ms", "cv", "cv2", "lv"),
    "Signal": ("mean_per_neuron", "std_per_neuron", "zeros_share_per_neuron"),
    "SpikeCounts": ("mean_per_neuron", "fano_factor"),
}
"""Numbers of each neuron, by the statistic's name."""


def figures_of(statistic: str, result: Any) -> Iterator[tuple[str, int | float | None]]:
    """The figures of a layer by name. Those in ms are left out if there is no time step."""
    for name in OF_LAYER.get(statistic, ()):
        if has_figure(name, result):
            yield name, getattr(result, name)


def medians_of(statistic: str, result: Any) -> Iterator[tuple[str, float, int]]:
    """The figures of neurons: name, median over the neurons that have one, and their number.

    The median is NaN if no neuron has one.
    """
    for name in OF_NEURONS.get(statistic, ()):
        if has_figure(name, result):
            values = getattr(result, name)
            known = values[~np.isnan(values)]
            yield name, float(np.median(known)) if known.size else np.nan, known.size


def has_figure(name: str, result: Any) -> bool:
    """Whether the figure exists: those in ms need a time step."""
    return not name.endswith("_ms") or result.dt is not None

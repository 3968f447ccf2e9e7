"""Checks that the numbers of a result could have been counted: a file may hold any numbers.

Numbers that contradict each other would give figures that look right and are wrong, or an error
later, such as the root of a negative variance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neuroact.statistics.counting.real_bins import BINS, ZERO
from neuroact.statistics.results import exact_spread, moments

# A variance comes from `n · squares - sums²`: the names of n and of the sums.
_SPREADS = (
    ("sequences", "sums"),
    ("intervals", "sums"),
    ("samples", "events"),
    ("observations", "events"),  # n may be larger than the samples: then it refuses less
)


def check_consistent(data: Mapping[str, Any], *, trusted: bool) -> None:
    """Refuse the numbers of a result that contradict each other.

    Args:
        data: the fields of one of neuroact's own results, by name.
        trusted: False if the layer's values included NaN or infinity, or values other than 0 and 1
            in a binary layer. Sums of such values may differ with the order of adding, so they are
            not compared; the figures are NaN anyway.

    Raises:
        ValueError: names a number that contradicts the others.
    """
    problem = next(_contradictions(data), None)
    if problem is None and trusted:
        problem = next(_wrong_sums(data), None)
    if problem is not None:
        raise ValueError(problem)


def _contradictions(data: Mapping[str, Any]) -> Iterator[str]:
    """Contradictions that would make figures fail, whatever the layer's values were."""
    if 0 in (data.get("bin_width"), data.get("window")):
        yield "bin_width, window: expected steps"
    if {"histogram", "events"} <= data.keys() and (
        data["events"] > data["observations"] * data.get("bin_width", 1)
    ).any():
        yield "events: more than there were steps"
    for n, sums in _SPREADS:
        known = all(data.get(name) is not None for name in (n, sums, "squares"))
        if known and (exact_spread(data[n], data[sums], data["squares"]) < 0).any():
            yield f"squares: too small for these {sums}"
    if "lengths" in data:
        yield from _impossible_events(data)
    if "bins" in data:
        yield from _impossible_bins(data)


def _impossible_events(data: Mapping[str, Any]) -> Iterator[str]:
    sequence, step, neuron, lengths = (data[n] for n in ("sequence", "step", "neuron", "lengths"))
    if data["every"] < 1 or data["begun"] < len(lengths):
        yield "every, begun: impossible numbers"
    elif len(sequence) and (np.diff(sequence).min(initial=0) < 0 or sequence[-1] >= len(lengths)):
        yield "sequence: expected numbers of kept sequences, ascending"
    elif (step >= lengths[sequence]).any() or (neuron >= data["neurons"]).any():
        yield "step, neuron: larger than the number of steps or neurons"


def _impossible_bins(data: Mapping[str, Any]) -> Iterator[str]:
    bins, counts = data["bins"], data["bin_counts"]
    if len(bins) != len(counts) or (counts < 1).any():
        yield "bin_counts: expected a number of values for each of the bins"
    elif len(bins) and (np.diff(bins).min(initial=1) < 1 or bins[0] < 0 or bins[-1] >= BINS):
        yield f"bins: expected numbers of bins below {BINS}, ascending"
    observations = _sum(data["step_observations"])
    if max(data["zeros"].max(initial=0), data["above"].max(initial=0)) > observations:
        yield "zeros, above: more than there were values"
    if data["threshold"] is None and data["above"].any():
        yield "above: values above no threshold"


def _wrong_sums(data: Mapping[str, Any]) -> Iterator[str]:
    """Sums that were counted in two ways, by value and by neuron or step, and that differ."""
    if "histogram" in data:
        number, total, squares = moments(data["histogram"])
        if "sequences" in data:
            pairs = data["sequences"] * data["sums"].size
        else:
            pairs = data["observations"] if "observations" in data else _sum(data["intervals"])
        if number != pairs:
            yield f"histogram: expected {pairs} numbers, came {number}"
        if total != _sum(data["events" if "events" in data else "sums"]):
            yield "histogram: another sum than that of all neurons"
        if {"sums", "squares"} <= data.keys() and squares != _sum(data["squares"]):
            yield "histogram: another sum of squares than that of all neurons"
    if "bins" in data:
        yield from _wrong_values(data)
    if "pairs" in data and (data["pairs"] > data["intervals"]).any():
        yield "pairs: more than there are intervals"
    if "first_spikes" in data:
        yield from _impossible_steps(data)


def _wrong_values(data: Mapping[str, Any]) -> Iterator[str]:
    values = _sum(data["step_observations"]) * data["zeros"].size
    if _sum(data["bin_counts"]) != values:
        yield f"bin_counts: expected {values} values, came {_sum(data['bin_counts'])}"
    if values and _sum(data["bin_counts"][data["bins"] == ZERO]) != _sum(data["zeros"]):
        yield "zeros: another number than in the bin of zero"
    ends = data["min_per_neuron"], data["max_per_neuron"]
    if (ends[0] > ends[1]).any() or (values and np.isnan(ends).any()):
        yield "min_per_neuron, max_per_neuron: not the ends of a range"
    if (data["std_per_neuron"] < 0).any() or (data["std_by_step"] < 0).any():
        yield "std_per_neuron, std_by_step: below 0"


def _impossible_steps(data: Mapping[str, Any]) -> Iterator[str]:
    if (data["first_spikes"] > data["events"]).any():
        yield "first_spikes: more than there are events"
    samples = data.get("samples")
    if samples is not None and (samples > data["observations"]).any():
        yield "samples: more than there are steps"
    most = data["observations"].astype(object) * data["neurons"]
    if (data["events"] > most).any():
        yield "events: more than there were neurons to fire"


def _sum(counts: Any) -> int:
    return sum(counts.ravel().tolist())

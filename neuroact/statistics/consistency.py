"""Whether a statistic's numbers can have been counted; they may come from a file anyone wrote.

Numbers that contradict each other make figures that look right and are not, or that fail where
they are asked for: the root of a variance below zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from neuroact.statistics.results import exact_spread, moments

# What a variance is told from, `n · squares - sums²`: names of n and of the sums.
_SPREADS = (("sequences", "sums"), ("intervals", "sums"), ("observations", "events"))


def check_consistent(data: Mapping[str, Any], *, trusted: bool) -> None:
    """Refuse the numbers of a result that contradict each other.

    Args:
        data: the fields of one of neuroact's own results, by name.
        trusted: no value of the layer was NaN or infinite, or other than 0 and 1 where binary.
            Such values count differently in sums taken in different orders; the figures are NaN.

    Raises:
        ValueError: names one that contradicts.
    """
    problem = next(_contradictions(data), None)
    if problem is None and trusted:
        problem = next(_wrong_sums(data), None)
    if problem is not None:
        raise ValueError(problem)


def _contradictions(data: Mapping[str, Any]) -> Iterator[str]:
    """What would make figures fail, whatever the values were."""
    for n, sums in _SPREADS:
        told = {n, sums, "squares"} <= data.keys()
        if told and (exact_spread(data[n], data[sums], data["squares"]) < 0).any():
            yield f"squares: too small for these {sums}"
    if {"histogram", "events"} <= data.keys() and (data["events"] > data["observations"]).any():
        yield "events: more than there were steps"
    if "lengths" in data:
        yield from _impossible_events(data)


def _impossible_events(data: Mapping[str, Any]) -> Iterator[str]:
    sequence, step, neuron, lengths = (data[n] for n in ("sequence", "step", "neuron", "lengths"))
    if data["every"] < 1 or data["begun"] < len(lengths):
        yield "every, begun: these cannot be"
    elif len(sequence) and (np.diff(sequence).min(initial=0) < 0 or sequence[-1] >= len(lengths)):
        yield "sequence: expected kept ones, ascending"
    elif (step >= lengths[sequence]).any() or (neuron >= data["neurons"]).any():
        yield "step, neuron: there are not so many"


def _wrong_sums(data: Mapping[str, Any]) -> Iterator[str]:
    """What is counted twice, by value and by neuron or step, and differs."""
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
        if "squares" in data and squares != _sum(data["squares"]):
            yield "histogram: another sum of squares than that of all neurons"
    if "pairs" in data and (data["pairs"] > data["intervals"]).any():
        yield "pairs: more than there are intervals"
    if "first_spikes" in data:
        yield from _impossible_steps(data)


def _impossible_steps(data: Mapping[str, Any]) -> Iterator[str]:
    if (data["first_spikes"] > data["events"]).any():
        yield "first_spikes: more than there are events"
    most = data["observations"].astype(object) * data["neurons"]
    if (data["events"] > most).any():
        yield "events: more than there were neurons to fire"


def _sum(counts: Any) -> int:
    return sum(counts.ravel().tolist())

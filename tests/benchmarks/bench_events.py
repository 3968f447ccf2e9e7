"""Counting a list of events, beside counting the array of the same events in windows.

Ten thousand neurons over a hundred thousand steps, with half a million events: as an array that is
10⁹ values. The windows are of a thousand steps, in one piece of memory, made of events in order.

Run: python tests/benchmarks/bench_events.py WAY STATISTIC, for one of both, in this process
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from peak import most_held

from neuroact import Recording

NEURONS, STEPS, EVENTS, DT, WINDOW = 10_000, 100_000, 500_000, 0.0001, 1000
WAYS = {"list of events": None, "windows of bytes": np.uint8, "windows of float32": np.float32}
FIGURES = ("Firing", "SpikeCounts", "TimeCourse", "InterspikeIntervals", "Synchrony", "all of them")


def table() -> Iterator[str]:
    """A row for each statistic."""
    yield f"| statistic | {' | '.join(WAYS)} |"
    yield f"| --- |{' ---: |' * len(WAYS)}"
    for name in FIGURES:
        found = [in_fresh_process(way, name) for way in WAYS]
        cells = (f"{seconds:.2f} s, +{held / 1e6:.0f} MB" for seconds, held in found)
        yield f"| {name} | {' | '.join(cells)} |"


def in_fresh_process(way: str, name: str) -> tuple[float, int]:
    """Processor time in seconds, and peak memory in bytes over that before."""
    command = [sys.executable, "-W", "ignore", __file__, way, name]
    seconds, held = json.loads(subprocess.check_output(command))
    return seconds, held


def measured(way: str, name: str) -> tuple[float, int]:
    """The same in this process, until there is a report."""
    statistics = list(FIGURES[1:-1]) if name == FIGURES[-1] else None if name == "Firing" else name
    rng = np.random.default_rng(0)
    # No cell twice.
    cells = np.unique(rng.integers(0, NEURONS * STEPS, EVENTS))
    step, neuron = np.divmod(cells, NEURONS)
    in_any_order = rng.permutation(len(cells))
    times, indices = (step[in_any_order] + 0.5) * DT, neuron[in_any_order]
    recording = Recording(statistics=statistics, dt=DT)
    recording.observe("warm", np.zeros((1, 1, 1), np.uint8))
    before, began = most_held(), time.process_time()
    dtype = WAYS[way]
    if dtype is None:
        recording.observe_events("lif", times, indices, neurons=NEURONS, duration=STEPS * DT)
    else:
        window = np.empty((WINDOW, 1, NEURONS), dtype)
        ends = np.searchsorted(step, np.arange(0, STEPS + 1, WINDOW))
        for first, (begin, end) in zip(range(0, STEPS, WINDOW), pairwise(ends), strict=True):
            window.fill(0)
            window[step[begin:end] - first, 0, neuron[begin:end]] = 1
            recording.observe("lif", window, starts_sequence=first == 0)
    events = recording.report()["lif"].events
    spent = time.process_time() - began
    assert (events == np.bincount(neuron, minlength=NEURONS)).all()
    return spent, most_held() - before


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(measured(*sys.argv[1:])))

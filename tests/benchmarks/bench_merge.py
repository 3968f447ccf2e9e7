"""Time to merge, save and load a thousand recordings of ten thousand neurons.

It measures processor time, which a busy machine disturbs least: of the default recording, of each
statistic in addition to it, and of all of them together.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_merge.py [recordings neurons]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from neuroact import Recording
from neuroact.statistics import BUILT_IN, Firing, Raster, Statistic

STEPS, BATCH = 20, 4


def all_statistics() -> list[type[Statistic]]:
    """All but `Firing`, and but `Raster`, which keeps only the first sequences."""
    return [cls for cls in BUILT_IN.values() if cls not in (Firing, Raster)]


@contextmanager
def timed(into: dict[str, float], what: str) -> Iterator[None]:
    """Remember the processor time of the block, in seconds."""
    start = time.process_time()
    yield
    into[what] = time.process_time() - start


def run(recordings: int, neurons: int, kept: list[Any]) -> dict[str, float]:
    """Seconds for all recordings, and bytes per neuron of one file."""
    one, found = Recording(statistics=kept), dict[str, float]()
    torch.manual_seed(0)
    one.observe("lif", (torch.rand(STEPS, BATCH, neurons) < 0.1).float())
    with timed(found, "save"):
        files = [one.to_bytes() for _ in range(recordings)]
    with timed(found, "load"):
        loaded = [Recording.from_bytes(data) for data in files]
    total = Recording(statistics=kept)
    with timed(found, "merge"):
        for recording in loaded:
            total.merge(recording)
    layer = total.report()["lif"]
    assert (layer.events == one.report()["lif"].events * recordings).all()
    found["size"] = len(files[0]) / neurons
    return found


def table(recordings: int, neurons: int) -> None:
    """Print seconds for the default recording, with each statistic, and with all."""
    print("| statistics | neurons | recordings | save | load | merge | bytes a neuron |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    each = [(cls.__name__, [cls]) for cls in all_statistics()]
    for name, kept in (("default", []), *each, ("all", all_statistics())):
        found = run(recordings, neurons, kept)
        seconds = " | ".join(f"{found[what]:.2f} s" for what in ("save", "load", "merge"))
        print(f"| {name} | {neurons:,} | {recordings:,} | {seconds} | {found['size']:.1f} |")


if __name__ == "__main__":
    table(*(map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (1000, 10_000)))

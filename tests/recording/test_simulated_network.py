"""The example of a simulated network runs, and its figures are those of its events."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).parents[2] / "examples/simulated_network.py"


def test_the_example_prints_the_figures_of_its_events_and_draws_them(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, EXAMPLE, tmp_path], capture_output=True, text=True, check=True
    )
    names = runpy.run_path(str(EXAMPLE))
    times, indices, trials = names["simulate"]()
    excitatory = indices < names["SIZES"]["excitatory"]
    begin, end = names["STIMULUS"]
    seconds = names["SIZES"]["excitatory"] * names["TRIALS"] * np.array([begin, end - begin])
    found = [times < begin - 1e-9, (times >= begin - 1e-9) & (times < end - 1e-9)]
    before, with_it = np.array([(excitatory & part).sum() for part in found]) / seconds
    line = re.search(r"excitatory: (\S+) Hz, (\S+) Hz with the stimulus", run.stdout)
    assert line is not None
    assert [float(rate) for rate in line.groups()] == [round(before, 1), round(with_it, 1)]
    edges = np.arange(0, round(names["DURATION"] / names["DT"]) + 1, round(0.05 / names["DT"]))
    cells = [trials[excitatory], indices[excitatory], np.rint(times[excitatory] / names["DT"])]
    sizes = [np.arange(n + 1) for n in (names["TRIALS"], names["SIZES"]["excitatory"])]
    counts = np.histogramdd(cells, bins=[*sizes, edges])[0].transpose(1, 0, 2)
    counts = counts.reshape(names["SIZES"]["excitatory"], -1)
    fano = np.median(counts.var(1) / counts.mean(1))
    assert f"Fano factor in windows of 50 ms: {fano:.2f}\n" in run.stdout
    for picture in ("psth.png", "raster.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")

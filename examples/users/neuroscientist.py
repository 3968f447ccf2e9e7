"""A neuroscientist has spike trains, and wants rates, intervals, a PSTH and a raster, in ms and Hz.

The trains are neo's: forty neurons, twenty trials of 500 ms, with a stimulus at 200 ms. Ten neurons
do not respond, and two never fire.

Run: python examples/users/neuroscientist.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import neo
import numpy as np
import quantities as pq

from neuroact import InterspikeIntervals, Raster, Recording, SpikeCounts, Synchrony, TimeCourse

NEURONS, TRIALS, DURATION, STIMULUS = 40, 20, 0.5, 0.2


def trial(draw: np.random.Generator) -> neo.Segment:
    """One trial: spike trains of all neurons."""
    segment = neo.Segment()
    for number in range(NEURONS):
        rate = 0 if number < 2 else 10
        background = draw.uniform(0, DURATION, draw.poisson(rate * DURATION))
        response = STIMULUS + draw.gamma(4, 0.005, draw.poisson(0 if number < 12 else 3))
        times = np.sort(np.append(background, response[response < DURATION]))
        segment.spiketrains.append(neo.SpikeTrain(times * pq.s, t_stop=DURATION * pq.s))
    return segment


def main(folder: Path) -> None:
    """Bin the trials at 1 ms, and print and draw what neuroscientists ask for."""
    draw = np.random.default_rng(0)
    statistics = [
        SpikeCounts(window=100),  # Fano factor in windows of 100 ms
        TimeCourse(bin_width=10),  # PSTH in bins of 10 ms
        InterspikeIntervals,
        Synchrony(bin_width=5),
        Raster(5),
    ]
    recording = Recording(statistics=statistics, dt=0.001)
    block = neo.Block()
    block.segments.extend([trial(draw) for _ in range(TRIALS)])
    recording.observe_events("cortex", block, several="clip")
    report = recording.report()
    layer = report["cortex"]

    print(f"{layer.neurons} neurons, {layer.sequences} trials, {layer.dead} never fired")
    print(f"mean rate {layer.mean / 0.001:.1f} Hz")
    psth = layer[TimeCourse]
    peak = int(np.argmax(psth.rate))
    print(f"PSTH: highest in bin {peak}, {10 * peak} to {10 * peak + 10} ms")
    print(f"median interval {layer[InterspikeIntervals].quantile_ms(0.5):.0f} ms")
    print(f"Fano factor, in windows of 100 ms: {np.nanmean(layer[SpikeCounts].fano_factor):.2f}")
    print(f"synchrony, in bins of 5 ms: {layer[Synchrony].chi:.2f}")
    report.plot(folder / "psth.png", kind="time")
    report.plot(folder / "raster.png", kind="raster", layer="cortex")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())

"""A neuroscientist's figures from lists of spikes: PSTH, Fano factors, synchrony, CV, raster.

A network of leaky integrate-and-fire neurons is simulated with NumPy alone, in trials with a
stimulus. Any simulator or recording that gives times and neurons does as well.

Run: python examples/simulated_network.py [folder for the pictures]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuroact import InterspikeIntervals, Raster, Recording, SpikeCounts, Synchrony, TimeCourse

DT = 0.0002  # seconds per step
TRIALS, DURATION, STIMULUS = 12, 0.6, (0.25, 0.35)  # seconds
SIZES = {"excitatory": 160, "inhibitory": 40}


def simulate(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Spikes of all trials: their times in seconds, their neurons and their trials."""
    rng = np.random.default_rng(seed)
    excitatory, neurons = SIZES["excitatory"], sum(SIZES.values())
    weights = 0.5 * (rng.random((neurons, neurons)) < 0.1)  # from row to column, in mV
    weights[excitatory:] *= -5
    voltage = rng.uniform(0, 15, (TRIALS, neurons))
    resting = np.zeros_like(voltage)  # steps of refractory time left
    fired = np.zeros_like(voltage)
    times, indices, trials = [], [], []
    for step in range(round(DURATION / DT)):
        now = step * DT
        drive = 15.0 + 6.0 * (STIMULUS[0] <= now < STIMULUS[1])
        noise = rng.normal(0, 1.3, voltage.shape)
        voltage += DT / 0.02 * (drive - voltage) + fired @ weights + noise * (DT / 0.001) ** 0.5
        voltage[resting > 0] = 0
        resting -= 1
        spikes = voltage >= 20
        voltage[spikes], resting[spikes] = 0, round(0.002 / DT)
        fired = spikes.astype(float)
        trial, neuron = np.nonzero(spikes)
        times.append(np.full(len(trial), now))
        indices.append(neuron)
        trials.append(trial)
    return np.concatenate(times), np.concatenate(indices), np.concatenate(trials)


def main(folder: Path) -> None:
    """Simulate, count, print the figures and draw two pictures."""
    times, indices, trials = simulate()
    steps_of = {"psth": 0.005, "fano": 0.05, "together": 0.005}
    psth, fano, together = (round(seconds / DT) for seconds in steps_of.values())
    recording = Recording(
        dt=DT,
        statistics=[
            TimeCourse(bin_width=psth),
            SpikeCounts(window=fano),
            Synchrony(bin_width=together),
            InterspikeIntervals,
            Raster(steps=10_000),
        ],
    )
    first = 0
    for name, size in SIZES.items():
        own = (indices >= first) & (indices < first + size)
        recording.observe_events(
            name,
            times[own],
            indices[own] - first,
            neurons=size,
            duration=DURATION,
            samples=trials[own],
            batch=TRIALS,
        )
        first += size
    report = recording.report()
    for name, layer in report.items():
        course, intervals = layer[TimeCourse], layer[InterspikeIntervals]
        stimulated = (course.times >= STIMULUS[0]) & (course.times < STIMULUS[1])
        before = course.times < STIMULUS[0]
        print(
            f"{name}: {course.rate[before].mean():.1f} Hz, "
            f"{course.rate[stimulated].mean():.1f} Hz with the stimulus\n"
            f"  Fano factor in windows of 50 ms: {np.nanmedian(layer[SpikeCounts].fano_factor):.2f}"
            f"\n  synchrony in bins of 5 ms: {layer[Synchrony].chi:.2f}\n"
            f"  intervals: median {intervals.quantile_ms(0.5):.1f} ms, "
            f"CV {np.nanmedian(intervals.cv):.2f}, LV {np.nanmedian(intervals.lv):.2f}"
        )
    report.plot(folder / "psth.png", kind="time")
    report.plot(folder / "raster.png", kind="raster", layer="excitatory")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2]))

"""Each of neuroact's statistics passes the public suite and equals NumPy."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from neuroact import (
    ClassActivity,
    Firing,
    InterspikeIntervals,
    Raster,
    Signal,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.testing import StatisticContract
from neuroact.testing.strategies import Stream


def tallied(counts: list[int]) -> Any:
    return np.bincount(counts) if counts else np.zeros(0, dtype=np.int64)


def rows(values: NDArray[np.float64], keep: int) -> NDArray[np.float64]:
    """The values with the neurons' dimensions merged into one."""
    return values.reshape(*values.shape[:keep], math.prod(values.shape[keep:]))


class TestFiring(StatisticContract):
    statistic = Firing

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        return {
            "events": np.count_nonzero(stream.flat, axis=0),
            "total": stream.flat.sum(0),
            "observations": len(stream.flat),
            "sequences": sum(len(sample) > 0 for sample in stream.of_samples),
            "nonfinite": False,
            "not_binary": False,
        }


class TestSpikeCounts(StatisticContract):
    statistic = SpikeCounts

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        # A sequence without a step does not count.
        counts = [np.count_nonzero(s, axis=0) for s in stream.of_samples if len(s)]
        none = np.zeros(stream.neurons, dtype=np.int64)
        return {
            "histogram": tallied([int(k) for count in counts for k in np.ravel(count)]),
            "sums": sum(counts, start=none),
            "squares": sum((count**2 for count in counts), start=none),
            "sequences": len(counts),
        }


class TestSynchrony(StatisticContract):
    statistic = Synchrony

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        flat = rows(stream.flat, 1)
        return {
            "histogram": tallied(np.count_nonzero(flat, axis=1).tolist()),
            "events": np.count_nonzero(stream.flat, axis=0),
            "observations": len(flat),
            "neurons": flat.shape[1],
        }


class TestTimeCourse(StatisticContract):
    statistic = TimeCourse

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        sequences = [rows(s, 2) for s in stream.sequences if s.size]
        steps = max((len(s) for s in sequences), default=0)
        totals = {name: [0] * steps for name in ("events", "observations", "first_spikes")}
        total, never = [0.0] * steps, 0
        for s in sequences:
            fired = s != 0
            for step in range(len(s)):
                first = fired[step] & ~fired[:step].any(0)
                totals["events"][step] += int(fired[step].sum())
                totals["observations"][step] += s.shape[1]
                totals["first_spikes"][step] += int(first.sum())
                total[step] += float(s[step].sum())
            never += int((~fired.any(0)).sum())
        return {**totals, "total": total, "never": never}


class TestInterspikeIntervals(StatisticContract):
    statistic = InterspikeIntervals

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        neurons = math.prod(stream.neurons)
        each: list[list[int]] = [[] for _ in range(neurons)]
        pairs = [0] * neurons
        for sequence in stream.of_samples:
            for neuron, train in enumerate(rows(sequence, 1).T):
                intervals = np.diff(np.flatnonzero(train)).tolist()
                each[neuron] += intervals
                pairs[neuron] += max(0, len(intervals) - 1)

        def shaped(numbers: list[int]) -> Any:
            return np.array(numbers, dtype=np.int64).reshape(stream.neurons)

        return {
            "histogram": tallied([interval for own in each for interval in own]),
            "intervals": shaped([len(own) for own in each]),
            "sums": shaped([sum(own) for own in each]),
            "squares": shaped([sum(k * k for k in own) for own in each]),
            "pairs": shaped(pairs),
        }


class TestRaster(StatisticContract):
    statistic = Raster
    expected_failures: ClassVar = {
        "split_and_merged": "it keeps the first sequences, so the order of merging is seen",
        "mixed_kinds": "it keeps the first sequences, so the order of merging is seen",
    }

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        first = [rows(sample, 1) for sample in stream.of_samples[:1]]
        steps, neurons = np.nonzero(first[0]) if first else (np.zeros(0), np.zeros(0))
        begun = sum(len(sample) > 0 for sample in stream.of_samples)
        return {"step": steps, "neuron": neurons, "begun": begun}


class OfOneClass(ClassActivity):
    """Labels all samples with class 1."""

    def update(self, chunk: SpikeChunk) -> None:
        labels = torch.ones(chunk.batch, dtype=torch.int64)
        super().update(dataclasses.replace(chunk, labels=labels))

    def count(self, block: StepBlock) -> None:
        self.update(block.chunk())


class TestClassActivity(StatisticContract):
    statistic = OfOneClass
    expected_failures: ClassVar = {
        "no_host_sync": "it looks at labels, which are on the host already",
    }

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        seen = len(stream.flat)
        events, total = np.count_nonzero(stream.flat, axis=0), stream.flat.sum(0)
        if not sum(s.shape[1] for s in stream.sequences):
            return {"classes": 0}
        return {
            "class_observations": [0, seen],
            "class_events": [0 * events, events],
            "class_total": [0 * total, total],
        }


class TestSignal(StatisticContract):
    statistic = Signal

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        # Means and deviations are held against exact fractions in test_signal.py.
        steps = max((len(s) for s in stream.sequences if s.shape[1]), default=0)
        seen = [sum(s.shape[1] for s in stream.sequences if len(s) > t) for t in range(steps)]
        if not len(stream.flat):
            return {"step_observations": seen, "min": math.nan, "median": math.nan}
        return {
            "step_observations": seen,
            "min_per_neuron": stream.flat.min(0),
            "max_per_neuron": stream.flat.max(0),
            "zeros": (stream.flat == 0).sum(0),
            "l0": np.count_nonzero(stream.flat) / len(stream.flat),
        }


class OfAMembrane(Signal):
    """Knows a threshold."""

    def __init__(self) -> None:
        super().__init__(threshold=0.375)


class TestSignalWithThreshold(StatisticContract):
    statistic = OfAMembrane

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        return {"above": (stream.flat >= 0.375).sum(0)}

"""A simple model of a recording: it keeps everything, and counts with NumPy when asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class NaiveChunk:
    """A chunk, kept.

    Attributes:
        values: `[time, batch, *neurons]`.
        valid: False where a step is padding, `[time, batch]`.
        labels: class of each sample, `[batch]`; None if not known.
    """

    values: Floats
    valid: NDArray[np.bool_]
    labels: Integers | None = None

    @property
    def of_classes(self) -> Iterator[tuple[int, Floats]]:
        """Class and valid steps, `[time, *neurons]`, of each labelled sample."""
        for sample, label in enumerate([] if self.labels is None else self.labels):
            yield int(label), self.values[self.valid[:, sample], sample]


@dataclass(frozen=True)
class NaiveBatch:
    """One sequence of each sample of a batch.

    Attributes:
        chunks: its chunks, in order.
    """

    chunks: tuple[NaiveChunk, ...]

    @property
    def samples(self) -> int:
        """Batch size."""
        samples: int = self.chunks[0].values.shape[1]
        return samples

    @property
    def sequences(self) -> list[Floats]:
        """Each sample's sequence without padding, `[time, *neurons]`, if it has a step."""
        joined = [
            np.concatenate([c.values[c.valid[:, sample], sample] for c in self.chunks])
            for sample in range(self.samples)
        ]
        return [sequence for sequence in joined if len(sequence)]


@dataclass
class NaiveLayer:
    """Everything that one layer emitted.

    Attributes:
        batches: in order.
        open: whether the last one may continue.
    """

    batches: list[NaiveBatch] = field(default_factory=list)
    open: bool = False

    def take(
        self,
        values: Floats,
        *,
        starts: bool,
        valid: NDArray[np.bool_] | None = None,
        labels: Integers | None = None,
    ) -> None:
        """Keep a chunk. A chunk of another batch size begins sequences."""
        mask = np.ones(values.shape[:2], dtype=bool) if valid is None else valid
        chunk = NaiveChunk(values, mask, labels)
        if starts or not self.open or self.batches[-1].samples != values.shape[1]:
            self.batches.append(NaiveBatch((chunk,)))
        else:
            last = self.batches[-1]
            self.batches[-1] = replace(last, chunks=(*last.chunks, chunk))
        self.open = True

    def merge(self, other: NaiveLayer) -> None:
        """Keep another's chunks too. Its open sequences have ended, unless this one was empty."""
        self.open = self.open if self.batches else other.open
        self.batches = [*other.batches, *self.batches]

    def copy(self) -> NaiveLayer:
        """A copy that shares no list."""
        return replace(self, batches=list(self.batches))

    @property
    def begun(self) -> int:
        """Number of samples' sequences that have a step."""
        return len(self.of_samples)

    @property
    def of_samples(self) -> list[Floats]:
        """Each sample's sequence without padding, `[time, *neurons]`, if it has a step."""
        return [sequence for batch in self.batches for sequence in batch.sequences]

    @property
    def chunks(self) -> list[NaiveChunk]:
        """Every chunk."""
        return [chunk for batch in self.batches for chunk in batch.chunks]

    @property
    def flat(self) -> Floats:
        """Every valid (time step, sample) pair, `[observations, *neurons]`."""
        return np.concatenate([chunk.values[chunk.valid] for chunk in self.chunks])

    def of_class(self, label: int) -> Floats:
        """The valid (time step, sample) pairs of one class of samples."""
        none = self.flat[:0]
        found = (steps for chunk in self.chunks for own, steps in chunk.of_classes if own == label)
        return np.concatenate([none, *found])

    @property
    def spike_counts(self) -> Integers:
        """How many (sequence, neuron) pairs have k spikes."""
        return _tally(np.count_nonzero(s, axis=0).ravel() for s in self.of_samples)

    @property
    def intervals(self) -> Integers:
        """How many intervals between a neuron's spikes are k steps long."""
        trains = [train for s in self.of_samples for train in s.reshape(len(s), -1).T]
        return _tally(np.diff(np.flatnonzero(train)) for train in trains)


def _tally(numbers: Iterable[NDArray[np.intp]]) -> Integers:
    every = np.concatenate([np.zeros(0, dtype=np.int64), *numbers])
    return np.bincount(every).astype(np.int64) if len(every) else every

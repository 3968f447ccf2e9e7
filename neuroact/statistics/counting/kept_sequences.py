"""Sequences that are kept spike for spike: open ones and ended ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuroact.statistics.counting.parts import per_sample
from neuroact.stream.chunk import SpikeChunk


class Ended:
    """Sequences that get no more steps. Their events are kept as coordinates."""

    def __init__(self, events: Tensor, lengths: Tensor) -> None:
        self._events, self.lengths = events, lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def events(self, every: int) -> Tensor:
        """Sequence, counted from the first one here, step and neuron, int64 `[events, 3]`."""
        return self._events

    def between(self, first: int, end: int) -> Ended:
        """The sequences from `first` up to, not including, `end`."""
        at = self._events[:, 0]
        shift = torch.tensor([first, 0, 0], device=at.device)
        return Ended(self._events[(at >= first) & (at < end)] - shift, self.lengths[first:end])


class Open:
    """The kept sequences of the open batch: a byte for each step and neuron, whether it fired.

    From the first padded step on, each sample has its own clock, which says where its steps are
    written. Padded steps, and steps beyond the limit, go into the last row, which is never read.
    """

    def __init__(self, sequences: int, watched: int, limit: int, device: Any) -> None:
        self._limit = limit
        self._fired = _bools(1, sequences, watched, device=device)  # [rows + 1, sequences, watched]
        self._clock: Tensor | None = None  # int64 [sequences]; None while all have as many steps
        self._steps = 0  # of each sequence; with a clock, the most of any

    @classmethod
    def resumed(cls, ended: Ended, every: int, watched: int, limit: int) -> Open:
        """Opens ended sequences again."""
        events = ended.events(every)
        new = cls(len(ended), watched, limit, events.device)
        new._grow(int(events[:, 1].max()) + 1 if len(events) else 0)
        sequence, step, neuron = events.unbind(1)
        new._fired[step, sequence, neuron // every] = True
        new._steps = int(ended.lengths.max())
        if bool((ended.lengths != new._steps).any()):
            new._clock = ended.lengths.clone()
        return new

    def __len__(self) -> int:
        return self._fired.shape[1]

    @property
    def lengths(self) -> Tensor:
        """Steps kept of each sequence, int64 `[sequences]`."""
        if self._clock is not None:
            return self._clock.clamp(max=self._limit)
        return torch.full((len(self),), self._steps, device=self._fired.device)

    def events(self, every: int) -> Tensor:
        """As `Ended.events`."""
        step, sequence, place = self._fired[:-1].nonzero().unbind(1)
        found = torch.stack([sequence, step, place * every], 1)
        # They are sorted by step; a stable sort keeps that order within a sequence.
        return found[sequence.argsort(stable=True)]

    def add(self, chunk: SpikeChunk, every: int) -> None:
        """Keep the chunk's first samples."""
        if chunk.valid is None and self._clock is None:
            new = min(chunk.steps, self._limit - self._steps)
            if new > 0:
                self._grow(self._steps + new)
                rows = slice(self._steps, self._steps + new)
                self._fired[rows] = self._watched(chunk.values[:new], every)
                self._steps += new
            return
        if self._clock is None:
            self._clock = self.lengths
        self._add_by_clock(chunk, self._clock, every)

    def _add_by_clock(self, chunk: SpikeChunk, clock: Tensor, every: int) -> None:
        self._steps = min(self._steps + chunk.steps, self._limit)
        self._grow(self._steps)
        valid = chunk.valid
        if valid is None:
            valid = torch.ones(chunk.values.shape[:2], dtype=torch.bool, device=clock.device)
        valid = valid[:, : len(self)]
        rows = clock + valid.cumsum(0) - 1
        rows = rows.where(valid & (rows < self._limit), len(self._fired) - 1)
        samples = torch.arange(len(self), device=clock.device).expand(rows.shape)
        self._fired.index_put_((rows, samples), self._watched(chunk.values, every))
        self._clock = clock + valid.sum(0)

    def _watched(self, values: Tensor, every: int) -> Tensor:
        """Bool `[time, sequences, neurons watched]`."""
        values = values[:, : len(self)]
        if values.dtype.itemsize == 1 and values.dtype.is_floating_point:
            values = values.to(torch.float32)  # float8 has no arithmetic
        return per_sample(values)[..., ::every].ne(0)

    def _grow(self, rows: int) -> None:
        have = len(self._fired) - 1
        if rows > have:
            rows = min(max(rows, 2 * have), self._limit)
            longer = _bools(rows + 1, *self._fired.shape[1:], device=self._fired.device)
            longer[:have] = self._fired[:have]
            self._fired = longer


def _bools(*shape: int, device: Any) -> Tensor:
    # A tensor made in inference mode could not be written to after it.
    with torch.inference_mode(False):
        return torch.zeros(shape, dtype=torch.bool, device=device)


def check_events(
    events: Tensor, lengths: Tensor, limits: tuple[int, int, int], neurons: int, every: int
) -> None:
    """Refuse a state that no stream can produce: a file may hold any numbers."""
    sequences, steps, _ = limits
    sequence, step, neuron = events.unbind(1)
    good = min(limits) > 0 and len(lengths) <= sequences
    good = good and bool(((lengths >= 0) & (lengths <= steps)).all())
    good = good and bool(((sequence >= 0) & (sequence < len(lengths))).all())
    good = good and bool((sequence.diff() >= 0).all())
    good = good and bool(((step >= 0) & (step < lengths[sequence])).all())
    good = good and bool(((neuron >= 0) & (neuron < neurons) & (neuron % every == 0)).all())
    if not good:
        raise ValueError("expected events within the sequences, steps and neurons kept")

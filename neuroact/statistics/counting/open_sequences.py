"""Where the sequences of a layer's samples start, and how many steps they have."""

from __future__ import annotations

import torch
from torch import Tensor


class OpenSequences:
    """The sequences that may still continue, one for each sample. Every statistic uses this rule.

    A chunk starts new sequences if it says so. The first chunk always does. So does a chunk of
    another batch size, since its samples cannot be matched with those before. A sample's sequence
    begins, and is counted, with its first step that is not padding.

    Attributes:
        batch: number of samples; None if no sequence is open.
        steps: steps since the start, padding included.
        clock: steps of each sample without padding, int64 `[batch]`; None while no step was
            padding, since each sample then has `steps`.

    >>> from neuroact.statistics.counting.open_sequences import OpenSequences
    >>> sequences = OpenSequences()
    >>> sequences.starts(False, batch=2)         # the first chunk always does
    True
    >>> sequences.start(2)
    >>> sequences.step(3, None), sequences.step(1, None)
    (2, 0)
    >>> sequences.starts(False, batch=2), sequences.starts(False, batch=5)
    (False, True)
    """

    __slots__ = ("batch", "clock", "steps")

    def __init__(self) -> None:
        self.close()

    def close(self) -> None:
        """End all open sequences."""
        self.batch: int | None = None
        self.steps = 0
        self.clock: Tensor | None = None

    def starts(self, said: bool, batch: int) -> bool:
        """Whether the next chunk starts sequences, by what it says and by its batch size."""
        return said or batch != self.batch

    def start(self, batch: int) -> None:
        """Open a sequence for each sample, in place of those that are open."""
        self.batch, self.steps, self.clock = batch, 0, None

    def step(self, steps: int, lengths: Tensor | None) -> int | Tensor:
        """Add steps to the open sequences.

        Args:
            steps: number of steps, padding included.
            lengths: steps of each sample that are not padding, int64 `[batch]`; None if no step is
                padding.

        Returns:
            How many samples' sequences begin with these steps; a tensor, int64 `[]`, if only the
            device knows.
        """
        assert self.batch is not None
        if lengths is None and self.clock is None:
            begun = self.batch if steps and not self.steps else 0
            self.steps += steps
            return begun
        before = self.clocks(None if lengths is None else lengths.device)
        self.steps += steps
        # Never in place, since `clocks` hands this tensor out.
        self.clock = before + (steps if lengths is None else lengths)
        return ((before == 0) & (self.clock > 0)).sum()

    def clocks(self, device: torch.device | None) -> Tensor:
        """Each sample's steps so far, int64 `[batch]`. The tensor must not be changed."""
        if self.clock is not None:
            return self.clock
        return torch.full((self.batch or 0,), self.steps, dtype=torch.int64, device=device)

    def places(self, steps: int, valid: Tensor | None, device: torch.device) -> Tensor:
        """The number that each of the next steps has in its sample's sequence, from 0.

        Int64 `[steps, batch]`, always less than `self.steps + steps`; without meaning where a step
        is padding.
        """
        if valid is None:
            return self.clocks(device) + torch.arange(steps, device=device).unsqueeze(1)
        return self.clocks(device) + valid.cumsum(0) - valid.to(torch.int64)

    def resume(self, clock: Tensor | int) -> None:
        """Continue sequences that were opened elsewhere. Waits for the device.

        Args:
            clock: each sample's steps so far, int64 `[batch]`; or only the batch size, if it is
                enough to know that each sequence has begun.
        """
        if isinstance(clock, int):
            self.batch, self.steps, self.clock = clock, max(1, self.steps), None
            return
        self.start(len(clock))
        self.steps = int(clock.max()) if len(clock) else 0
        if bool((clock != self.steps).any()):
            self.clock = clock.clone()

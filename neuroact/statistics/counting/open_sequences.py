"""Where the sequences of a layer's samples start, and how far they have come."""

from __future__ import annotations

import torch
from torch import Tensor


class OpenSequences:
    """The sequences that may still go on, one a sample: one rule for every statistic.

    The first chunk starts sequences, whatever it says, and so does one of another batch size,
    whose samples cannot be matched with those before; else the chunk says. A sample's sequence has
    begun with its first step that is no padding, and counts from then on.

    Attributes:
        batch: number of samples; None where no sequence is open.
        steps: steps since the start, padding included.
        clock: steps of each sample that were no padding, int64 `[batch]`; None where all were none,
            so that it would be `steps` for each.

    >>> from neuroact.statistics.counting.open_sequences import OpenSequences
    >>> sequences = OpenSequences()
    >>> sequences.starts(False, batch=2)         # the first chunk, whatever it says
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
        """Have no sequence open."""
        self.batch: int | None = None
        self.steps = 0
        self.clock: Tensor | None = None

    def starts(self, said: bool, batch: int) -> bool:
        """Whether what comes next starts sequences, by what it says and its batch size."""
        return said or batch != self.batch

    def start(self, batch: int) -> None:
        """Open a sequence for each sample, in place of those that are open."""
        self.batch, self.steps, self.clock = batch, 0, None

    def step(self, steps: int, lengths: Tensor | None) -> int | Tensor:
        """Take note of steps.

        Args:
            steps: how many, padding included.
            lengths: how many of each sample are none, int64 `[batch]`; None where all are.

        Returns:
            How many samples' sequences have begun with them; an int64 `[]` where only the device
            knows.
        """
        assert self.batch is not None
        if lengths is None and self.clock is None:
            begun = self.batch if steps and not self.steps else 0
            self.steps += steps
            return begun
        before = self.clocks(None if lengths is None else lengths.device)
        self.steps += steps
        # Never in place: who was given it may keep it.
        self.clock = before + (steps if lengths is None else lengths)
        return ((before == 0) & (self.clock > 0)).sum()

    def clocks(self, device: torch.device | None) -> Tensor:
        """Each sample's steps so far, int64 `[batch]`, a tensor that must not be changed."""
        if self.clock is not None:
            return self.clock
        return torch.full((self.batch or 0,), self.steps, dtype=torch.int64, device=device)

    def places(self, steps: int, valid: Tensor | None, device: torch.device) -> Tensor:
        """Which step of its sample's sequence each of the next steps is, int64 `[steps, batch]`.

        Of no meaning where a step is padding; less than `self.steps + steps` everywhere.
        """
        if valid is None:
            return self.clocks(device) + torch.arange(steps, device=device).unsqueeze(1)
        return self.clocks(device) + valid.cumsum(0) - valid.to(torch.int64)

    def resume(self, clock: Tensor | int) -> None:
        """Go on with sequences that are open elsewhere; waits for the device.

        Args:
            clock: each sample's steps so far, int64 `[batch]`; a batch size, where it is enough
                that each has had one.
        """
        if isinstance(clock, int):
            self.batch, self.steps, self.clock = clock, max(1, self.steps), None
            return
        self.start(len(clock))
        self.steps = int(clock.max()) if len(clock) else 0
        if bool((clock != self.steps).any()):
            self.clock = clock.clone()

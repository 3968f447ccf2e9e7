"""The operations of each sample, summed up over its sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from neuroact.results.spread import OperationSpread

_KEPT = 64
"""So many batches are kept on the device before they are read: each reading waits for it."""


class SampleSums:
    """The operations of one connection, or of all together, in each sample's sequence.

    Attributes:
        spread: of the sequences that are over.
        problem: why the samples' operations are not known; None while they are.
        pending: sums of calls whose samples are not known yet, by the calls' leading dimensions.
        open: sums of each sample of the batch under way, int64 `[batch]`; None if there are none.
    """

    def __init__(self, spread: OperationSpread | None = None, problem: str | None = None) -> None:
        self.spread = OperationSpread() if spread is None else spread
        self.problem = problem
        self.pending: dict[tuple[int, ...], Tensor] = {}
        self.open: Tensor | None = None
        self._over: list[Tensor] = []

    def forget(self) -> None:
        """Forget everything counted."""
        self.spread, self.problem = OperationSpread(), None
        self.open, self.pending, self._over = None, {}, []

    def fail(self, problem: str) -> None:
        """Give up on telling samples apart; the reason named does not depend on the order."""
        self.problem = problem if self.problem is None else min(self.problem, problem)
        self.open, self.pending, self._over = None, {}, []

    def add_call(self, sums: Tensor, leading: tuple[int, ...]) -> None:
        """Add one sum for each repetition of a call with these leading dimensions."""
        before = self.pending.get(leading)
        sums = sums.reshape(leading)
        self.pending[leading] = sums if before is None else before.to(sums.device) + sums

    def add(self, sums: Tensor) -> None:
        """Add sums of each sample of the batch under way."""
        self.open = sums if self.open is None else self.open.to(sums.device) + sums

    def close(self) -> None:
        """The sequences of the batch under way are over."""
        if self.open is not None:
            self._over.append(self.open)
            self.open = None
        if len(self._over) >= _KEPT:
            self.spread, self._over = self._with(self._over), []

    def so_far(self) -> OperationSpread:
        """The spread over all sequences, those under way as they stand."""
        return self._with(self._over if self.open is None else [*self._over, self.open])

    def merge(self, theirs: SampleSums) -> None:
        """Add the sequences of another, which end where they are."""
        if theirs.problem is not None:
            self.fail(theirs.problem)
        self.spread = self.spread.plus(theirs.so_far())

    def _with(self, sums: list[Tensor]) -> OperationSpread:
        if not sums:
            return self.spread
        device = sums[0].device
        found = torch.cat([each.to(device) for each in sums])
        return self.spread.plus(OperationSpread.of(found.cpu().numpy()))

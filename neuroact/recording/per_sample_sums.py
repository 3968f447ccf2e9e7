"""The operations of each sample, summed up over its sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from neuroact.recording.cuda_streams import StreamOrder
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

    def __init__(self) -> None:
        self.spread = OperationSpread()
        self.problem: str | None = None
        self.pending: dict[tuple[int, ...], Tensor] = {}
        self.open: Tensor | None = None
        self._over: list[tuple[Tensor, Tensor | None]] = []
        self._streams = StreamOrder()

    def forget(self) -> None:
        """Forget everything counted."""
        self.spread, self.problem = OperationSpread(), None
        self._drop()

    def fail(self, problem: str) -> None:
        """Give up on telling samples apart; the reason named does not depend on the order."""
        self.problem = problem if self.problem is None else min(self.problem, problem)
        self._drop()

    def add_call(self, sums: Tensor, leading: tuple[int, ...]) -> None:
        """Add one sum for each repetition of a call with these leading dimensions."""
        self._streams.follow(sums.device)
        before = self.pending.get(leading)
        sums = sums.reshape(leading)
        self.pending[leading] = sums if before is None else before.to(sums.device) + sums

    def add(self, sums: Tensor) -> None:
        """Add sums of each sample of the batch under way."""
        self._streams.follow(sums.device)
        self.open = sums if self.open is None else self.open.to(sums.device) + sums

    def close(self, seen: Tensor | None) -> None:
        """The sequences of the batch under way are over.

        Args:
            seen: which of its samples have a step that is not padding, bool `[batch]`, on the CPU;
                None if all have.
        """
        if self.open is not None:
            self._over.append((self.open, seen))
            self.open = None
        if len(self._over) >= _KEPT:
            self.spread, self._over = self._with(self._over), []

    def so_far(self, seen: Tensor | None) -> OperationSpread:
        """The spread over all sequences, those under way as they stand; argument as in `close`."""
        return self._with(self._over if self.open is None else [*self._over, (self.open, seen)])

    def merge(self, spread: OperationSpread, problem: str | None) -> None:
        """Add sequences of another recording."""
        if problem is not None:
            self.fail(problem)
        self.spread = self.spread.plus(spread)

    def _drop(self) -> None:
        self.open, self.pending, self._over = None, {}, []

    def _with(self, batches: list[tuple[Tensor, Tensor | None]]) -> OperationSpread:
        if not batches:
            return self.spread
        self._streams.wait()
        device = batches[0][0].device
        found = torch.cat([sums.to(device) for sums, _ in batches]).cpu()
        seen = [torch.ones(len(b), dtype=torch.bool) if s is None else s for b, s in batches]
        return self.spread.plus(OperationSpread.of(found[torch.cat(seen)].numpy()))

"""Operations of a layer with the average pool in front of it folded into its weights."""

from __future__ import annotations

from dataclasses import dataclass

from neuroact.card import Carded


@dataclass(frozen=True, repr=False)
class FoldedOperations(Carded):
    """Synaptic operations of a layer as a chip runs it, with the pool in front folded into it.

    Each event that enters the pool meets the weights of all windows that hold it. So its fan-out is
    `Σ_o fan-out[o]` over the pool's outputs `o` whose windows hold it.

    Attributes:
        pool: name of the average pool.
        events: elements that entered the pool and were not zero.
        dense: operations if no element and no weight were zero.
        acs: operations of events of magnitude one.
        macs: operations of all other events.
    """

    pool: str
    events: int
    dense: int
    acs: int
    macs: int

    @property
    def effective(self) -> int:
        """Operations of events with weights that are not zero, `acs + macs`."""
        return self.acs + self.macs

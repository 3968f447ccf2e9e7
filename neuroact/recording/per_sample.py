"""Tells apart which sample the operations of each call belong to.

A connection layer has no state, so its calls do not show where a sequence starts, nor which of
their repetitions are which samples. The recorded spiking layers show both, but after the first
connections of the same step were called. So what a call of the whole model brought is kept, as one
sum for each repetition, until that call is over. Then it goes to the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from torch import Tensor

from neuroact.layers.sample_axis import Order, sums_per_sample
from neuroact.recording.per_sample_sums import SampleSums
from neuroact.results.spread import OperationSpread
from neuroact.stream.chunk import SpikeChunk

AskOrder: TypeAlias = Callable[[], Order | None]

_NOBODY = "no recorded spiking layer was called with it, which would say how many samples there are"
_BATCHES = "recorded spiking layers had different numbers of samples in one call of the model"
_UNSEEN = (
    "some of its calls were made where the samples are not seen, such as in a compiled program, or "
    "which of its weights are zero changed"
)


class Samples:
    """Which samples the model is run on, as the recorded spiking layers say, and their operations.

    Attributes:
        of: the operations of each connection by sample, by name.
        total: those of all connections together.
        count: samples' sequences that began.
    """

    def __init__(self) -> None:
        self.of: dict[str, SampleSums] = {}
        self.total = SampleSums()
        self._in_model, self._blocks = False, 0
        self.forget()

    def forget(self) -> None:
        """Forget everything counted."""
        for sums in (*self.of.values(), self.total):
            sums.forget()
        self.count = 0
        self._batch: int | None = None  # samples under way
        self._steps: set[int] = set()  # of each call of a layer, in this batch
        self._orders: dict[AskOrder, None] = {}
        self._heard = _Heard()

    @property
    def known(self) -> bool:
        """Whether a call that comes now will be followed by `settle`."""
        return self._in_model or self._blocks > 0

    def hear(self, order: AskOrder, chunk: SpikeChunk) -> None:
        """Note what a recorded spiking layer emitted.

        Steps that continue a sequence one by one need not be told.

        Args:
            order: asks for the order of time and batch in the layer's calls.
            chunk: what it emitted.
        """
        heard = self._heard
        heard.began = heard.began or chunk.starts_sequence or chunk.batch != self._batch
        heard.batches.add(chunk.batch)
        heard.steps.add(chunk.steps)
        if chunk.steps > 1:
            heard.orders[order] = None

    def enter_model(self) -> None:
        """A call of the whole model begins."""
        self.settle()  # if the last one raised
        self._in_model = True

    def leave_model(self) -> None:
        """A call of the whole model is over."""
        self.settle()
        self._in_model = False

    @contextmanager
    def block(self) -> Iterator[None]:
        """What is called inside is of one batch, or of calls of the whole model."""
        self._blocks += 1
        try:
            yield
        finally:
            self.settle()
            self._blocks -= 1

    def settle(self) -> None:
        """Give what came to the samples, now that the layers have said which these are."""
        heard, self._heard = self._heard, _Heard()
        if heard.began:
            self._begin(heard)
        self._steps |= heard.steps
        self._orders |= heard.orders
        for sums in self.of.values():
            calls, sums.pending = sums.pending, {}
            for found in calls.values():
                try:
                    self._give(sums, found)
                except ValueError as why:
                    sums.fail(str(why))

    def let_go(self) -> None:
        """Ask no layer of the model any more."""
        self.settle()
        self._orders = {}

    def spread_of(self, name: str, effective: int) -> OperationSpread | str:
        """The spread of a connection's operations over samples, or why it is not known.

        Args:
            name: the connection's.
            effective: its operations over all samples. They have to be the sum of the samples'.
        """
        return self._spread(self.of[name], effective)

    def spread_of_total(self, effective: Mapping[str, int]) -> OperationSpread | str:
        """The spread of all connections' operations together; arguments by name as `spread_of`."""
        for name, sums in self.of.items():
            if name in effective and sums.problem is not None:
                return f'of the layer "{name}": {sums.problem}'
        return self._spread(self.total, sum(effective.values()))

    def add(self, theirs: Samples) -> None:
        """Add the samples of another recording; its sequences end where they are."""
        self.count += theirs.count
        for name, sums in theirs.of.items():
            self.of.setdefault(name, SampleSums()).merge(sums)
        self.total.merge(theirs.total)

    def _begin(self, heard: _Heard) -> None:
        """The samples under way are over, and others begin."""
        for sums in (*self.of.values(), self.total):
            sums.close()
        self._steps, self._orders = set(), {}
        self._batch = max(heard.batches)
        self.count += self._batch
        if len(heard.batches) > 1:
            for sums in self.of.values():
                sums.fail(_BATCHES)

    def _give(self, sums: SampleSums, found: Tensor) -> None:
        if self._batch is None:
            raise ValueError(_NOBODY)
        each = sums_per_sample(found, self._batch, self._steps, self._order)
        sums.add(each)
        self.total.add(each)

    def _order(self) -> Order | None:
        orders = {ask() for ask in self._orders}
        return orders.pop() if len(orders) == 1 else None

    def _spread(self, sums: SampleSums, effective: int) -> OperationSpread | str:
        if sums.problem is not None:
            return sums.problem
        found = sums.so_far()
        found = found.plus(OperationSpread.zeros(self.count - found.samples))
        return found if found.sum == effective else _UNSEEN


class _Heard:
    """What the recorded layers said since `settle`."""

    def __init__(self) -> None:
        self.began = False
        self.batches: set[int] = set()
        self.steps: set[int] = set()
        self.orders: dict[AskOrder, None] = {}

"""Tells apart which sample the operations of each call belong to.

A connection layer has no state, so its calls do not show where a sequence starts, nor which of
their repetitions are which samples. The recorded spiking layers show both, but after the first
connections of the same step were called. So what a call of the whole model brought is kept, as one
sum for each repetition, until that call is over. Then it goes to the samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock

from torch import Tensor

from neuroact.layers.sample_axis import Order, order_among, sums_per_sample
from neuroact.recording.per_sample_padding import AskOrder, PaddedBatch
from neuroact.recording.per_sample_sums import SampleSums
from neuroact.results.spread import OperationSpread
from neuroact.stream.chunk import SpikeChunk
from neuroact.stream.padding import Validity

_BY_HAND = "a product that is fed by hand says nothing of samples"
_NOBODY = "no recorded spiking layer was called with it, which would say how many samples there are"
_BATCHES = "recorded spiking layers had different numbers of samples in one call of the model"
_UNDER_WAY = "a call of the model is under way, or raised an error"
_UNSEEN = (
    "some of its calls were made where the samples are not seen, such as in a compiled program, or "
    "which of its weights are zero changed"
)


class Samples:
    """Which samples the model is run on, as the recorded spiking layers say, and their operations.

    Attributes:
        of: the operations of each connection by sample, by name.
        total: those of all connections together.
        asked: asks each recorded layer for the order of time and batch in its calls.
        lock: held while sums move, and by whoever reads them.
    """

    def __init__(self) -> None:
        self.of: dict[str, SampleSums] = {}
        self.total = SampleSums()
        self.asked: list[AskOrder] = []
        self.lock = RLock()
        self._in_model, self._blocks = False, 0
        self._padded: list[PaddedBatch] = []  # under way, the innermost last
        self.forget()

    def forget(self) -> None:
        """Forget everything counted."""
        for sums in (*self.of.values(), self.total):
            sums.forget()
        self._over = 0  # sequences that are over
        self._batch: int | None = None  # samples under way
        self.seen: Tensor | None = None  # those that have a step that is not padding; None for all
        self._steps: set[int] = set()  # of each call of a layer, in this batch
        self._orders: dict[AskOrder, None] = {}
        self._heard = _Heard()

    @property
    def count(self) -> int:
        """Samples' sequences that began: those with a step that is not padding."""
        under_way = self._batch or 0 if self.seen is None else int(self.seen.sum())
        return self._over + under_way

    @count.setter
    def count(self, sequences: int) -> None:
        self._over = sequences

    @property
    def padded(self) -> PaddedBatch | None:
        """The batch under way, if the user said which of its steps are padding."""
        return self._padded[-1] if self._padded else None

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
        if self._padded:
            self._padded[-1].take(order, chunk.steps)

    def enter_model(self) -> None:
        """A call of the whole model begins."""
        self.settle()  # if the last one raised
        self._in_model = True

    def leave_model(self) -> None:
        """A call of the whole model is over."""
        self.settle()
        self._in_model = False

    @contextmanager
    def block(self, validity: Validity | None) -> Iterator[None]:
        """What is called inside is of one batch, or of calls of the whole model.

        Args:
            validity: which steps are padding; None if the user did not say.
        """
        self._blocks += 1
        padded = None if validity is None else PaddedBatch(validity, self.asked)
        if padded is not None:
            self._padded.append(padded)
        try:
            yield
            if padded is not None:  # an error leaves some layers a step behind
                padded.check()
        finally:
            self.settle()
            self._blocks -= 1
            if padded is not None:
                self._padded.remove(padded)

    def settle(self) -> None:
        """Give what came to the samples, now that the layers have said which these are."""
        with self.lock:
            self._settle()

    def _settle(self) -> None:
        heard, self._heard = self._heard, _Heard()
        if not heard.batches and not any(sums.pending for sums in self.of.values()):
            return
        if heard.began:
            self._begin(heard)
            self.seen = None if self.padded is None else self.padded.samples()
        elif self.seen is not None and self.padded is None:
            self.seen = None
        elif self.seen is not None and heard.batches:
            assert self.padded is not None
            self.seen = self.seen | self.padded.samples()
        self._steps |= heard.steps
        self._orders |= heard.orders
        for sums in self.of.values():
            calls, sums.pending = sums.pending, {}
            for found in calls.values():
                try:
                    self._give(sums, found)
                except Exception as why:  # the model runs on
                    sums.fail(str(why))

    def let_go(self) -> None:
        """Ask no layer of the model any more."""
        self.settle()
        self._orders, self.asked = {}, []

    def spread_of(self, name: str, effective: int) -> OperationSpread | str:
        """The spread of a connection's operations over samples, or why it is not known.

        Args:
            name: the connection's.
            effective: its operations over all samples. They have to be the sum of the samples'.
        """
        with self.lock:
            return self._spread(self.of[name], effective) if name in self.of else _BY_HAND

    def spread_of_total(self, effective: Mapping[str, int]) -> OperationSpread | str:
        """The spread of all connections' operations together; arguments by name as `spread_of`."""
        with self.lock:
            for name in effective:
                problem = self.of[name].problem if name in self.of else _BY_HAND
                if problem is not None:
                    return f'of the layer "{name}": {problem}'
            return self._spread(self.total, sum(effective.values()))

    def add(self, theirs: Samples) -> None:
        """Add the samples of another recording; its sequences end where they are."""
        with theirs.lock:
            count, found = theirs.count, theirs.so_far()
        with self.lock:
            self._over += count
            for name, (spread, problem) in found.items():
                sums = self.total if name is None else self.of.setdefault(name, SampleSums())
                sums.merge(spread, problem)

    def so_far(self) -> dict[str | None, tuple[OperationSpread, str | None]]:
        """The spread and the problem of each connection, by name; of the total, by None."""
        with self.lock:
            every: list[tuple[str | None, SampleSums]] = [*self.of.items(), (None, self.total)]
            return {name: (s.so_far(self.seen), s.problem) for name, s in every}

    def _begin(self, heard: _Heard) -> None:
        """The samples under way are over, and others begin."""
        for sums in (*self.of.values(), self.total):
            sums.close(self.seen)
        self._over = self.count
        self._steps, self._orders = set(), {}
        self._batch = max(heard.batches)
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
        return order_among(ask() for ask in self._orders)

    def _spread(self, sums: SampleSums, effective: int) -> OperationSpread | str:
        if sums.problem is not None:
            return sums.problem
        if any(each.pending for each in self.of.values()):
            return _UNDER_WAY
        found = sums.so_far(self.seen)
        found = found.plus(OperationSpread.zeros(self.count - found.samples))
        return found if found.sum == effective else _UNSEEN


class _Heard:
    """What the recorded layers said since `settle`."""

    def __init__(self) -> None:
        self.began = False
        self.batches: set[int] = set()
        self.steps: set[int] = set()
        self.orders: dict[AskOrder, None] = {}

"""Recording inside a program that `torch.compile` makes of the model.

What is counted there must be tensors, since Python's own numbers are constants to the compiler:
`Firing` counts by plain tensor operations, which fuse with the model's. Every other statistic is
told through an operator that the compiler calls and does not look into. Where a sequence starts is
decided while tracing, by which tensor is which; the compiler makes a program for each case.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.compiler import is_compiling

from neuroact.operators import define
from neuroact.patterns import CallPattern
from neuroact.sequences import tensors_in
from neuroact.stream import SignalKind, SpikeChunk, as_stream

if TYPE_CHECKING:
    from neuroact.layer import LayerRecorder

_layers: WeakValueDictionary[int, LayerRecorder] = WeakValueDictionary()
_numbers = itertools.count()


class Traced:
    """What the compiled calls of one layer count with.

    Args:
        layer: whose statistics count.
    """

    __slots__ = ("_anchor", "_kept", "_key", "_layer")

    def __init__(self, layer: LayerRecorder) -> None:
        self._layer = layer
        # A compiled program cannot hold a weak reference, so here the last state is held itself,
        # until the next call.
        self._kept: tuple[Tensor, ...] = ()
        self._key = next(_numbers)
        # Written to by the operator, so that the compiler keeps its calls, and their order.
        self._anchor = torch.zeros(1)
        _layers[self._key] = layer

    def count(
        self,
        pattern: CallPattern,
        given: Sequence[Any],
        values: Tensor,
        left: Sequence[Any],
        *,
        plain: bool,
    ) -> None:
        """Count one call; traced, not run.

        Whatever is looked at here the compiler looks at again before each call, so a plain layer's
        steps come first and look at little: their window is of the layer's neurons, and no kind is
        less general than theirs.

        Args:
            pattern: how the call is read.
            given: the state it started from.
            values: what it emitted.
            left: the state that it left.
            plain: no mark was set by hand, and no padding or label.
        """
        stream = as_stream(values.detach(), sequence=pattern.sequence)
        starts = self._starts(given, left)
        self._count_any(pattern, stream, starts)

    def _count_any(self, pattern: CallPattern, stream: Tensor, starts: bool | Tensor) -> None:
        layer = self._layer
        layer.see_neurons(stream.shape[2:], pattern.kind)
        has_state = bool(self._kept)
        starts = layer.marked(starts, one_step=stream.shape[0] == 1, has_state=has_state)
        known = None if isinstance(starts, bool) else starts
        observe(self._anchor, stream, starts is True, known, pattern.kind.value, self._key)

    def _starts(self, given: Sequence[Any], left: Sequence[Any]) -> bool | Tensor:
        kept = self._kept
        # Asked in this order, a call without a state is the same program whatever was kept.
        if given and _are_same(given, kept) and _fit(left, kept):
            if is_compiling():
                from neuroact.guards import same_at_each_call

                same_at_each_call(tuple(given), kept)
            self._kept = tuple(left)
            return False
        return self._may_start(tensors_in(given), tensors_in(left))

    def _may_start(self, given: tuple[Tensor, ...], left: tuple[Tensor, ...]) -> bool | Tensor:
        kept, self._kept = self._kept, left
        if not given or not len(given) == len(left) == len(kept):
            return True
        if any(before.shape != after.shape for before, after in zip(given, left, strict=True)):
            return True
        # Other tensors: a reset, or the same state detached. Only its memory tells, at run time.
        goes_on: Tensor = same_memory([t.detach() for t in given], [t.detach() for t in kept])
        return goes_on.logical_not()


def _are_same(given: Sequence[Any], kept: tuple[Tensor, ...]) -> bool:
    return len(given) == len(kept) and all(a is b for a, b in zip(given, kept, strict=True))


def _fit(left: Sequence[Any], kept: tuple[Tensor, ...]) -> bool:
    """Whether a state is flat, and of the shapes of the last one.

    Tensors are not told by their class: the compiler would check before each call which it is.
    """
    return len(left) == len(kept) and all(
        getattr(a, "shape", None) == b.shape for a, b in zip(left, kept, strict=True)
    )


def _observe(
    anchor: Tensor,
    values: Tensor,
    starts: bool,
    unsure: Tensor | None,
    kind: str,
    key: int,
) -> None:
    layer = _layers.get(key)
    if layer is None:
        return  # its recording is gone, the compiled program is not
    begins = starts if unsure is None else bool(unsure)
    chunk = SpikeChunk(values, SignalKind(kind), begins)
    for statistic in layer.statistics:
        statistic.update(chunk)


def _same_memory(given: list[Tensor], left: list[Tensor]) -> Tensor:
    same = all(
        a.untyped_storage() is b.untyped_storage() and a.storage_offset() == b.storage_offset()
        for a, b in zip(given, left, strict=True)
    )
    return torch.full((), same, dtype=torch.bool, device=given[0].device)


observe = define(
    "observe",
    "(Tensor(a!) anchor, Tensor values, bool starts, Tensor? unsure, str kind, int key) -> ()",
    _observe,
    lambda *args: None,
)
same_memory = define(
    "same_memory",
    "(Tensor[] given, Tensor[] left) -> Tensor",
    _same_memory,
    lambda given, left: given[0].new_empty((), dtype=torch.bool),
)

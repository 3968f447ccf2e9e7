"""Says once how all calls of a layer are read, so that recording costs little."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, runtime_checkable

from torch import Tensor, nn

from neuroact.card import Carded
from neuroact.layers.adapter import Adapter
from neuroact.stream.chunk import SignalKind

Arguments = tuple[Any, ...]


def always() -> bool:
    """`holds` of a layer without options that could change how it is read."""
    return True


@dataclass(frozen=True, slots=True, repr=False)
class CallPattern(Carded):
    """How an adapter reads one layer's calls, as long as `holds`.

    `Adapter.read` reads one call and builds two objects for it. A pattern says once how all calls
    are read. With it, a recording reads the next step of a sequence in about a microsecond, and
    `torch.compile` traces the layer without a graph break. Pattern and `read` must agree.

    Attributes:
        kind: what the values mean.
        sequence: True if a call returns a sequence, `[time, batch, *neurons]`, or `[time, neurons]`
            for a batch of one; False if one step, `[batch, *neurons]`, or `[neurons]`.
        values: finds the values in what a call returned. They are dense and may require gradients.
        given: finds the state that a call starts from, in its arguments or on the module. It is
            called before the call runs. It returns a sequence of tensors, nested or not: empty if
            the layer has no state, or would not use the state that it is given.
        left: finds the state that a call left, in what it returned or on the module, in the same
            order.
        holds: whether the pattern still describes the layer; False once an option that it depends
            on has changed.
    """

    kind: SignalKind
    sequence: bool
    values: Callable[[Any], Tensor]
    given: Callable[[Arguments, Mapping[str, Any]], Sequence[Any]]
    left: Callable[[Any], Sequence[Any]]
    holds: Callable[[], bool] = always


@runtime_checkable
class PatternAdapter(Adapter, Protocol):
    """An adapter that can say how it reads a layer's calls."""

    def pattern(self, module: nn.Module) -> CallPattern | None:
        """How the layer is read with its options as they are now; None if only `read` can do it.

        Raises what `read` would raise because of these options.
        """


def has_pattern(adapter: Adapter) -> TypeGuard[PatternAdapter]:
    """Whether the adapter's patterns can replace its `read`.

    They cannot if a subclass defines `read`, `kind` or `state` itself and inherits `pattern`.
    """
    return isinstance(adapter, PatternAdapter) and knows(
        type(adapter), "pattern", of=("read", "kind", "state")
    )


def knows(cls: type, shortcut: str, *, of: Iterable[str]) -> bool:
    """Whether a class's shortcut may be used in place of the methods `of`.

    It may not if a subclass overrides one of them and inherits the shortcut, which does not know of
    the override.
    """
    at = _defined_at(cls.__mro__, shortcut)
    return all(at <= _defined_at(cls.__mro__, name) for name in of)


def _defined_at(classes: tuple[type, ...], name: str) -> int:
    found = (at for at, cls in enumerate(classes) if name in vars(cls))
    return next(found, len(classes))

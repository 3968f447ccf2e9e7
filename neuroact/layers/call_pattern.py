"""How the calls of a layer are read, said once: what lets a recording be left on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, runtime_checkable

from torch import Tensor, nn

from neuroact.layers.adapter import Adapter
from neuroact.stream.chunk import SignalKind

Arguments = tuple[Any, ...]


def always() -> bool:
    """The answer of a pattern whose layer has no option that could change it."""
    return True


@dataclass(frozen=True, slots=True)
class CallPattern:
    """How an adapter reads one layer's calls, as long as `holds`.

    `Adapter.read` answers for one call, and builds two objects to do so. A pattern answers for all
    of them, so a recording that has one reads a step of a sequence under way in about a
    microsecond, and `torch.compile` traces it without a graph break. The two must agree.

    Attributes:
        kind: what the values mean.
        sequence: whether a call returns `[time, batch, *neurons]` (or `[time, neurons]`, a batch of
            one) rather than one step `[batch, *neurons]` (or `[neurons]`).
        values: finds the values in what a call returned. Dense; may require gradients.
        given: finds the state that a call starts from, before it runs, in its arguments or on the
            module: a sequence of tensors, nested or not. Empty where the layer has no state, or
            would not use the one it is given.
        left: finds the state a call left, in what it returned or on the module, in the same order.
        holds: whether all this is still so: false once an option of the layer was changed.
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
        """How the layer is read as it is set now; None where only `read` can tell.

        Raises whatever `read` would raise because of how the layer is set.
        """


def has_pattern(adapter: Adapter) -> TypeGuard[PatternAdapter]:
    """Whether the adapter's patterns can be used in place of its `read`.

    Not where a subclass has a `read`, `kind` or `state` of its own, of which the pattern that it
    inherits knows nothing.
    """
    return isinstance(adapter, PatternAdapter) and knows(
        type(adapter), "pattern", of=("read", "kind", "state")
    )


def knows(cls: type, shortcut: str, *, of: Iterable[str]) -> bool:
    """Whether a class's shortcut was written knowing the methods that it stands in for.

    A subclass that overrides one of them and inherits the shortcut must not be cut short.
    """
    at = _defined_at(cls.__mro__, shortcut)
    return all(at <= _defined_at(cls.__mro__, name) for name in of)


def _defined_at(classes: tuple[type, ...], name: str) -> int:
    found = (at for at, cls in enumerate(classes) if name in vars(cls))
    return next(found, len(classes))

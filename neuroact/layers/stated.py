"""Reads a module's output as the user stated it by a `Reading`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.compiler import is_compiling

from neuroact.layers.adapter import LayerCall
from neuroact.layers.axes import DEFAULT_AXES, Axes
from neuroact.layers.call_pattern import CallPattern, always
from neuroact.layers.output_places import picker
from neuroact.layers.reading import Reading
from neuroact.layers.stated_state import Given, Left, attributes, kept, no_state, passed
from neuroact.stream.chunk import SignalKind, SpikeChunk, dense


class StatedAdapter:
    """Reads a module's output as a `Reading` says.

    Args:
        reading: what is known of the module.

    Attributes:
        reading: the same.
        axes_assumed: whether it leaves the axes out.
        stated: the axes, "BN" if it leaves them out.

    >>> import torch
    >>> from neuroact.layers.adapter import LayerCall
    >>> call = LayerCall((), {}, (torch.zeros(6, 3), None))
    >>> adapter = StatedAdapter(Reading("(T=2 B)N", values=0))
    >>> adapter.read(torch.nn.Identity(), call).values.shape
    torch.Size([2, 3, 3])
    """

    framework = "torch"
    advice = "say how to read it, with axes=, values= or state="

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.axes_assumed = reading.axes is None
        self.stated = DEFAULT_AXES if reading.axes is None else reading.axes
        self._axes = Axes(self.stated)
        self._pick = picker(reading.values)
        kind = reading.kind
        self._kind = kind if isinstance(kind, SignalKind) else SignalKind.ANALOG
        # Versions of the state that each module's last call left in it.
        self._versions: WeakKeyDictionary[nn.Module, list[int]] = WeakKeyDictionary()

    def kind(self, module: nn.Module) -> SignalKind:
        """The stated kind, whatever the module; ANALOG if none is stated."""
        return self._kind

    def state(self, module: nn.Module) -> tuple[Tensor, ...]:
        """The state that the module keeps; empty if it keeps none, or if it was written to."""
        return self._ties(module)[0]((), {}) if self._keeps_state else ()

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The values with their axes in the order `[time, batch, *neurons]`.

        Raises:
            TypeError: the values or the state are not where they are stated to be.
            ValueError: their shape does not fit the axes.
        """
        starts = self.starts_sequence(module, call)
        values = self._axes.ordered(dense(self._pick(call.output).detach()))
        return SpikeChunk(values, self._kind, starts)

    def starts_sequence(self, module: nn.Module, call: LayerCall) -> bool:
        """Whether the call starts a sequence, by the state alone.

        Raises:
            TypeError: the state is not where it is stated to be.
        """
        given, left = self._ties(module)
        before = call.state if self._keeps_state else given(call.args, call.kwargs)
        return call.starts_sequence(given=before, left=left(call.output))

    def pattern(self, module: nn.Module) -> CallPattern | None:
        """The module's calls, read as `read` does; None if they are of a single neuron."""
        if "N" not in self.stated:
            return None
        given, left = self._ties(module)
        sequence = "T" in self.stated
        plain = self.stated == DEFAULT_AXES
        values = self._plain_step if plain else self._sequence if sequence else self._step
        # A compiled program does not see what is written to a state in place, between its calls.
        holds = _not_compiled if self._keeps_state else always
        return CallPattern(self._kind, sequence, values, given, left, holds)

    def values_in(self, output: Any) -> Tensor:
        """The values as they are in an output, not ordered yet.

        Raises:
            TypeError: they are not where they are stated to be.
        """
        return self._pick(output)

    def ordered(self, values: Tensor) -> Tensor:
        """Values of an output's shape as `[time, batch, *neurons]`.

        Raises:
            ValueError: their shape does not fit the axes.
        """
        return self._axes.ordered(dense(values))

    def check(self, module: nn.Module) -> None:
        """Refuse a module whose `forward` cannot take the state back as stated.

        Raises:
            ValueError: says which arguments there are.
        """
        self._ties(module)

    @property
    def _keeps_state(self) -> bool:
        """Whether the module keeps its state itself, rather than passing it on."""
        state = self.reading.state
        first = state[0] if isinstance(state, tuple) else state
        return isinstance(first, str) or callable(first)

    def _plain_step(self, output: Any) -> Tensor:
        values = self._pick(output)
        return values if values.ndim else self._axes.ordered(values)  # which refuses it

    def _step(self, output: Any) -> Tensor:
        return self._axes.ordered(dense(self._pick(output)))[0]

    def _sequence(self, output: Any) -> Tensor:
        return self._axes.ordered(dense(self._pick(output)))

    def _ties(self, module: nn.Module) -> tuple[Given, Left]:
        """The functions that find the state a call is given, and the one that it left."""
        state = self.reading.state
        if state is None:
            return no_state, no_state
        if self._keeps_state:
            get: Callable[[Any], Any] = state if callable(state) else attributes(state)  # type: ignore[arg-type]
            return kept(module, get, self._versions.setdefault(module, []))
        return passed(module, state)


def _not_compiled() -> bool:
    return not is_compiling()

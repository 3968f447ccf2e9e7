"""Reads a module's output as the user stated it by a `Reading`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from torch.compiler import is_compiling

from neuroact.layers.adapter import LayerCall, argument
from neuroact.layers.axes import DEFAULT_AXES, Axes, parameters_of
from neuroact.layers.call_pattern import Arguments, CallPattern, always
from neuroact.layers.reading import Place, Reading
from neuroact.layers.state_trace import tensors_in
from neuroact.stream.chunk import SignalKind, SpikeChunk, dense

Given = Callable[[Arguments, Mapping[str, Any]], tuple[Tensor, ...]]
Left = Callable[[Any], tuple[Tensor, ...]]


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
        self._pick = _picker(reading.values)
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
        given, left = self._ties(module)
        before = call.state if self._keeps_state else given(call.args, call.kwargs)
        starts = call.starts_sequence(given=before, left=left(call.output))
        values = self._axes.ordered(dense(self._pick(call.output).detach()))
        return SpikeChunk(values, self._kind, starts)

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
            return _no_state, _no_state
        if self._keeps_state:
            get: Callable[[Any], Any] = state if callable(state) else _attributes(state)  # type: ignore[arg-type]
            return _kept(module, get, self._versions.setdefault(module, []))
        return _passed(module, state)


def _picker(values: Any) -> Callable[[Any], Tensor]:
    """The function that finds the values in an output."""
    if values is None:
        return _output_itself
    if callable(values):
        return partial(_by_function, values)
    return partial(_at, values, "values")


def _output_itself(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    raise TypeError(
        f"expected its output to be one tensor, came {_described(output)}: say where the values "
        f"are, such as values={_first_place(output)}"
    )


def _by_function(find: Callable[[Any], Tensor], output: Any) -> Tensor:
    found = find(output)
    if isinstance(found, Tensor):
        return found
    raise TypeError(f"expected values= to return one tensor, came {_described(found)}")


def _at(place: Place, what: str, output: Any) -> Any:
    """What the output has at a place."""
    found = _found(output, place)
    if isinstance(found, Tensor) or (what == "state" and found is not None):
        return found
    raise TypeError(f"expected a tensor at {what}={place!r}, came {_described(output)}")


def _found(output: Any, place: Place) -> Any:
    """What is at the place; None if nothing is. A tensor's rows are no places."""
    if isinstance(output, Tensor):
        return None
    if isinstance(place, int):
        inside = isinstance(output, tuple | list) and -len(output) <= place < len(output)
        return output[place] if inside else None
    if isinstance(output, Mapping):
        return output.get(place)
    return getattr(output, place, None)


def _no_state(*_: Any) -> tuple[Tensor, ...]:
    return ()


def _passed(module: nn.Module, state: Any) -> tuple[Given, Left]:
    """A state in the output, which comes back as an argument."""
    if not isinstance(state, Mapping):
        places = state if isinstance(state, tuple) else (state,)
        state = {place: number for number, place in enumerate(places, start=1)}
    arguments = [_argument_of(module, to) for to in state.values()]
    places = tuple(state)

    def given(args: Arguments, kwargs: Mapping[str, Any]) -> tuple[Tensor, ...]:
        return tensors_in([argument(args, kwargs, at, name) for at, name in arguments])

    def left(output: Any) -> tuple[Tensor, ...]:
        return tensors_in([_at(place, "state", output) for place in places])

    return given, left


def _argument_of(module: nn.Module, wanted: Place) -> tuple[int, str]:
    """Position and name of an argument of the module's `forward`."""
    parameters = parameters_of(module)
    if parameters is None:  # it has no signature that Python can read
        return (wanted, "") if isinstance(wanted, int) else (_NOWHERE, wanted)
    kinds = {p.kind for p in parameters}
    by_position = [p.name for p in parameters if p.kind in _BY_POSITION]
    named = [p.name for p in parameters if p.kind in (*_BY_POSITION, Parameter.KEYWORD_ONLY)]
    if isinstance(wanted, int):
        if 0 <= wanted < len(by_position):
            return wanted, by_position[wanted]
        if wanted >= 0 and Parameter.VAR_POSITIONAL in kinds:
            return wanted, ""
    elif wanted in named or Parameter.VAR_KEYWORD in kinds:
        return by_position.index(wanted) if wanted in by_position else _NOWHERE, wanted
    raise ValueError(
        f"state= is to come back as the argument {wanted!r} of its forward, which has: "
        f"{', '.join(named) or 'none'}"
    )


_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_NOWHERE = 1 << 30
"""The position of an argument that is passed by name only."""


def _attributes(state: str | tuple[str, ...]) -> Callable[[Any], Any]:
    names = (state,) if isinstance(state, str) else state
    finders = [attrgetter(name) for name in names]

    def get(module: Any) -> Any:
        return [find(module) for find in finders]

    return get


def _kept(module: nn.Module, get: Callable[[Any], Any], versions: list[int]) -> tuple[Given, Left]:
    """A state that the module keeps; `versions` are those of the state that its last call left."""

    def given(args: Arguments, kwargs: Mapping[str, Any]) -> tuple[Tensor, ...]:
        try:
            state = tensors_in(get(module))
        except AttributeError:  # made by its first call
            return ()
        return () if _written_to(state, versions) else state

    def left(output: Any) -> tuple[Tensor, ...]:
        state = tensors_in(get(module))
        if not state:
            raise TypeError("expected its state, where state= says, to hold a tensor after a call")
        versions[:] = [_version(tensor) for tensor in state]
        return state

    return given, left


def _written_to(state: tuple[Tensor, ...], versions: list[int]) -> bool:
    """Whether a state was written to in place since the call that left it, as by a reset."""
    if any(tensor.is_inference() for tensor in state):  # these have no version
        return not any(bool(tensor.any()) for tensor in state)
    return [_version(tensor) for tensor in state] != versions


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _not_compiled() -> bool:
    return not is_compiling()


def _described(output: Any) -> str:
    if isinstance(output, Mapping):
        return f"a {type(output).__name__} with {', '.join(map(str, output)) or 'nothing'}"
    if isinstance(output, tuple | list):
        return f"a {type(output).__name__} of ({', '.join(map(_named, output))})"
    return _named(output)


def _named(value: Any) -> str:
    return f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _first_place(output: Any) -> str:
    if output is None:
        return "lambda _: module.spikes"
    keys = [key for key in output if isinstance(key, str)] if isinstance(output, Mapping) else []
    if keys:
        return repr(keys[0])
    return "0" if isinstance(output, tuple | list) else "lambda output: output.spikes"

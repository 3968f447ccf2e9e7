"""Finds the state that a call was given, and the one that it left, as the user states them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter
from operator import attrgetter
from typing import Any

from torch import Tensor, nn

from neuroact.layers.adapter import argument
from neuroact.layers.axes import parameters_of
from neuroact.layers.call_pattern import Arguments
from neuroact.layers.output_places import at_place
from neuroact.layers.reading import Place
from neuroact.layers.state_trace import tensors_in

Given = Callable[[Arguments, Mapping[str, Any]], tuple[Tensor, ...]]
Left = Callable[[Any], tuple[Tensor, ...]]


def no_state(*_: Any) -> tuple[Tensor, ...]:
    """The state of a module that has none."""
    return ()


def passed(module: nn.Module, state: Any) -> tuple[Given, Left]:
    """Both functions for a state in the output, which comes back as an argument.

    Raises:
        ValueError: the module's `forward` has no such argument.
    """
    if not isinstance(state, Mapping):
        places = state if isinstance(state, tuple) else (state,)
        state = {place: number for number, place in enumerate(places, start=1)}
    arguments = [_argument_of(module, to) for to in state.values()]
    places = tuple(state)

    def given(args: Arguments, kwargs: Mapping[str, Any]) -> tuple[Tensor, ...]:
        return tensors_in([argument(args, kwargs, at, name) for at, name in arguments])

    def left(output: Any) -> tuple[Tensor, ...]:
        found = tensors_in([at_place(place, "state", output) for place in places])
        return _present(found)

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


def attributes(state: str | tuple[str, ...]) -> Callable[[Any], Any]:
    """The function that finds these attributes of a module."""
    names = (state,) if isinstance(state, str) else state
    finders = [attrgetter(name) for name in names]

    def get(module: Any) -> Any:
        return [find(module) for find in finders]

    return get


def kept(module: nn.Module, get: Callable[[Any], Any], versions: list[int]) -> tuple[Given, Left]:
    """Both functions for a state that the module keeps.

    Args:
        module: the module.
        get: finds its state.
        versions: of the tensors that its last call left there; they are noted in it.
    """

    def given(args: Arguments, kwargs: Mapping[str, Any]) -> tuple[Tensor, ...]:
        try:
            state = tensors_in(get(module))
            return () if _written_to(state, versions) else state
        except Exception:  # its first call makes the state; after the call, an error is told
            return ()

    def left(output: Any) -> tuple[Tensor, ...]:
        state = _present(tensors_in(get(module)))
        versions[:] = [_version(tensor) for tensor in state]
        return state

    return given, left


def _present(state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if not state:  # else each call would begin a sequence, and nobody would notice
        raise TypeError("expected its state, where state= says, to hold a tensor after a call")
    return state


def _written_to(state: tuple[Tensor, ...], versions: list[int]) -> bool:
    """Whether a state was written to in place since the call that left it, as by a reset."""
    if any(tensor.is_inference() for tensor in state):  # these have no version
        return not any(bool(tensor.any()) for tensor in state)
    return [_version(tensor) for tensor in state] != versions


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version

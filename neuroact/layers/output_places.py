"""Finds a part of what a module returned, as the user states where it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from neuroact.layers.reading import Place, Values


def picker(values: Values | None) -> Callable[[Any], Tensor]:
    """The function that finds the values in an output."""
    if values is None:
        return _output_itself
    if callable(values):
        return partial(_by_function, values)
    return partial(at_place, values, "values")


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


def at_place(place: Place, what: str, output: Any) -> Any:
    """What the output has at a place.

    Args:
        place: an index, a key or an attribute.
        what: "values", which are one tensor; or "state", which may be anything.
        output: what a module returned.

    Raises:
        TypeError: it is not there; says what came.
    """
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

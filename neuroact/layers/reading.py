"""`Reading`: what a user knows of a module that no adapter knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from neuroact.card import Carded
from neuroact.layers.axes import Axes
from neuroact.stream.chunk import SignalKind

Place = int | str
"""An index of a tuple or list; or a key of a dict, which may also be an attribute."""
Values = Place | Callable[[Any], Tensor]
State = Place | tuple[Place, ...] | Mapping[Place, Place] | Callable[[nn.Module], Any]


@dataclass(frozen=True, slots=True, repr=False)
class Reading(Carded):
    """How a module's calls are read, where no adapter knows the module.

    Attributes:
        axes: order of the dimensions of the values: `T` for time, `B` for the batch, `N` for all
            dimensions of the neurons ("TBN", "BTN", "BN", "(T=16 B)N"). None means "BN": one step,
            batch first.
        kind: what the values mean, as a `SignalKind` or its text: "binary" (spikes, 0 or 1),
            "graded", "analog". None means "analog"; for a layer's input, "graded". It is tested: a
            "binary" layer with another value than 0 or 1 is reported as unreliable.
        values: where in the output the values are. None: the output is the tensor. A number: at
            that index of a tuple or list. A text: under that key of a dict, or in that attribute of
            the output. Otherwise a function that takes the output and returns the tensor.
        state: what the module goes on from, which tells where a sequence starts. A call goes on
            from the last one if it starts from the state that the last one left. One of:

            - None: there is no state. Each call is a sequence of its own, or a step between two
              marks of `recording.new_sequence()`.
            - A number, or a tuple of them: the state is at these indices of the output, and the
              next call gets it back as the arguments that follow the first, in this order. To
              begin a sequence, pass None or other tensors: zeros that are written into the ones
              that came back are not seen.
            - A dict: the same, with the argument's name or position for each place in the output.
              `{"mem": "mem"}`: what the output has under "mem" is the next call's argument `mem`.
            - A text, or a tuple of them: the module keeps the state in these attributes
              ("mem", "cell.mem"). Writing to a state in place between calls, as `mem.zero_()`
              does, starts a sequence.
            - A function that takes the module and returns the state that it keeps.

        places: in how many places of the model the module is called, such as one ReLU after two
            layers. Each is then a layer of its own: "relu#1", "relu#2". They are told apart by the
            order of calls: the places take turns, beginning with the first in each forward of the
            model.

    Raises:
        ValueError, TypeError: an argument has a wrong value; says what it may be.

    >>> from neuroact import Reading
    >>> print(Reading(axes="BTN", kind="binary", values=0))
    axes BTN, binary, values at 0
    """

    axes: str | None = None
    kind: SignalKind | str | None = None
    values: Values | None = None
    state: State | None = None
    places: int = 1

    def __post_init__(self) -> None:
        if self.axes is not None:
            Axes(self.axes)
        if self.kind is not None:
            object.__setattr__(self, "kind", kind_of(self.kind))
        if self.values is not None and not (_is_place(self.values) or callable(self.values)):
            raise TypeError(
                "values= takes an index, a key or a function of the module's output, came "
                f"{self.values!r:.100}"
            )
        if self.state is not None:
            _check_state(self.state)
        if type(self.places) is not int or self.places < 1:
            raise ValueError(f"places= takes a whole number from 1, came {self.places!r:.100}")

    def __str__(self) -> str:
        kind = self.kind.value if isinstance(self.kind, SignalKind) else None
        said = {"axes": self.axes, "": kind, "values": self.values, "state": self.state}
        texts = (_said(what, value) for what, value in said.items() if value is not None)
        return ", ".join(texts) or "by default"

    @property
    def said(self) -> tuple[str, ...]:
        """Names of what is stated of each call."""
        stated = ("axes", "kind", "values", "state")
        return tuple(name for name in stated if getattr(self, name) is not None)


def kind_of(kind: SignalKind | str) -> SignalKind:
    """The kind, given itself or by its text.

    Raises:
        ValueError: it is neither.
    """
    if not any(kind in (known, known.value) for known in SignalKind):
        raise ValueError(f'expected kind= to be "binary", "graded" or "analog", came {kind!r}')
    return SignalKind(kind)


def _check_state(state: object) -> None:
    if isinstance(state, Mapping):
        fits = len(state) > 0 and all(_is_place(p) for pair in state.items() for p in pair)
    elif isinstance(state, tuple):
        kinds = {type(place) for place in state}
        fits = len(kinds) == 1 and kinds <= {int, str}
    else:
        fits = _is_place(state) or callable(state)
    if not fits:
        raise TypeError(
            "state= takes an index of the output, the name of an attribute of the module, a tuple "
            "of the one or of the other, a dict from a place in the output to an argument, or a "
            f"function of the module; came {state!r:.100}"
        )


def _is_place(value: object) -> bool:
    return type(value) in (int, str)


def _said(what: str, value: object) -> str:
    if callable(value):
        return f"{what} by {getattr(value, '__qualname__', type(value).__qualname__)}"
    if what == "state" and isinstance(value, Mapping):
        return "state " + " and ".join(f"{at} as argument {to}" for at, to in value.items())
    places = value if isinstance(value, tuple) else (value,)
    where = {"values": "at ", "state": "at " if isinstance(places[0], int) else "in "}.get(what, "")
    return f"{what} {where}{', '.join(map(str, places))}".strip()

"""Cards: what an object shows of itself at a prompt and in a notebook, in a few lines.

A class of ours that a user may meet inherits from `Carded`. What is on its card is declared once,
by a function that is registered at `card_of` for the class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import singledispatch
from html import escape
from typing import Any, Self, TypeVar

from neuroact.printable import printable

Answer = TypeVar("Answer", covariant=True)

_MOST_LINES = 14
_MOST_CHARACTERS = 94
_STYLE = "padding:.1em .6em;text-align:left;vertical-align:top;border:0;background:none"


@dataclass(frozen=True, slots=True)
class Card:
    """A title and lines below it. Characters that do not print are escaped, long texts are cut.

    Attributes:
        title: what the object is, in a line.
        lines: texts by term. A term whose text is empty is left out.

    >>> from neuroact.card import Card
    >>> Card("Lamp on the desk", {"light": "800 lm", "colour": "", "more": "lamp.off()"})
    Lamp on the desk
      light  800 lm
      more   lamp.off()
    """

    title: str
    lines: Mapping[str, str]

    def __repr__(self) -> str:
        shown = self._shown()
        width = max((len(term) for term in shown), default=0)
        lines = [f"  {term:<{width}}  {text}" for term, text in shown.items()]
        return "\n".join([_cut(self.title), *lines])

    def _repr_html_(self) -> str:
        # Colours are the page's, so that a card is legible on a light page and on a dark one.
        rows = "".join(
            f'<tr style="background:none"><td style="{_STYLE};opacity:.7">{escape(term)}</td>'
            f'<td style="{_STYLE}">{escape(text)}</td></tr>'
            for term, text in self._shown().items()
        )
        return (
            '<div class="neuroact" style="overflow-x:auto">'
            '<table style="border-collapse:collapse;font-size:90%;color:inherit">'
            '<caption style="text-align:left;white-space:nowrap;color:inherit">'
            f"<b>{escape(_cut(self.title))}</b></caption><tbody>{rows}</tbody></table></div>"
        )

    def _shown(self) -> dict[str, str]:
        said = [(_cut(term, 40), _cut(text)) for term, text in self.lines.items() if text]
        return dict(said[:_MOST_LINES])


class Carded:
    """Shows its card as its `repr`, and in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(card_of(self))

    def _repr_html_(self) -> str:
        return card_of(self)._repr_html_()


class Answers(tuple[Answer, ...]):
    """A tuple of answers that are sentences: at a prompt and in a notebook it is a line for each.

    Attributes:
        nothing: what there is to say if there is none.

    >>> from neuroact.card import Answers
    >>> Answers(["lif1 is silent", "lif2 is silent"], "all is well")
    lif1 is silent
    lif2 is silent
    >>> Answers([], "all is well")
    all is well
    """

    nothing: str

    def __new__(cls, answers: Iterable[Answer], nothing: str) -> Self:
        """The answers in the order in which they are told."""
        self = super().__new__(cls, answers)
        self.nothing = nothing
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self), self.nothing

    def _lines(self) -> list[str]:
        return list(map(str, self)) or [self.nothing]

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return f'<ul class="neuroact">{listed(self._lines())}</ul>'


def listed(texts: Iterable[str]) -> str:
    """The items of a list in HTML; the texts are escaped."""
    return "".join(f"<li>{escape(text)}</li>" for text in texts)


@singledispatch
def card_of(shown: object) -> Card:
    """The card of an object, by its class; of a class without one, a line for each field."""
    fields = getattr(type(shown), "__dataclass_fields__", ())
    return Card(type(shown).__name__, {name: brief(getattr(shown, name)) for name in fields})


def brief(value: Any) -> str:
    """A value in a few characters: of an array or a tensor its dtype and shape.

    >>> import numpy as np
    >>> from neuroact.card import brief
    >>> brief(1234), brief(0.123456), brief(np.zeros((2, 3))), brief({"a": 1}), brief(None)
    ('1,234', '0.1235', 'float64 [2, 3]', '1 by name: a', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, str | Enum):
        return str(getattr(value, "value", value))
    if hasattr(value, "dtype") and getattr(value, "shape", None) is not None:
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if isinstance(value, Mapping):
        return f"{len(value)} by name: {some(map(str, value))}" if value else "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else f"{value!r:.200}"


def came(value: object) -> str:
    """What came in place of something else, for an error: short values as they are, else the class.

    >>> from neuroact.card import came
    >>> came("1ms"), came(None), came([1, 2])
    ("'1ms'", 'None', 'a list')
    """
    if value is None or isinstance(value, str | bytes | int | float):
        return f"{value!r:.100}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def some(names: Iterable[str], most: int = 6) -> str:
    """The first names, and how many more there are.

    >>> from neuroact.card import some
    >>> some(["lif1", "lif2", "lif3"], most=2)
    'lif1, lif2 and 1 more'
    """
    found = list(names)
    kept: list[str] = []
    for name in found[:most]:
        kept.append(_cut(name, 40))
        if sum(map(len, kept)) > _MOST_CHARACTERS - 24:
            break
    more = len(found) - len(kept)
    return ", ".join(kept) + (f" and {more:,} more" if more else "")


def several(number: int, thing: str) -> str:
    """A number of things: `1 layer`, `2 layers`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _cut(text: str, most: int = _MOST_CHARACTERS) -> str:
    """The text made printable, and cut if it is long."""
    shown = printable(text[:most])
    return shown if len(shown) <= most and len(text) <= most else f"{shown[: most - 3]}..."

"""What each figure means, read off the docstrings: written once, shown everywhere."""

from __future__ import annotations

import inspect
import re
from functools import cached_property

from neuroact.results.layer_activity import LayerActivity


def definition(figure: str, of: type = LayerActivity) -> str:
    """What a figure means: its docstring as one line of plain text.

    Args:
        figure: name of a property of the class, or of an attribute that its docstring lists.
        of: the class whose figure it is.

    Returns:
        The text, without the marks of code; empty where the docstring says nothing, as under
        `python -OO`.

    >>> from neuroact.results.definitions import definition
    >>> definition("median")
    'Median activity over neurons, quantile 0.5 of type 7.'
    >>> definition("sequences")
    "Number of samples' sequences begun."
    """
    described = inspect.getattr_static(of, figure, None)
    computed = isinstance(described, property | cached_property)
    text = inspect.getdoc(described) if computed else None
    text = text or _attribute(inspect.getdoc(of) or "", figure)
    return " ".join(text.replace("`", "").split())


def headline(cls: type) -> str:
    """The first line of a class's own docstring; empty where it has none.

    >>> from neuroact import Firing
    >>> from neuroact.results.definitions import headline
    >>> headline(Firing)
    'Events and total per neuron, exactly, in O(neurons).'
    """
    own = vars(cls).get("__doc__")
    return inspect.cleandoc(own).partition("\n")[0].replace("`", "") if own else ""


def _attribute(docstring: str, name: str) -> str:
    found = re.search(rf"^    {name}: (.*(?:\n {{6,}}.*)*)", docstring, re.MULTILINE)
    text = found.group(1) if found else ""
    return text[:1].upper() + text[1:]

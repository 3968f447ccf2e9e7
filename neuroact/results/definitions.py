"""What each metric means. Docstrings define it; pages, files and docs show that text."""

from __future__ import annotations

import inspect
import re
from functools import cached_property

from neuroact.results.layer_activity import LayerActivity


def definition(metric: str, of: type = LayerActivity) -> str:
    """What a metric means: its docstring as one line of plain text.

    Args:
        metric: name of a property of the class, or of an attribute that the class's docstring
            lists.
        of: the class that has it.

    Returns:
        The text without backquotes. Empty if there is no docstring, as under `python -OO`.

    >>> from neuroact.results.definitions import definition
    >>> definition("median")
    'Median activity over neurons, quantile 0.5 of type 7.'
    >>> definition("sequences")
    'Number of sequences begun, over all samples.'
    """
    described = inspect.getattr_static(of, metric, None)
    computed = isinstance(described, property | cached_property)
    text = inspect.getdoc(described) if computed else None
    text = text or _attribute(inspect.getdoc(of) or "", metric)
    return " ".join(text.replace("`", "").split())


def headline(cls: type) -> str:
    """The first line of a class's own docstring; empty if it has none.

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

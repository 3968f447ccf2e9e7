"""What layers are called in what their model was built from, such as a graph read from a file."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from neuroact.errors import BrokenAdapterWarning
from neuroact.layers.names import NamedModule

ENTRY_POINT_GROUP = "neuroact.layer_names"


def other_names(modules: Sequence[NamedModule], layers: Sequence[str]) -> dict[str, str]:
    """Another name of each layer that has one, by the layer's name.

    An entry point of the group `neuroact.layer_names` finds them, for models that one package
    builds. Its name is the package's import name. Its value is a function like this one. It is
    loaded only where the package has been imported. One that fails warns and names no layer. What
    two layers would be called is the name of neither.

    Args:
        modules: the model's modules.
        layers: names of its spiking layers.
    """
    found: dict[str, str] = {}
    for point in _installed():
        if point.name not in sys.modules:
            continue
        try:
            found |= point.load()(modules, layers)
        except Exception as cause:  # a third party's code must not hurt a recording
            warnings.warn(
                f'The names that "{point.name}" gives to layers ({point.value}) could not be '
                f"found: {type(cause).__name__}: {cause}. Layers are recorded without them; update "
                "or repair the package that brings it.",
                BrokenAdapterWarning,
                stacklevel=2,
            )
    held = Counter(found.values())
    return {layer: name for layer, name in found.items() if held[name] == 1}


@cache  # to look for them takes longer than to start a recording
def _installed() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINT_GROUP))

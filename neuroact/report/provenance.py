"""Where a report comes from: versions, model, time."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from neuroact.layers.names import LayerSelection, class_of
from neuroact.versions import installed_version


def provenance(model: nn.Module | None, frameworks: Iterable[str]) -> dict[str, Any]:
    """A report's origin as plain JSON values.

    Keys: `created` (UTC, ISO 8601), `model` (the model's class without wrappers, or None) and
    `versions` (of Python, neuroact, torch, numpy and the recorded layers' frameworks).
    """
    packages = dict.fromkeys(("neuroact", "torch", "numpy", *frameworks))
    versions = {name: found for name in packages if (found := installed_version(name))}
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "model": None if model is None else _path(class_of(model)),
        "versions": {"python": sys.version.partition(" ")[0], **versions},
    }


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def selection_text(layers: LayerSelection) -> str | list[str] | None:
    """The argument `layers=` as a plain JSON value. A predicate is given by its name."""
    if layers is None or isinstance(layers, str):
        return layers
    if isinstance(layers, type):
        return f"class {_path(layers)}"
    if isinstance(layers, nn.Module):
        return f"module of {_path(class_of(layers))}"
    if isinstance(layers, Mapping):
        return [f"{selection_text(layer)}: {reading}" for layer, reading in layers.items()]
    if isinstance(layers, Iterable):
        return [str(selection_text(layer)) for layer in layers]
    return f"predicate {getattr(layers, '__qualname__', type(layers).__qualname__)}"

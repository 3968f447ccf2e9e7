"""Which tensors Python holds, counted so that other tests do not show."""

from __future__ import annotations

import gc

from torch import Tensor


def tensors_alive() -> list[Tensor]:
    """Every tensor there is. Who keeps the list keeps what earlier tests left from going away."""
    gc.collect()
    return [found for found in gc.get_objects() if issubclass(type(found), Tensor)]

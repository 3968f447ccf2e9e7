"""Which tensors are alive in Python, regardless of other tests."""

from __future__ import annotations

import gc

from torch import Tensor


def tensors_alive() -> list[Tensor]:
    """Every tensor that is alive. While you keep the list, none of them can vanish."""
    gc.collect()
    return [found for found in gc.get_objects() if issubclass(type(found), Tensor)]

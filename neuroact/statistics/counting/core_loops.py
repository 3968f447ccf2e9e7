"""Counts blocks of steps by the loops of the compiled core."""

from __future__ import annotations

from typing import Any

import neuroact.native as native


class CountsBlocks:
    """Base of statistics that count the same steps in a chunk (`update`) or a block (`count`)."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = {"update", "count"} & vars(cls).keys()
        if len(own) == 1 and hasattr(cls, "update") and hasattr(cls, "count"):
            (overridden,), (inherited,) = own, {"update", "count"} - own
            raise TypeError(
                f"{cls.__name__} overrides {overridden} and inherits {inherited}, which counts the "
                "same steps another way: override both, "
                "`def count(self, block): self.update(block.chunk())` if there is no faster one"
            )


def loops() -> Any:
    """The compiled core, which counts blocks.

    Raises:
        RuntimeError: there is no core. Then count `block.chunk()` instead.
    """
    core = native.core()
    if core is None:
        raise RuntimeError(f"a block cannot be counted without the core: {native.why_missing()}")
    return core

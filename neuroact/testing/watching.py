"""How the kit sees a layer's calls: by means of its own, apart from a recording's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from torch import nn

Before = Callable[[tuple[Any, ...], Mapping[str, Any]], object]
After = Callable[[tuple[Any, ...], Mapping[str, Any], Any], object]


def see_calls(module: nn.Module, before: Before | None, after: After) -> Callable[[], None]:
    """Have functions called before and after each run of a module's `forward`.

    A function in the module's `__dict__` wraps `forward`. So a call that goes past `__call__`, as
    simulators make it, is seen too; a forward hook would miss it.

    Args:
        module: its calls are seen.
        before: takes the arguments; None if there is nothing to do.
        after: takes the arguments, and what was returned.

    Returns:
        A function that ends it.
    """
    forward, own = module.forward, module.__dict__.get("forward")

    @wraps(forward)
    def seen(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before(args, kwargs)
        output = forward(*args, **kwargs)
        after(args, kwargs, output)
        return output

    module.__dict__["forward"] = seen

    def end() -> None:
        if own is None:
            del module.__dict__["forward"]
        else:
            module.__dict__["forward"] = own

    return end

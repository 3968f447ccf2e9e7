"""How the kit sees a layer's calls: by means of its own, apart from a recording's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

Before = Callable[[tuple[Any, ...], Mapping[str, Any]], object]
After = Callable[[tuple[Any, ...], Mapping[str, Any], Any], object]


def see_calls(module: nn.Module, before: Before | None, after: After) -> Callable[[], None]:
    """Have functions called before and after each run of a module's `forward`.

    An object in the module's `__dict__` wraps `forward`. So a call that goes past `__call__`, as
    simulators make it, is seen too; a forward hook would miss it.

    Args:
        module: its calls are seen.
        before: takes the arguments; None if there is nothing to do.
        after: takes the arguments, and what was returned.

    Returns:
        A function that ends it.
    """
    own = module.__dict__.get("forward")
    module.__dict__["forward"] = _Seen(module.forward, before, after)

    def end() -> None:
        if own is None:
            del module.__dict__["forward"]
        else:
            module.__dict__["forward"] = own

    return end


class _Seen:
    """Wraps a `forward`, and has its attributes too: Matterhorn reads its `__code__`."""

    __slots__ = ("after", "before", "forward")

    def __init__(self, forward: Callable[..., Any], before: Before | None, after: After) -> None:
        self.forward, self.before, self.after = forward, before, after

    def __getattr__(self, name: str) -> Any:
        if name in _Seen.__slots__:  # in a copy that is still being made
            raise AttributeError(name)
        return getattr(self.forward, name)

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.before is not None:
            self.before(args, kwargs)
        output = self.forward(*args, **kwargs)
        self.after(args, kwargs, output)
        return output

"""The one place that knows how a layer's calls are seen: PyTorch's forward hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

Before = Callable[[nn.Module], None]
After = Callable[[nn.Module, tuple[Any, ...], Mapping[str, Any], Any], None]


def watch(module: nn.Module, after: After, before: Before | None = None) -> Callable[[], None]:
    """Have `after` called after each call of the module, and `before` ahead of it.

    Calls of deep copies and of unpickled copies are not seen; those of a `DataParallel` replica
    are. Neither callback can change what the module returns.

    Returns:
        The function that undoes it; calling it again does nothing.
    """
    handles = [module.register_forward_hook(_AfterHook(module, after), with_kwargs=True)]
    if before is not None:
        handles.append(module.register_forward_pre_hook(_BeforeHook(module, before)))

    def undo() -> None:
        while handles:
            handles.pop().remove()

    return undo


class _Hook:
    """A hook that belongs to one module and that copies of the module do not take along.

    A copied plain function would report the copy's calls to the original's recording; a copied
    bound method would copy the whole recording.
    """

    __slots__ = ("module",)

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def sees(self, module: nn.Module) -> bool:
        # A replica shares the hooks of the module it was made from, and works for it.
        return module is self.module or getattr(module, "_is_replica", False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., None]:
        return see_nothing

    def __reduce__(self) -> tuple[Any, ...]:
        return _see_nothing, ()


class _AfterHook(_Hook):
    __slots__ = ("after",)

    def __init__(self, module: nn.Module, after: After) -> None:
        super().__init__(module)
        self.after = after

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        if self.sees(module):
            self.after(module, args, kwargs, output)


class _BeforeHook(_Hook):
    __slots__ = ("before",)

    def __init__(self, module: nn.Module, before: Before) -> None:
        super().__init__(module)
        self.before = before

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self.sees(module):
            self.before(module)


def see_nothing(*args: Any) -> None:
    """The hook that a copy of a watched module carries."""


def _see_nothing() -> Callable[..., None]:
    return see_nothing

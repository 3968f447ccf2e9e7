"""Watches the calls of a module that no layer reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from neuroact.recording.forward import NO_CALLBACKS, Callbacks, Watcher, watch
from neuroact.recording.watched_layer import Watched


class WatchedCalls:
    """Has the calls of a module seen, once `watch` is called, where Python runs them.

    Args:
        module: the module; None to see no calls.
        callbacks: see its calls; as in `neuroact.recording.forward`.
        passed_by: as in `neuroact.recording.forward.watch`.
    """

    def __init__(
        self, module: nn.Module | None, callbacks: Callbacks, *, passed_by: bool = False
    ) -> None:
        self.callbacks = callbacks
        self._module, self._passed_by = module, passed_by
        self._undo: Callable[[], None] | None = None

    def watch(self) -> None:
        """Have the module's calls seen; does nothing if they are."""
        if self._undo is None and self._module is not None:
            self._undo = watch(self._module, self, passed_by=self._passed_by)

    def unwatch(self) -> None:
        """Stop watching the module's calls."""
        if self._undo is not None:
            self._undo()
        self._undo = None

    def let_go(self) -> None:
        """Stop watching for good, and hold the module no longer."""
        self.unwatch()
        self._module, self.callbacks = None, NO_CALLBACKS

    def refuse(self) -> None:
        """See no calls in a forked process, where the layers refuse them."""
        self.unwatch()

    def recomputed(self, output: Any) -> None:
        """The call was seen in the forward pass."""

    def check_capture(self) -> None:
        """Let a CUDA graph be captured, whose replays are not seen."""

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Run a call that `torch.compile` traces, which is not seen."""
        return forward(*args, **kwargs)


if TYPE_CHECKING:
    _: tuple[type[Watcher], type[Watched]] = (WatchedCalls, WatchedCalls)

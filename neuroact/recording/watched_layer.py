"""Ties together a module, the reader of its calls, and the layer that counts them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from torch import nn

from neuroact.layers.adapter import Adapter
from neuroact.recording import forward
from neuroact.recording.call_reader import CallReader
from neuroact.recording.forward import Watcher
from neuroact.recording.gradient_reader import GradientReader
from neuroact.recording.layer import LayerRecorder, Programs
from neuroact.recording.threads import Refusal


class Watched(Protocol):
    """What a recording watches: a layer, or the whole model."""

    def watch(self) -> None:
        """Watch its calls; does nothing if they are watched."""

    def unwatch(self) -> None:
        """Stop watching its calls."""

    def refuse(self) -> None:
        """Refuse calls, in a process forked from the one that records them."""

    def let_go(self) -> None:
        """Stop watching for good, and hold the model no longer."""


class WatchedLayer:
    """Has a module's calls read into a layer, once `watch` is called.

    Until `let_go`, the layer holds this object, which holds the module.

    Args:
        layer: counts the calls.
        module: its calls are read.
        adapter: reads them.
        passed_by: as in `neuroact.recording.forward.watch`.
        watch: has a watcher see the calls, and returns what stops it. If it is None, the watcher
            sees all calls of the module.
        gradients: whether to count the gradients of what the calls return, and not the values.

    Attributes:
        layer: counts the calls.
        reader: reads them.
    """

    def __init__(
        self,
        layer: LayerRecorder,
        module: nn.Module,
        adapter: Adapter,
        *,
        passed_by: bool = False,
        watch: Callable[[Watcher], Callable[[], None]] | None = None,
        gradients: bool = False,
    ) -> None:
        self.layer = layer
        self._watch = watch or partial(forward.watch, module, passed_by=passed_by)
        make = GradientReader if gradients else CallReader
        self.reader = make(module, adapter, layer)
        self._undo: Callable[[], None] | None = None
        layer.source = self

    @property
    def programs(self) -> Programs:
        """What compiled programs of the module count with."""
        return self.reader.compiled_counter

    def interrupt(self) -> None:
        """Have the next call read in full."""
        self.reader.interrupt()

    def watch(self) -> None:
        """Have the module's calls read; does nothing if they are."""
        if self._undo is None:
            self.reader.prepare()
            self._undo = self._watch(self.reader)

    def unwatch(self) -> None:
        """Stop watching the module's calls."""
        if self._undo is not None:
            self._undo()
        self._undo = None
        self.layer.interrupt()

    def refuse(self) -> None:
        """Refuse each call, in a process forked from the one that records them."""
        if self._undo is not None:
            self._undo()
            self._undo = self._watch(Refusal(self.layer.info))

    def let_go(self) -> None:
        """Stop watching for good, and hold the model no longer."""
        self.unwatch()
        with self.layer.settled():
            self.reader.let_go()
            self.layer.source = None

"""Ties together a module, the reader of its calls, and the layer that counts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import nn

from neuroact.layers.adapter import Adapter
from neuroact.recording.call_reader import CallReader
from neuroact.recording.forward import watch
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
        gradients: whether to count the gradients of what the calls return, and not the values.
    """

    def __init__(
        self,
        layer: LayerRecorder,
        module: nn.Module,
        adapter: Adapter,
        *,
        passed_by: bool = False,
        gradients: bool = False,
    ) -> None:
        self._layer = layer
        self._module = module
        self._passed_by = passed_by
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
            self._undo = watch(self._module, self.reader, passed_by=self._passed_by)

    def unwatch(self) -> None:
        """Stop watching the module's calls."""
        if self._undo is not None:
            self._undo()
        self._undo = None
        self._layer.interrupt()

    def refuse(self) -> None:
        """Refuse each call, in a process forked from the one that records them."""
        if self._undo is not None:
            self._undo()
            refusal = Refusal(self._layer.info)
            self._undo = watch(self._module, refusal, passed_by=self._passed_by)

    def let_go(self) -> None:
        """Stop watching for good, and hold the model no longer."""
        self.unwatch()
        with self._layer.settled():
            self.reader.let_go()
            self._layer.source = None

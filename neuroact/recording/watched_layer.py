"""The tie of a module, the reader of its calls, and the layer that counts them."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from neuroact.layers.adapter import Adapter
from neuroact.recording.call_reader import CallReader
from neuroact.recording.forward import watch
from neuroact.recording.layer import LayerRecorder, Programs
from neuroact.recording.threads import Refusal


class WatchedLayer:
    """Has a module's calls read into a layer; `watch` starts it.

    The layer holds this, and this the module, until `let_go`.

    Args:
        layer: counts the calls.
        module: whose calls.
        adapter: reads them.
        passed_by: as `neuroact.recording.forward.watch` takes it.
    """

    def __init__(
        self, layer: LayerRecorder, module: nn.Module, adapter: Adapter, *, passed_by: bool = False
    ) -> None:
        self._layer = layer
        self._module = module
        self._passed_by = passed_by
        self.reader = CallReader(module, adapter, layer)
        self._undo: Callable[[], None] | None = None
        layer.source = self

    @property
    def programs(self) -> Programs:
        """What compiled programs count with."""
        return self.reader.compiled_counter

    def interrupt(self) -> None:
        """Have the next call read in full."""
        self.reader.interrupt()

    def watch(self) -> None:
        """Have the module's calls read; nothing where they are."""
        if self._undo is None:
            self.reader.prepare()
            self._undo = watch(self._module, self.reader, passed_by=self._passed_by)

    def unwatch(self) -> None:
        """Let the module's calls be."""
        if self._undo is not None:
            self._undo()
        self._undo = None
        self._layer.interrupt()

    def refuse(self) -> None:
        """Have each call refused, in a process forked from the one that records them."""
        if self._undo is not None:
            self._undo()
            refusal = Refusal(self._layer.info)
            self._undo = watch(self._module, refusal, passed_by=self._passed_by)

    def let_go(self) -> None:
        """Let the module's calls be for good, and keep the model alive no longer."""
        self.unwatch()
        with self._layer.settled():
            self.reader.let_go()
            self._layer.source = None

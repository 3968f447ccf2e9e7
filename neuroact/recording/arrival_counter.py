"""Counts, at little cost, what arrives at a layer in a call like one that was read in full before.

`_core` tells the values apart and adds them in one step that nothing can interrupt. So such a call
needs no chunk: only a look at its shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neuroact.layers.connections import ConnectionInput
from neuroact.recording.forward import transform
from neuroact.recording.layer import LayerRecorder
from neuroact.statistics.arrivals import Arrivals


class ArrivalCounter:
    """Called after each call of a layer whose operations are counted.

    Args:
        reader: knows which inputs and outputs were read before.
        layer: keeps `Arrivals` alone.
        finish: reads any other call in full.
    """

    __slots__ = ("_arrivals", "_finish", "_layer", "_reader")

    def __init__(
        self, reader: ConnectionInput, layer: LayerRecorder, finish: Callable[..., None]
    ) -> None:
        self._reader, self._layer, self._finish = reader, layer, finish
        self._arrivals = _only(layer)

    def __call__(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any
    ) -> None:
        """Count what was `given`, or have the call read in full."""
        layer = self._layer
        layer.thread.check(layer.info)
        with layer.lock:  # whoever holds it reads the counts, or forgets them
            seen = layer.called and self._reader.has_seen(given, output) and transform() is None
            if seen and self._arrivals.add(given):
                self._reader.tell(given)
                return
        self._finish(args, kwargs, output, given)


def _only(layer: LayerRecorder) -> Arrivals:
    (arrivals,) = layer.statistics
    assert isinstance(arrivals, Arrivals)
    return arrivals

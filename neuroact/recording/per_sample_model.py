"""Watches the calls of the whole model, which say what belongs together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from threading import RLock

import torch
from torch import nn

from neuroact.layers.adapter import Adapter
from neuroact.layers.choose import ChosenLayer
from neuroact.layers.sample_axis import Order
from neuroact.layers.stated import StatedAdapter
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.per_sample import Samples
from neuroact.recording.watched_calls import WatchedCalls


class WatchedModel(WatchedCalls):
    """Tells where each call of the whole model begins and ends, once `watch` is called.

    Args:
        model: the whole model.
        samples: is told.
        layers: what counts, by name; it tells `samples` what came, until `let_go`.
        found: the recorded layers' modules and adapters.
    """

    def __init__(
        self,
        model: nn.Module,
        samples: Samples,
        layers: Mapping[str, LayerRecorder],
        found: Iterable[ChosenLayer],
    ) -> None:
        # A scripted one runs no Python.
        seen = None if isinstance(model, torch.jit.ScriptModule) else model
        tell = (
            lambda args, kwargs: samples.enter_model(),
            lambda args, kwargs, output, given: samples.leave_model(),
        )
        super().__init__(seen, tell)
        self._layers = tuple(layers.values())
        self._samples = samples
        for chosen in found:
            ask = partial(order_of, chosen.adapter, chosen.module)
            samples.asked.append(ask)
            layers[chosen.info.name].heard = partial(samples.hear, ask)

    def let_go(self) -> None:
        """Stop watching for good, and hold the model no longer."""
        super().let_go()
        for layer in self._layers:
            layer.heard = None
        self._samples.let_go()
        self._layers = ()

    def refuse(self) -> None:
        """Free the lock, which a thread of the other process may hold; the layers refuse calls."""
        self._samples.lock = RLock()


def order_of(adapter: Adapter, module: nn.Module) -> Order | None:
    """The order of time and batch in a layer's calls; None if it is not known."""
    try:
        stated = isinstance(adapter, StatedAdapter)
        axes = adapter.stated if stated else adapter.input_axes(module)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):  # it has no such method, or cannot tell
        return None
    if not {"T", "B"} <= set(axes):
        return None
    return "TB" if axes.index("T") < axes.index("B") else "BT"

"""Watches the calls of a module whose products of two activations its adapter reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from neuroact.errors import UnsupportedModelError
from neuroact.layers.adapter import LayerCall
from neuroact.layers.products import Multiplying
from neuroact.recording.connections import Connections
from neuroact.recording.forward import transform, watch
from neuroact.recording.threads import Refusal
from neuroact.recording.uninterrupted import Uninterrupted
from neuroact.recording.watched_calls import WatchedCalls
from neuroact.stream.product import SynapticProduct


class WatchedProducts(WatchedCalls):
    """Has a module's products counted, once `watch` is called.

    The model runs on where a call cannot be read. The module is then named as not counted.

    Args:
        found: the module and its adapter.
        connections: count.
    """

    def __init__(self, found: Multiplying, connections: Connections) -> None:
        super().__init__(found.at, (self._before, self._after), passed_by=found.passed_by)
        self._info, self._connections = found.info, connections
        self._found: Multiplying | None = found  # None after `let_go`
        self._group = connections.by_adapter(found.info.name)

    def let_go(self) -> None:
        """Stop watching for good, and hold the model no longer."""
        super().let_go()
        self._found = None

    def refuse(self) -> None:
        """Refuse each call, in a process forked from the one that records them."""
        if self._undo is not None and self._module is not None:
            self._undo()
            self._undo = watch(self._module, Refusal(self._info))

    def check_capture(self) -> None:
        """Refuse the capture of a CUDA graph, whose replays run no Python.

        Raises:
            UnsupportedModelError: names the module.
        """
        raise UnsupportedModelError(
            f"{self._info}: a CUDA graph repeats only what the device does, and an adapter reads "
            "its products",
            layer=self._info.name,
        )

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Run a call that `torch.compile` traces outside of its program."""
        from neuroact.recording.compiled.uncompiled import untraced

        return untraced(self, forward, args, kwargs)

    def _before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return None if self._group.problem is not None else _copied((args, dict(kwargs)))

    def _after(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any
    ) -> None:
        found = self._found
        if given is None or found is None:
            return
        try:
            if transform() is not None:
                raise ValueError("it was called inside of torch.func's vmap, grad, jvp or the like")
            with torch.no_grad():
                call = LayerCall(given[0], given[1], output)
                parts = dict(found.adapter.products(found.module, call))
                for part, product in parts.items():
                    if not isinstance(part, str) or not isinstance(product, SynapticProduct):
                        raise TypeError(
                            f"expected a SynapticProduct for each part, came {part!r}: {product!r}"
                        )
            with Uninterrupted():
                self._connections.observe_parts(self._info.name, parts)
        except Exception as cause:  # the model runs on, whatever the adapter does
            self._group.problem = f"its adapter could not read a call: {cause}"


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_copied(each) for each in value)
    return value.detach().clone() if isinstance(value, Tensor) else value

"""Reads the gradients at the outputs of one module into its layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from neuroact.errors import AdapterReadError, UnsupportedModelError
from neuroact.layers.adapter import Adapter, LayerCall
from neuroact.layers.call_pattern import has_pattern
from neuroact.layers.stated import StatedAdapter
from neuroact.recording.forward import NO_CALLBACKS, Watcher, backward_pass
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.uninterrupted import Uninterrupted
from neuroact.stream.chunk import SignalKind, SpikeChunk


class NoPrograms:
    """What compiled programs count a layer's gradients with: nothing, since Python counts all."""

    def fold(self) -> None:
        """There is nothing to move."""

    def hand_over(self) -> None:
        """There is nothing to hand over."""

    def restart(self) -> None:
        """There is nothing to restart."""

    def check_device(self, device: torch.device, /) -> None:
        """Any device will do."""


class GradientReader:
    """Watches a module, and counts the gradient at each of its outputs when it is worked out.

    Each output that takes part in the graph gets a hook, which sees its gradient and changes
    nothing. The hook holds no tensor. All gradients of one backward pass are one sequence, in the
    order in which they come: the last time step first.

    Args:
        module: its outputs' gradients are read.
        adapter: knows how its outputs are laid out.
        layer: takes the chunks.
    """

    def __init__(self, module: nn.Module, adapter: Adapter, layer: LayerRecorder) -> None:
        self._module = module
        self._adapter = adapter
        # Decided once, since isinstance against a protocol is too slow for each call.
        self._patterns = adapter if has_pattern(adapter) else None
        self._layer: LayerRecorder | None = layer
        self._info = layer.info
        self._pass = -1
        self._outer: dict[int, int] = {}  # of each backward pass within another: that other
        self.compiled_counter = NoPrograms()
        self.callbacks: list[Callable[..., Any]] = list(NO_CALLBACKS)
        self.callbacks[1] = self._called

    def prepare(self) -> None:
        """Nothing has to be found before a call."""

    def interrupt(self) -> None:
        """Every gradient is read in full."""

    def let_go(self) -> None:
        """Count no more, also of outputs that are there already."""
        self._layer = None
        self.callbacks[:] = NO_CALLBACKS

    def recomputed(self, output: Any) -> None:
        """An output of a repeated call: the repeated graph may be the one that has gradients."""
        self._hook(output, backward_pass())

    def check_capture(self) -> None:
        """Refuse a CUDA graph, whose replays run no hooks.

        Raises:
            UnsupportedModelError: names the layer.
        """
        raise UnsupportedModelError(
            f"{self._info}: a CUDA graph repeats only what the device does, and gradients are "
            "counted by the host",
            layer=self._info.name,
        )

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Run a call that `torch.compile` traces outside of the program, which has no hooks."""
        from neuroact.recording.compiled.uncompiled import untraced

        return untraced(self, forward, args, kwargs)

    def _called(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: object
    ) -> None:
        self._hook(output, -1)

    def _hook(self, output: Any, within: int) -> None:
        """Have the gradient at an output counted; `within` is the backward pass that makes it."""
        try:
            values = self._values(output)
            # In the output's place in what the call returned, so that the adapter finds it there.
            others = len(output) - 1 if isinstance(output, tuple | list) else None
            self._chunk(values.detach(), others, starts=False)
        except Exception as cause:
            raise AdapterReadError(
                f"the gradient at the output of {self._info} cannot be read: {cause}. Leave the "
                "layer out with layers=. What was recorded before stays.",
                layer=self._info.name,
            ) from cause
        if values.requires_grad:
            values.register_hook(partial(self._count, others, within))  # type: ignore[no-untyped-call]

    def _values(self, output: Any) -> Tensor:
        if isinstance(self._adapter, StatedAdapter):
            return self._adapter.values_in(output)
        first = output[0] if isinstance(output, tuple | list) else output
        pattern = None if self._patterns is None else self._patterns.pattern(self._module)
        values = first if pattern is None else pattern.values(output)
        if not isinstance(values, Tensor) or values is not first:
            raise TypeError("its values are not one tensor that it returns, alone or first")
        return values

    def _chunk(self, values: Tensor, others: int | None, *, starts: bool) -> SpikeChunk:
        """Values in an output's place, as the adapter lays that output out; the last step first."""
        if isinstance(self._adapter, StatedAdapter):
            stream = self._adapter.ordered(values)
        else:
            output = values if others is None else (values, *[None] * others)
            stream = self._adapter.read(self._module, LayerCall((), {}, output)).values
        return SpikeChunk(stream.flip(0), SignalKind.ANALOG, starts)

    def _count(self, others: int | None, within: int, gradient: Tensor) -> None:
        layer = self._layer
        if layer is None:
            return
        current = self._outermost(backward_pass(), within)
        starts, self._pass = current != self._pass, current
        chunk = self._chunk(gradient, others, starts=starts)
        with layer.lock, Uninterrupted():
            layer.count(layer.admitted(chunk, has_state=True))

    def _outermost(self, current: int, within: int) -> int:
        """The backward pass that a pass belongs to: that of a reentrant checkpoint, to another."""
        if within != -1 and within != current:
            self._outer[current] = within
        while current in self._outer:
            current = self._outer[current]
        if current != self._pass:
            self._outer = {inner: outer for inner, outer in self._outer.items() if outer == current}
        return current


if TYPE_CHECKING:
    _: type[Watcher] = GradientReader

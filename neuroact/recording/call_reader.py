"""Reads the calls of one recorded module into its layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from neuroact.errors import AdapterReadError, UnsupportedModelError
from neuroact.layers.adapter import Adapter, ArgumentAdapter, LayerCall, StatefulAdapter
from neuroact.layers.call_pattern import CallPattern, always, has_pattern
from neuroact.layers.connections import ConnectionInput
from neuroact.layers.layer_info import LayerInfo
from neuroact.native import core
from neuroact.recording.arrival_counter import ArrivalCounter
from neuroact.recording.compiled.counter import CompiledCounter
from neuroact.recording.forward import NO_CALLBACKS, Watcher, transform
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.open_block import Rows
from neuroact.recording.step_reader import StepReader, Steps
from neuroact.recording.uninterrupted import Uninterrupted
from neuroact.stream.chunk import SpikeChunk

MOST_STEPS = 255
"""After so many steps counted at little cost, one is read in full again.

Only a full reading checks the thread. So a second thread that continues from the state of a first
one, while that is still running, is refused after at most so many steps.
"""


class CallReader:
    """Watches a module and reads its calls into its layer.

    It can read every call in full, by the adapter or by its pattern. If a call is one step that
    continues the last call, it leaves that call to `Steps`, which counts it at little cost.

    Args:
        module: its calls are read.
        adapter: knows how to read them.
        layer: takes the chunks.
    """

    def __init__(self, module: nn.Module, adapter: Adapter, layer: LayerRecorder) -> None:
        self._module = module
        self._adapter = adapter
        self._layer = layer
        # Decided once, since isinstance against a protocol is too slow for each call.
        self._stateful = adapter if isinstance(adapter, StatefulAdapter) else None
        self._arguments = adapter if isinstance(adapter, ArgumentAdapter) else None
        self._patterns = adapter if has_pattern(adapter) else None
        self._pattern: CallPattern | None = None
        native = core()
        self._python_steps: StepReader | None = StepReader(self._read, layer.lock)
        self._native_steps: Steps | None = native and native.Steps(self._read_otherwise)
        self._under_way: Steps | None = None  # it knows a newer state than the layer's trace
        # A list, so that both can be replaced; see `Watcher`.
        after: Callable[..., Any] = self._native_steps or self._python_steps
        if isinstance(adapter, ConnectionInput):
            after = ArrivalCounter(adapter, layer, self._read)
        self.callbacks: list[Callable[..., Any]] = [self._before, after]
        self.compiled_counter = CompiledCounter(layer, self.callbacks)

    def prepare(self) -> None:
        """Find the layer's pattern anew, before the next call."""
        with self._layer.lock:
            self.interrupt()
        self._pattern = None
        if self._patterns is not None:
            # If it raises, so does `read` after the call, with the layer's name.
            with contextlib.suppress(Exception):
                self._pattern = self._patterns.pattern(self._module)
        pattern, adapter = self._pattern, self._adapter
        self.callbacks[0] = pattern.given if pattern and pattern.holds is always else self._before
        if isinstance(adapter, ConnectionInput):
            adapter.prepare(self._module)
            self.callbacks[0] = partial(adapter.given, self._module)

    def let_go(self) -> None:
        """Break the reference cycles, so that the reader and the model are freed at once."""
        self.interrupt()
        self._python_steps = self._native_steps = None
        self.callbacks[:] = NO_CALLBACKS

    def interrupt(self) -> None:
        """Have the next call read in full."""
        steps, self._under_way = self._under_way, None
        if steps is not None:
            self._layer.trace.take_back(steps.stop())

    def recomputed(self, output: Any) -> None:
        """The call was counted in the forward pass."""

    def check_capture(self) -> None:
        """Refuse a capture if the CUDA graph's replays could not count.

        Raises:
            UnsupportedModelError: names the layer.
        """
        info, why = self._layer.info, self.compiled_counter.why_not(self._pattern)
        if why is not None:
            raise UnsupportedModelError(
                f"{info}: a CUDA graph repeats only what the device does, and {why}",
                layer=info.name,
            )

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Run a call that `torch.compile` traces, and count it as a part of the program."""
        # Read few attributes here, each by one path: the program checks them before each call.
        pattern, layer = self._pattern, self.compiled_counter.layer
        arguments = self._arguments
        if pattern is None and arguments is not None:
            value = arguments.given(self._module, args, kwargs)
            if isinstance(value, Tensor):
                output = forward(*args, **kwargs)
                self.compiled_counter.count_input(value, output)
                return output
        if pattern is None or not pattern.holds() or (not layer.plain and layer.needs_eager):
            from neuroact.recording.compiled.uncompiled import untraced

            return untraced(self, forward, args, kwargs)
        given = pattern.given(args, kwargs)
        output = forward(*args, **kwargs)
        self.compiled_counter.count(pattern, given, pattern.values(output), pattern.left(output))
        return output

    def _before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """The state that a call starts from."""
        pattern = self._pattern
        if pattern is None or not pattern.holds():
            if self._patterns is None:
                return self._given(args, kwargs)
            self.prepare()
            pattern = self._pattern
        return self._given(args, kwargs) if pattern is None else pattern.given(args, kwargs)

    def _given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        if self._arguments is not None:
            return self._arguments.given(self._module, args, kwargs)
        return None if self._stateful is None else self._stateful.state(self._module)

    def _read_otherwise(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: object
    ) -> None:
        """Count a call that the core left: a step that it cannot collect, or a call in full."""
        steps = self._python_steps
        if steps is None or steps is not self._under_way:
            self._read(args, kwargs, output, given)
        else:
            steps(args, kwargs, output, given)

    def _read(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: object
    ) -> None:
        """Read a call in full and count it: whole, or not at all if reading it raises."""
        layer = self._layer
        layer.thread.check(layer.info)  # first, since `interrupt` ends that thread's steps
        with layer.lock:
            self.interrupt()
            self.compiled_counter.hand_over()
            before, counted = layer.trace.marks, False
            try:
                chunk = self._chunk(args, kwargs, output, given)
                with Uninterrupted():
                    chunk = layer.admitted(chunk, has_state=layer.trace.has_state)
                    counted = True
                    if layer.count(chunk):
                        self._leave_to_steps(output)
            finally:
                if not counted:
                    layer.trace.marks = before

    def _chunk(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: object
    ) -> SpikeChunk:
        pattern, trace = self._pattern, self._layer.trace
        try:
            if pattern is None:
                call = LayerCall(args, kwargs, output, given, trace)
                chunk = self._adapter.read(self._module, call)
            else:
                starts = not trace.continues(given, pattern.left(output))
                make = SpikeChunk.of_sequence if pattern.sequence else SpikeChunk.of_step
                chunk = make(pattern.values(output), pattern.kind, starts_sequence=starts)
            if not isinstance(chunk, SpikeChunk):
                raise TypeError(f"expected a SpikeChunk from read, came {type(chunk).__name__}")
        except Exception as cause:
            # torch raises a RuntimeError within a transform. Any other error is the adapter's own.
            if isinstance(cause, RuntimeError):
                _check_transforms(self._layer.info)
            raise self._unreadable(cause) from cause
        _check_transforms(self._layer.info)
        return chunk

    def _leave_to_steps(self, output: Any) -> None:
        """Leave the next calls to `Steps`, as long as they continue this one, a collected step.

        They go into the same filler, so they are checked as this step was.
        """
        pattern, target = self._pattern, self._layer.block.filler
        if pattern is None or pattern.sequence or target is None or self._layer.needs_eager:
            return
        # An unbatched step lacks the batch dimension that the filler needs.
        if pattern.values(output).shape != target.shape:
            return
        steps = self._python_steps if isinstance(target, Rows) else self._native_steps
        if steps is None:
            return  # `let_go` was called meanwhile
        steps.pattern(pattern.values, pattern.left)
        if steps.begin(target, self._layer.flush, pattern.left(output), MOST_STEPS):
            self._under_way = steps

    def _unreadable(self, cause: Exception) -> AdapterReadError:
        info = self._layer.info
        # Only neuroact's own readers, which read as the user states, have advice.
        advice = getattr(self._adapter, "advice", "correct the adapter")
        name = type(self._adapter).__name__
        by = "" if hasattr(self._adapter, "advice") else f" by the adapter {name}"
        return AdapterReadError(
            f"{info} could not be read{by}: {cause}. "
            f"Leave the layer out with layers=, or {advice}. What was recorded before stays.",
            layer=info.name,
        )


def _check_transforms(info: LayerInfo) -> None:
    """Refuse a call inside of torch.func's transforms, where values cannot be read.

    Raises:
        UnsupportedModelError: names the layer.
    """
    if transform() is not None:
        raise UnsupportedModelError(
            f"{info} was called inside of torch.func's vmap, grad, jvp or the like, where values "
            "stand for many calls, or for none yet, and cannot be counted. Pause the recording "
            "for it (recording.pause(), then recording.resume()), or run the model itself while "
            "recording. The call is not counted.",
            layer=info.name,
        )


if TYPE_CHECKING:
    _: type[Watcher] = CallReader

"""One recorded module's calls, read as chunks of its layer's stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from neuroact.errors import AdapterReadError, UnsupportedModelError
from neuroact.layers.adapter import Adapter, ArgumentAdapter, LayerCall, StatefulAdapter
from neuroact.layers.call_pattern import CallPattern, always, has_pattern
from neuroact.layers.layer_info import LayerInfo
from neuroact.native import core
from neuroact.recording.compiled.traced import Traced
from neuroact.recording.forward import UNTOLD, Watcher
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.open_block import Rows
from neuroact.recording.step_reader import StepReader, Steps
from neuroact.recording.uninterrupted import Uninterrupted
from neuroact.stream.chunk import SpikeChunk

# What torch.func's transforms are under way; None where none is.
_transform = torch._C._functorch.peek_interpreter_stack

MOST_STEPS = 255
"""Steps that are counted at little cost, at most; then one is read in full again.

Which thread calls is asked in full alone: one that goes on from the very state that another one
left, which is still running, is refused by then.
"""


class CallReader:
    """Reads the calls of one module into its layer; what it is told of them.

    Every call can be read in full, by the adapter or by its pattern. A call that is one step more
    of the sequence under way is left to `Steps`.

    Args:
        module: whose calls are read.
        adapter: how.
        layer: takes the chunks.
    """

    def __init__(self, module: nn.Module, adapter: Adapter, layer: LayerRecorder) -> None:
        self._module = module
        self._adapter = adapter
        self._layer = layer
        # Decided once: isinstance against a protocol is too slow for each call.
        self._stateful = adapter if isinstance(adapter, StatefulAdapter) else None
        self._arguments = adapter if isinstance(adapter, ArgumentAdapter) else None
        self._patterns = adapter if has_pattern(adapter) else None
        self._pattern: CallPattern | None = None
        self.traced_calls = Traced(layer)
        native = core()
        self._rows: StepReader | None = StepReader(self._read, layer.lock)
        self._compiled: Steps | None = native and native.Steps(self._read_otherwise)
        self._under_way: Steps | None = None  # has seen more of the state than the layer's trace
        # What is called before a call of the module runs, and after it; see `Watcher`.
        self.told: list[Callable[..., Any]] = [self._before, self._compiled or self._rows]

    def prepare(self) -> None:
        """Find the layer's pattern, before its next call."""
        with self._layer.lock:
            self.interrupt()
        self._pattern = None
        if self._patterns is not None:
            # What it raises, `read` raises too, after the call, and then it names the layer.
            with contextlib.suppress(Exception):
                self._pattern = self._patterns.pattern(self._module)
        pattern = self._pattern
        self.told[0] = pattern.given if pattern and pattern.holds is always else self._before

    def let_go(self) -> None:
        """Hold nothing that holds this reader, so that it and the model go without a collector."""
        self.interrupt()
        self._rows = self._compiled = None
        self.told[:] = UNTOLD

    def interrupt(self) -> None:
        """Have the next call read in full."""
        steps, self._under_way = self._under_way, None
        if steps is not None:
            self._layer.trace.take_back(steps.stop())

    def check_capture(self) -> None:
        """Refuse what a CUDA graph's replay would leave out.

        Raises:
            UnsupportedModelError: names the layer.
        """
        info, why = self._layer.info, self.traced_calls.why_not(self._pattern)
        if why is not None:
            raise UnsupportedModelError(
                f"{info}: a CUDA graph repeats only what the device does, and {why}",
                layer=info.name,
            )

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Run a call that `torch.compile` traces, with its counting as a part of the program."""
        # Little is looked at, and by one way only: the compiler looks again before each call.
        pattern, layer = self._pattern, self.traced_calls.layer
        if pattern is None or not pattern.holds() or (not layer.plain and layer.needs_eager):
            from neuroact.recording.compiled.uncompiled import untraced

            return untraced(self, forward, args, kwargs)
        given = pattern.given(args, kwargs)
        output = forward(*args, **kwargs)
        self.traced_calls.count(pattern, given, pattern.values(output), pattern.left(output))
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
        """Count a call that the core did not: steps that it cannot collect, or one in full."""
        rows = self._rows
        if rows is None or rows is not self._under_way:
            self._read(args, kwargs, output, given)
        else:
            rows(args, kwargs, output, given)

    def _read(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: object
    ) -> None:
        """Count a call that has run: whole, or not at all where it raises before that."""
        layer = self._layer
        layer.thread.check(layer.info)  # before the other thread's state is forgotten
        with layer.lock:
            self.interrupt()
            self.traced_calls.hand_over()
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
            if isinstance(cause, RuntimeError):  # torch's: an adapter that knows better says so
                _check_transforms(self._layer.info)
            raise self._unreadable(cause) from cause
        _check_transforms(self._layer.info)
        return chunk

    def _leave_to_steps(self, output: Any) -> None:
        """Have the calls that go on from this one, a step that was collected, read at little cost.

        They go where it went, so that all that is asked of its values was asked.
        """
        pattern, target = self._pattern, self._layer.block.filler
        if pattern is None or pattern.sequence or target is None or self._layer.needs_eager:
            return
        # An unbatched step lacks the dimension of samples, by which it is collected.
        if pattern.values(output).shape != target.shape:
            return
        steps = self._rows if isinstance(target, Rows) else self._compiled
        if steps is None:
            return  # closed meanwhile
        steps.pattern(pattern.values, pattern.left)
        if steps.begin(target, self._layer.flush, pattern.left(output), MOST_STEPS):
            self._under_way = steps

    def _unreadable(self, cause: Exception) -> AdapterReadError:
        info = self._layer.info
        advice = getattr(self._adapter, "advice", "correct the adapter")
        return AdapterReadError(
            f"{info} could not be read by the adapter {type(self._adapter).__name__}: {cause}. "
            f"Leave the layer out with layers=, or {advice}. What was recorded before stays.",
            layer=info.name,
        )


def _check_transforms(info: LayerInfo) -> None:
    """Refuse a call inside of torch.func's transforms, whose values are not to be had.

    Raises:
        UnsupportedModelError: names the layer.
    """
    if _transform() is not None:
        raise UnsupportedModelError(
            f"{info} was called inside of torch.func's vmap, grad, jvp or the like, where values "
            "stand for many calls, or for none yet, and cannot be counted. Pause the recording "
            "for it (recording.pause(), then recording.resume()), or run the model itself while "
            "recording. The call is not counted.",
            layer=info.name,
        )


if TYPE_CHECKING:
    _: type[Watcher] = CallReader

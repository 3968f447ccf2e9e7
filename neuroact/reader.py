"""One recorded module's calls, read as chunks of its layer's stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from neuroact.adapter import Adapter, ArgumentAdapter, LayerCall, StatefulAdapter
from neuroact.compiled import Traced
from neuroact.errors import AdapterReadError, UnsupportedModelError
from neuroact.hooks import run_alone
from neuroact.native import core
from neuroact.open_block import Rows
from neuroact.patterns import CallPattern, always, has_pattern
from neuroact.step_reader import StepReader, Steps
from neuroact.stream import SpikeChunk
from neuroact.uninterrupted import Uninterrupted

if TYPE_CHECKING:
    from neuroact.layer import LayerRecorder

MOST_STEPS = 255
"""Steps that are counted without the adapter, at most; then one is read in full again.

An option of the layer that was changed, and of which its pattern does not know, shows by then.
"""


class CallReader:
    """Reads the calls of one module into its layer; what `neuroact.hooks` tells of them.

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
        self._steps: Steps | None = StepReader(self._in_full, self._read, layer.lock)
        self._compiled: Steps | None = native and native.Steps(self._run, self._read)
        self._under_way: Steps | None = None  # has seen more of the state than the layer's trace

    @property
    def call(self) -> Callable[..., Any]:
        """Runs a call of the module, and counts what it emits; see `Watcher`."""
        if self._steps is None:
            return run_alone  # it was let go
        return self._run if self._compiled is None else self._compiled

    def prepare(self) -> None:
        """Find the layer's pattern, before its next call."""
        with self._layer.lock:
            self.interrupt()
        self._pattern = None
        if self._patterns is not None:
            # What it raises, `read` raises too, after the call, and then it names the layer.
            with contextlib.suppress(Exception):
                self._pattern = self._patterns.pattern(self._module)

    def let_go(self) -> None:
        """Hold nothing that holds this reader, so that it and the model go without a collector."""
        self.interrupt()
        self._steps = self._compiled = None

    def interrupt(self) -> None:
        """Have the next call read in full."""
        steps, self._under_way = self._under_way, None
        if steps is not None:
            self._layer.trace.take_back(steps.state())
            steps.stop()

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
            from neuroact.uncompiled import untraced

            return untraced(self, forward, args, kwargs)
        given = pattern.given(args, kwargs)
        output = forward(*args, **kwargs)
        self.traced_calls.count(pattern, given, pattern.values(output), pattern.left(output))
        return output

    def _run(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        steps = self._under_way
        if steps is None or steps is self._compiled:
            return self._in_full(forward, args, kwargs)
        return steps(forward, args, kwargs)

    def _in_full(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        if self._patterns is not None and not (self._pattern and self._pattern.holds()):
            self.prepare()
        if self._pattern is not None:
            given: object = self._pattern.given(args, kwargs)
        else:
            given = self._before(args, kwargs)
        output = forward(*args, **kwargs)
        self._read(args, kwargs, output, given)
        return output

    def _before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        if self._arguments is not None:
            return self._arguments.given(self._module, args, kwargs)
        return None if self._stateful is None else self._stateful.state(self._module)

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
                    layer.count(chunk)
            finally:
                if not counted:
                    layer.trace.marks = before
            self._leave_to_steps(output, chunk)

    def _chunk(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: object
    ) -> SpikeChunk:
        pattern, trace = self._pattern, self._layer.trace
        self._layer.check_transforms()
        try:
            if pattern is None:
                call = LayerCall(args, kwargs, output, given, trace)
                chunk = self._adapter.read(self._module, call)
            else:
                starts = not trace.goes_on(given, pattern.left(output))
                make = SpikeChunk.of_sequence if pattern.sequence else SpikeChunk.of_step
                chunk = make(pattern.values(output), pattern.kind, starts_sequence=starts)
            if not isinstance(chunk, SpikeChunk):
                raise TypeError(f"expected a SpikeChunk from read, came {type(chunk).__name__}")
        except Exception as cause:
            raise self._unreadable(cause) from cause
        return chunk

    def _leave_to_steps(self, output: Any, chunk: SpikeChunk) -> None:
        """Have the calls that go on from this one read at little cost, where they can be."""
        pattern, target = self._pattern, self._layer.block.filler
        if pattern is None or pattern.sequence or target is None or self._layer.needs_eager:
            return
        # An unbatched step lacks the dimension of samples, by which it is collected.
        if pattern.values(output).shape != target.shape:
            return
        steps = self._steps if isinstance(target, Rows) else self._compiled
        if steps is None:
            return  # closed meanwhile
        holds = None if pattern.holds is always else pattern.holds
        steps.pattern(pattern.given, pattern.values, pattern.left, holds)
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


if TYPE_CHECKING:
    from neuroact.hooks import Watcher

    _: type[Watcher] = CallReader

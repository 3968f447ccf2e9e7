"""One recorded module's calls, read as chunks of its layer's stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from neuroact.adapter import Adapter, LayerCall, StatefulAdapter
from neuroact.compiled import Traced
from neuroact.errors import AdapterReadError, UnsupportedModelError
from neuroact.patterns import CallPattern, has_pattern
from neuroact.stream import SignalKind, SpikeChunk

if TYPE_CHECKING:
    from neuroact.layer import LayerRecorder

# After a call that was read in full, so many more of the same sequence may be read by the short
# way: an option that changes meanwhile, or values that are not what they should be, show by then.
SHORT_READINGS = 63


class CallReader:
    """Reads the calls of one module into its layer; what `neuroact.hooks` tells of them.

    Args:
        module: whose calls are read.
        adapter: how.
        layer: takes the chunks.
    """

    __slots__ = (
        "_adapter",
        "_advances",
        "_layer",
        "_left",
        "_module",
        "_pattern",
        "_patterns",
        "_shape",
        "_short",
        "_stateful",
        "_trace",
        "_traced",
        "_values",
    )

    def __init__(self, module: nn.Module, adapter: Adapter, layer: LayerRecorder) -> None:
        self._module = module
        self._adapter = adapter
        self._layer = layer
        # Decided once: isinstance against a protocol is too slow for each call.
        self._stateful = adapter if isinstance(adapter, StatefulAdapter) else None
        self._patterns = adapter if has_pattern(adapter) else None
        self._pattern: CallPattern | None = None
        self._short = 0
        # Of the pattern by which the short readings go, looked up once.
        self._shape: torch.Size | None = None
        self._values: Callable[[Any], Tensor]
        self._left: Callable[[Any], Sequence[Any]]
        self._traced = Traced(layer)
        self._trace = layer.trace
        self._advances = layer.advances

    def prepare(self) -> None:
        """Find the layer's pattern, before its next call."""
        self._pattern = None
        if self._patterns is not None:
            # What it raises, `read` raises too, after the call, and then it names the layer.
            with contextlib.suppress(Exception):
                self._pattern = self._patterns.pattern(self._module)

    def interrupt(self) -> None:
        """Have the next call read in full."""
        self._short = 0

    def before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """The state the call starts from."""
        pattern = self._pattern
        if pattern is not None and pattern.holds():
            return pattern.given(args, kwargs)
        if self._patterns is not None:
            self._short = 0
            self.prepare()
            if self._pattern is not None:
                return self._pattern.given(args, kwargs)
        return None if self._stateful is None else self._stateful.state(self._module)

    def after(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, before: Any
    ) -> None:
        """Count what the call emitted."""
        if self._short and self._is_next_step(output, before):
            return
        self._layer.thread.check(self._layer.info)  # before the other thread's state is forgotten
        try:
            chunk = self._chunk(args, kwargs, output, before)
            if not isinstance(chunk, SpikeChunk):
                raise TypeError(f"expected a SpikeChunk from read, came {type(chunk).__name__}")
        except Exception as cause:
            raise self._unreadable(cause) from cause
        self._short = 0
        self._layer.take(chunk)
        if chunk.values.is_cuda:
            # A CUDA graph that is captured later can write to them and cannot make them.
            for statistic in self._layer.traceable:
                statistic.prepare_traced(chunk)
        self._see_whether_short(output, chunk)

    def check_capture(self) -> None:
        """Refuse what a CUDA graph's replay would leave out.

        Raises:
            UnsupportedModelError: names the layer.
        """
        layer = self._layer
        pattern = self._pattern
        others = [type(s).__name__ for s in layer.statistics if s not in layer.traceable]
        if others or layer.needs_eager or pattern is None:
            what = ", ".join(others) or "recording.valid, recording.label or this adapter"
            raise UnsupportedModelError(
                f"{layer.info}: a CUDA graph repeats only what the device does, and {what} needs "
                "Python in each call. Record the default statistic in it, or run without a graph.",
                layer=layer.info.name,
            )
        if not all(statistic.is_traceable(pattern.kind) for statistic in layer.traceable):
            raise UnsupportedModelError(
                f"{layer.info}: its counters are made in its first call; run the model once while "
                "recording, as a warm-up, before the CUDA graph is captured.",
                layer=layer.info.name,
            )

    def traced(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Run a call that `torch.compile` traces, with its counting as a part of the program."""
        pattern = self._pattern
        if pattern is None or not pattern.holds() or self._layer.needs_eager:
            from neuroact.uncompiled import untraced

            return untraced(self, forward, args, kwargs)
        given = pattern.given(args, kwargs)
        output = forward(*args, **kwargs)
        self._traced.count(pattern, given, pattern.values(output), pattern.left(output))
        return output

    def _is_next_step(self, output: Any, before: Sequence[object]) -> bool:
        """Count the call, if it is one more step of the sequence under way and no more."""
        try:
            values = self._values(output)
            if values.shape != self._shape:
                return False
            if not self._trace.steps_on(before, self._left(output)):
                return False
        except (AttributeError, TypeError):
            return False  # no tensor: read in full, it is an error that names the layer
        self._short -= 1
        if values.requires_grad:
            values = values.detach()
        for advance in self._advances:
            advance(values)
        return True

    def _chunk(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, before: Any
    ) -> SpikeChunk:
        pattern = self._pattern
        if pattern is None:
            call = LayerCall(args, kwargs, output, before, self._trace)
            return self._adapter.read(self._module, call)
        starts = not self._trace.goes_on(before, pattern.left(output))
        make = SpikeChunk.of_sequence if pattern.sequence else SpikeChunk.of_step
        return make(pattern.values(output), pattern.kind, starts_sequence=starts)

    def _see_whether_short(self, output: Any, chunk: SpikeChunk) -> None:
        pattern = self._pattern
        if pattern is None or pattern.sequence or chunk.kind is not SignalKind.BINARY:
            return
        shape = pattern.values(output).shape
        # An unbatched step lacks the dimension that `advance` wants.
        if len(shape) > 1 and self._advances and not self._layer.needs_eager:
            self._short, self._shape = SHORT_READINGS, shape
            self._values, self._left = pattern.values, pattern.left

    def _unreadable(self, cause: Exception) -> AdapterReadError:
        info = self._layer.info
        return AdapterReadError(
            f"{info} could not be read by the adapter {type(self._adapter).__name__}: {cause}. "
            "Leave the layer out with layers=, or correct the adapter. What was recorded "
            "before stays.",
            layer=info.name,
        )

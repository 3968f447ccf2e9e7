"""One recorded module's calls, read as chunks of its layer's stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from neuroact.adapter import Adapter, ArgumentAdapter, LayerCall, StatefulAdapter
from neuroact.compiled import Traced
from neuroact.errors import AdapterReadError, UnsupportedModelError
from neuroact.hooks import run_alone
from neuroact.kernel import kernel
from neuroact.patterns import CallPattern, always, has_pattern
from neuroact.statistics.shortcuts import MOST_ADVANCES
from neuroact.stream import SignalKind, SpikeChunk

if TYPE_CHECKING:
    from neuroact.layer import LayerRecorder


def _never() -> bool:
    return False


def _nothing(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    return None


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
        "_arguments",
        "_given",
        "_holds",
        "_layer",
        "_left",
        "_module",
        "_pattern",
        "_patterns",
        "_shape",
        "_short",
        "_stateful",
        "_steps",
        "_steps_on",
        "_traced",
        "_values",
        "call",
    )

    def __init__(self, module: nn.Module, adapter: Adapter, layer: LayerRecorder) -> None:
        self._module = module
        self._adapter = adapter
        self._layer = layer
        # Decided once: isinstance against a protocol is too slow for each call.
        self._stateful = adapter if isinstance(adapter, StatefulAdapter) else None
        self._arguments = adapter if isinstance(adapter, ArgumentAdapter) else None
        self._patterns = adapter if has_pattern(adapter) else None
        self._traced = Traced(layer)
        self._steps_on = layer.trace.steps_on
        self._advances = layer.advances
        self._short = 0
        self._shape: torch.Size | None = None
        self._given: Callable[[tuple[Any, ...], Mapping[str, Any]], Any]
        self._values: Callable[[Any], Tensor]
        self._left: Callable[[Any], Sequence[Any]]
        self._holds: Callable[[], bool] | None
        found = kernel()
        self._steps = None if found is None else found.Steps(self._run, self._read_in_full)
        # Run a call of the module, and count what it emits; see `Watcher`.
        self.call: Callable[..., Any] = self._run if self._steps is None else self._steps
        self._use(None)

    def prepare(self) -> None:
        """Find the layer's pattern, before its next call."""
        self._use(None)
        if self._patterns is not None:
            # What it raises, `read` raises too, after the call, and then it names the layer.
            with contextlib.suppress(Exception):
                self._use(self._patterns.pattern(self._module))

    def let_go(self) -> None:
        """Hold nothing that holds this reader, so that it and the model go without a collector."""
        self._steps, self._given = None, _nothing
        self.call = run_alone

    def interrupt(self) -> None:
        """Have the next call read in full."""
        self._short = 0
        if self._steps is not None:
            self._steps.stop()

    def _run(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        # Most calls are one step more of the sequence under way, so this is written for those.
        if self._holds is not None and not self._holds():
            self.prepare()
        given = self._given(args, kwargs)
        output = forward(*args, **kwargs)
        if self._short:
            try:
                values = self._values(output)
                next_step = values.shape == self._shape and self._steps_on(
                    given, self._left(output)
                )
            except Exception:
                # Read in full, such a call is counted, as one with sparse values is that a pattern
                # knows nothing of; or it is an error that names the layer.
                next_step = False
            if next_step:
                self._short -= 1
                if values.requires_grad:
                    values = values.detach()
                for advance in self._advances:
                    advance(values)
                return output
        self._read_in_full(args, kwargs, output, given)
        return output

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
        pattern, plain = self._pattern, self._layer.plain
        if (
            pattern is None
            or not (self._holds is None or self._holds())
            or (not plain and self._layer.needs_eager)
        ):
            from neuroact.uncompiled import untraced

            return untraced(self, forward, args, kwargs)
        given = self._given(args, kwargs)
        output = forward(*args, **kwargs)
        self._traced.count(pattern, given, self._values(output), self._left(output), plain=plain)
        return output

    def _use(self, pattern: CallPattern | None) -> None:
        """Read the calls that come by this pattern, if there is one; the next one in full."""
        self._short = 0
        self._pattern = pattern
        # Looked up once, for each call.
        if pattern is None:
            self._given = self._state_before
            # An adapter that knows patterns is asked again before each call.
            self._holds = None if self._patterns is None else _never
        else:
            self._given, self._values, self._left = pattern.given, pattern.values, pattern.left
            self._holds = None if pattern.holds is always else pattern.holds
            if self._steps is not None:
                self._steps.pattern(self._given, self._values, self._left, self._holds)

    def _state_before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if self._arguments is not None:
            return self._arguments.given(self._module, args, kwargs)
        return None if self._stateful is None else self._stateful.state(self._module)

    def _read_in_full(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, before: Any
    ) -> None:
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

    def _chunk(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, before: Any
    ) -> SpikeChunk:
        pattern = self._pattern
        if pattern is None:
            call = LayerCall(args, kwargs, output, before, self._layer.trace)
            return self._adapter.read(self._module, call)
        starts = not self._layer.trace.goes_on(before, pattern.left(output))
        make = SpikeChunk.of_sequence if pattern.sequence else SpikeChunk.of_step
        return make(pattern.values(output), pattern.kind, starts_sequence=starts)

    def _see_whether_short(self, output: Any, chunk: SpikeChunk) -> None:
        pattern = self._pattern
        if pattern is None or pattern.sequence or chunk.kind is not SignalKind.BINARY:
            return
        values = pattern.values(output)
        # An unbatched step lacks the dimension that `advance` wants.
        if values.ndim < 2 or not self._advances or self._layer.needs_eager:
            return
        # Then in full again: an option that changed, or values that are not what they should be,
        # show by then.
        if not self._kernel_goes_on(values, pattern.left(output)):
            self._short, self._shape = MOST_ADVANCES, values.shape

    def _kernel_goes_on(self, values: Tensor, left: Sequence[Any]) -> bool:
        """Whether the kernel counts the steps that go on from here."""
        steps, lender = self._steps, self._layer.lender
        if steps is None or lender is None or not lender.lend(steps, values):
            return False
        if not steps.begin(values, left, MOST_ADVANCES):
            return False
        self._layer.trace.lend(steps)
        return True

    def _unreadable(self, cause: Exception) -> AdapterReadError:
        info = self._layer.info
        advice = getattr(self._adapter, "advice", "correct the adapter")
        return AdapterReadError(
            f"{info} could not be read by the adapter {type(self._adapter).__name__}: {cause}. "
            f"Leave the layer out with layers=, or {advice}. What was recorded before stays.",
            layer=info.name,
        )

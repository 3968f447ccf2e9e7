"""One average pool: what enters it, and which layer gets all that it returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Size, Tensor, nn

from neuroact.errors import RecordingFileError
from neuroact.layers.fan_out import FanOut, Integers, sum_of_products
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.pools import Windows
from neuroact.recording.forward import transform
from neuroact.recording.known_tensor import KnownTensor
from neuroact.recording.layer import LayerRecorder
from neuroact.results.folded import FoldedOperations
from neuroact.results.operations import LayerOperations
from neuroact.statistics.arrivals import Arrivals
from neuroact.statistics.states import MOST_COUNT, check_arrivals
from neuroact.stream.chunk import SignalKind, SpikeChunk


class Pool:
    """Counts what enters an average pool, and sees whether one layer gets all that it returns.

    Where that cannot be told, there is no folded reading of the layer, and the model runs on.

    Args:
        info: what the pool is.
        windows: the pool's windows.
    """

    def __init__(self, info: LayerInfo, windows: Windows) -> None:
        self.layer, self.windows = LayerRecorder(info, [Arrivals()]), windows
        self.reset()

    def reset(self) -> None:
        """Forget everything counted."""
        self.layer.reset()
        self.feeds: str | None = None
        self._calls = self._met = 0  # calls, and how many of their outputs a layer got
        self._lost = False
        self._output: KnownTensor | None = None

    def returned(self, module: nn.Module, value: Any, version: int | None, output: Any) -> None:
        """Count a call of the pool.

        Args:
            module: the pool.
            value: what entered it.
            version: of the value before the call; None if it has none.
            output: what it returned.
        """
        self._calls += 1
        self._output = None
        try:
            dims = 1 + len(self.windows.taps)
            leading, shape = value.shape[:-dims], value.shape[-dims:]
            unchanged = version is not None and value._version == version
            expected = (*leading, *self.windows.output_shape(shape))
            known = Windows.of(module) == self.windows and tuple(output.shape) == expected
            if transform() is None and unchanged and known and not self._lost:
                values = value.detach().reshape(1, math.prod(leading), *shape)
                self.layer.take(SpikeChunk(values, SignalKind.GRADED, starts_sequence=True))
                self._output = KnownTensor(output)
            else:
                self._lost = True
        except Exception:  # the model runs on, whatever its pools are
            self._lost = True

    def meet(self, name: str, value: Tensor) -> None:
        """See what the layer of that name is called with."""
        output = self._output
        if output is None or not output.is_of(value):
            return
        self._lost = self._lost or output.met or self.feeds not in (None, name)
        self.feeds, output.met = name, True
        self._met += 1

    def folded(self, fed: LayerOperations, fans: FanOut) -> FoldedOperations | None:
        """The layer's operations with the pool folded into it.

        None unless it got everything that the pool returned, unchanged and once, and nothing else.
        """
        with self.layer.at_rest() as statistics:
            came: Any = statistics[0].result()
        if self._lost or came is None or came.nonfinite or self._met != self._calls:
            return None
        shape = came.ones.shape
        outputs = self.windows.output_shape(shape)
        inputs = math.prod(outputs) // max(fans.connected.size, 1)  # of the layer, for one here
        if (
            inputs * fans.connected.size != math.prod(outputs)
            or fed.observations != inputs * came.observations
        ):
            return None

        def through(of_layer: Integers) -> Integers:
            tiled = np.tile(of_layer.ravel(), inputs).reshape(outputs)
            return self.windows.folded(tiled, shape)

        connected, dense = through(fans.connected), through(fans.dense)
        return FoldedOperations(
            pool=self.layer.info.name,
            events=int(came.ones.sum() + came.others.sum()),
            dense=came.observations * int(dense.sum()),
            acs=sum_of_products(came.ones, connected),
            macs=sum_of_products(came.others, connected),
        )

    def add(self, theirs: Pool) -> None:
        """Add what another one of the same name counted."""
        fed = {self.feeds, theirs.feeds} - {None}
        ours, other = self.layer.neurons, theirs.layer.neurons
        sizes = {ours, other} - {None}
        same = self.windows == theirs.windows and len(fed) < 2 and len(sizes) < 2
        self._lost = self._lost or theirs._lost or not same
        self.feeds = min(fed, default=None)  # type: ignore[type-var]  # None is not in it
        self._calls += theirs._calls
        self._met += theirs._met
        if not self._lost:
            one, two = sorted((self.layer, theirs.layer), key=id)
            with one.lock, two.lock, theirs.layer.at_rest() as o, self.layer.at_rest() as mine:
                into: Any = mine[0]
                into.merge(o[0])
                self.layer.neurons = ours or other

    def document(self) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
        """What a file says of it, and its tensors: see `from_document`."""
        with self.layer.at_rest() as statistics:
            state = statistics[0].state_dict()
        info, shape = self.layer.info, self.layer.neurons
        entry = asdict(self.windows) | {
            "name": info.name,
            "aliases": info.aliases,
            "framework": info.framework,
            "layer_type": info.layer_type,
            "shape": None if shape is None else list(shape),
            "feeds": self.feeds,
            "calls": self._calls,
            "met": self._met,
            "lost": self._lost,
        }
        return entry, state

    @classmethod
    def from_document(cls, entry: Any, state: Mapping[str, Tensor]) -> Pool:
        """What `document` described.

        Raises:
            KeyError, TypeError, ValueError: it was not written so.
            RecordingFileError: its counts are damaged.
        """
        names = [entry["name"], entry["framework"], entry["layer_type"], *entry["aliases"]]
        feeds, shape, flags = entry["feeds"], entry["shape"], (entry["lost"], entry["ceil"])
        numbers = [*entry["taps"], *entry["strides"], *entry["pads"], *(shape or ())]
        numbers += [entry["calls"], entry["met"]]
        if not all(type(text) is str for text in (*names, feeds or "")):
            raise TypeError("a name of a pool is no text")
        if not all(type(number) is int and 0 <= number < MOST_COUNT for number in numbers):
            raise TypeError("a setting of a pool is no number")
        axes = list(zip(entry["taps"], entry["strides"], entry["pads"], strict=True))
        if not all(stride > 0 and 2 * pad <= taps for taps, stride, pad in axes):
            raise ValueError("a pool has windows that cannot be")
        if not all(type(flag) is bool for flag in flags):
            raise TypeError("a flag of a pool is none")
        if shape is not None and len(shape) != 1 + len(axes):
            raise ValueError("a pool has other axes than its input")
        taps, strides, pads = (tuple(entry[key]) for key in ("taps", "strides", "pads"))
        name, framework, layer_type, *aliases = names
        info = LayerInfo(name, tuple(aliases), framework, layer_type, SignalKind.GRADED)
        pool = cls(info, Windows(taps, strides, pads, flags[1]))
        pool.feeds, pool._lost = feeds, flags[0]
        pool._calls, pool._met = entry["calls"], entry["met"]
        try:
            check_arrivals(state, None if shape is None else Size(shape), has_fans=False)
        except ValueError as cause:
            message = f"{info}: its counts are damaged: {cause}"
            raise RecordingFileError(message, layer=name) from cause
        if shape is not None:
            pool.layer.neurons = Size(shape)
            pool.layer.statistics[0].load_state_dict(state)
        return pool

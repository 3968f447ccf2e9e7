"""One layer whose synaptic operations are counted: what arrives, and its fan-out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Size, nn

from neuroact.errors import MergeError
from neuroact.layers.connections import ConnectionInput
from neuroact.layers.fan_out import FanOut, Integers, fan_out, nonzero_weights
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording.layer import LayerRecorder
from neuroact.results.operations import LayerOperations
from neuroact.statistics.arrivals import Arrivals

_NEVER_CALLED = "it was never called as a module; a function may have used its weight"
_ZEROS_CHANGED = "which of its weights are zero changed while recording, or between recordings"
_SIZES = "its input came in more than one size"
_NONFINITE = "a NaN or an infinity arrived at it"


class Connection:
    """Counts what arrives at a layer, and knows its fan-out.

    The fan-out is worked out when it is needed, from the weights as they are then. If other weights
    are zero than when recording began, the layer is not counted, since nobody knows what was zero
    when.

    Args:
        info: what the layer is.
        module: the layer; None where only its counts are there, from a file.

    Attributes:
        layer: counts what arrives.
        reader: reads the module's calls.
        fans: the fan-out as it was last worked out; None before.
    """

    def __init__(self, info: LayerInfo, module: nn.Module | None = None) -> None:
        self.layer = LayerRecorder(info, [Arrivals()])
        self.reader = ConnectionInput()
        self.fans: FanOut | None = None
        self._module = module
        self._problem: str | None = None
        self._zeros = b""
        self._packed = np.zeros(0, np.uint8), (0,)  # which weights are not zero, and their shape
        self._look_at_weights()

    @property
    def problem(self) -> str | None:
        """Why the layer's operations cannot be counted; None while they can."""
        found = {self._problem, self.reader.problem} - {None}
        return min(map(str, found), default=None)  # in whatever order they came up

    @problem.setter
    def problem(self, why: str | None) -> None:
        self._problem = why

    def reset(self) -> None:
        """Forget everything counted, and take the weights as they are now."""
        self.layer.reset()
        self.reader.forget()
        self.fans = self._problem = None
        self._look_at_weights()

    def let_go(self) -> None:
        """Work the fan-out out for the last time, and hold the module no longer."""
        self.settle(self.layer.neurons)
        self._module = None

    def settle(self, shape: Size | None) -> None:
        """Work out the fan-out for inputs of that shape, where there is a module to ask."""
        if self._module is None or shape is None or self.problem is not None:
            return
        nonzero = self._weights()
        if nonzero is not None and _digest(nonzero) != self._zeros:
            self._problem = _ZEROS_CHANGED
        elif nonzero is not None:
            try:
                self.fans = fan_out(self._module, tuple(shape), nonzero)
            except Exception as cause:  # a subclass may have any settings
                self._problem = f"its fan-out could not be worked out: {cause!r}"

    def first_fans(self, shape: Size) -> Integers:
        """The fan-out for inputs of that shape, by the weights that were zero at the beginning.

        It looks at no weight: in the midst of a call, asking for one could disturb the backward
        pass to come.
        """
        bits, size = self._packed
        nonzero = np.unpackbits(bits, count=math.prod(size)).reshape(size).astype(np.bool_)
        return fan_out(self._module, tuple(shape), nonzero).connected

    def operations(self) -> LayerOperations | str:
        """The layer's operations so far, or why they are not counted."""
        self.settle(self.layer.neurons)
        with self.layer.at_rest() as statistics:
            came: Any = statistics[0].result()
            called = self.layer.called
        if self.problem is not None:
            return self.problem
        if not called or came is None or self.fans is None:
            return _NEVER_CALLED
        if came.nonfinite:
            return _NONFINITE
        fans, info, events = self.fans, self.layer.info, came.ones + came.others
        return LayerOperations(
            name=info.name,
            aliases=info.aliases,
            framework=info.framework,
            layer_type=info.layer_type,
            shape=events.shape,
            observations=came.observations,
            events=int(events.sum()),
            connections=int(fans.connected.sum()),
            dense=came.observations * int(fans.dense.sum()),
            unpruned=_sum_of_products(events, fans.dense),
            acs=_sum_of_products(came.ones, fans.connected),
            macs=_sum_of_products(came.others, fans.connected),
            weighted=_sum_of_products(came.magnitude, fans.connected) if came.whole else None,
        )

    def check(self, theirs: Connection) -> None:
        """Refuse another layer of the same name.

        Raises:
            MergeError: it is of another class.
        """
        ours, other = self.layer.info, theirs.layer.info
        if (ours.framework, ours.layer_type) != (other.framework, other.layer_type):
            raise MergeError(
                f"{ours}: cannot add operations of a {other.framework} {other.layer_type} to it",
                layer=ours.name,
            )

    def add(self, theirs: Connection) -> None:
        """Add what another one, which `check` let pass, counted.

        Also where there is a problem: what comes later is compared with all that came before, so
        that the problem named does not depend on the order.
        """
        shape = theirs.layer.neurons
        theirs.settle(shape)
        self.settle(shape if self.layer.neurons is None else self.layer.neurons)
        self._problem = min(self._problems_with(theirs), default=None)
        if shape is not None and self.layer.neurons in (None, shape):
            self._count(theirs.layer)
            self.reader.shape = tuple(shape)
            self.fans = self.fans or theirs.fans

    def _count(self, theirs: LayerRecorder) -> None:
        # Locked in one order, whoever is added to whom: two threads may do both.
        one, two = sorted((self.layer, theirs), key=id)
        with one.lock, two.lock, theirs.at_rest() as others, self.layer.at_rest() as ours:
            mine: Any = ours[0]
            mine.merge(others[0])
            self.layer.neurons = theirs.neurons
            aliases = tuple(sorted({*self.layer.info.aliases, *theirs.info.aliases}))
            self.layer.info = replace(self.layer.info, aliases=aliases)

    def _problems_with(self, theirs: Connection) -> Iterator[str]:
        for problem in (self.problem, theirs.problem):
            if problem is not None:
                yield problem
        ours, other = self.layer.neurons, theirs.layer.neurons
        if None not in (ours, other) and ours != other:
            yield _SIZES
        elif self.fans is not None and theirs.fans is not None and not self.fans.same(theirs.fans):
            yield _ZEROS_CHANGED

    def _look_at_weights(self) -> None:
        nonzero = None if self._module is None else self._weights()
        if nonzero is not None:
            self._zeros, self._packed = _digest(nonzero), (np.packbits(nonzero), nonzero.shape)

    def _weights(self) -> NDArray[np.bool_] | None:
        assert self._module is not None
        try:
            return nonzero_weights(self._module)
        except Exception as cause:  # a weight may be of any class
            self._problem = f"its weight could not be read: {cause}"
            return None


def _digest(nonzero: NDArray[np.bool_]) -> bytes:
    """Tells one set of zero weights from another."""
    return hashlib.blake2b(np.packbits(nonzero).tobytes(), digest_size=16).digest()


def _sum_of_products(counts: Integers, fans: Integers) -> int:
    """`Σ counts · fans`, exact also where it leaves int64."""
    fans = np.broadcast_to(fans, counts.shape)
    most = float(counts.sum(dtype=np.float64)) * float(fans.max(initial=0))
    dtype = np.int64 if most < 2**62 else object
    return int((counts.astype(dtype) * fans.astype(dtype)).sum())

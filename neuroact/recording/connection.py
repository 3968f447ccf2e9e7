"""One layer whose synaptic operations are counted: what arrives, and its fan-out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Size

from neuroact.errors import MergeError
from neuroact.layers.connections import ConnectionInput
from neuroact.layers.fan_out import FanOut, Integers, sum_of_products
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.synapses.protocol import Synapses
from neuroact.layers.weights import Zeros
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.product import NONFINITE
from neuroact.results.operations import LayerOperations
from neuroact.statistics.arrivals import Arrivals
from neuroact.stream.chunk import SpikeChunk

_NEVER_CALLED = "it was never called as a module; a function may have used its weight"
_ZEROS_CHANGED = "which of its weights are zero changed while recording, or between recordings"
_SIZES = "its input came in more than 16 sizes"
_MOST_SIZES = 16
_BIAS_CHANGED = "it had a bias in one recording and none in another"


@dataclass(frozen=True)
class Outputs:
    """What a layer makes of one input.

    Attributes:
        shape: of its output; None where that is not one tensor.
        bias_additions: outputs that a bias is added to, each as often as one is.
        parameters: weights and biases that it has.
    """

    shape: tuple[int, ...] | None
    bias_additions: int
    parameters: int

    @classmethod
    def of(cls, synapses: Synapses, shape: tuple[int, ...]) -> Outputs:
        """Those of a layer for inputs of this shape."""
        additions, parameters = synapses.bias_additions(shape), synapses.parameters()
        return cls(synapses.output_shape(shape), additions, parameters)


class Connection:
    """Counts what arrives at a layer, and knows its fan-out.

    The fan-out is worked out when it is needed, from the weights as they are then. If other weights
    are zero than when recording began, the layer is not counted, since nobody knows what was zero
    when.

    Inputs of each size are counted apart, since elements of other places have other fan-outs.

    Args:
        info: what the layer is.
        synapses: the layer's weights; None where only its counts are there, from a file.
        zeros: tells which weights were zero when recording began; None to look at them now.

    Attributes:
        layer: counts what arrives, of inputs of the size that came first.
        others: count inputs of other sizes.
        reader: reads the module's calls.
        fans: the fan-out as it was last worked out; None before.
        outputs: what one input gives, as it was last worked out; None before.
    """

    def __init__(
        self, info: LayerInfo, synapses: Synapses | None = None, zeros: bytes | None = None
    ) -> None:
        self.layer = LayerRecorder(info, [Arrivals()])
        self.others = OtherSizes(info, synapses)
        self.reader = ConnectionInput(synapses, self.others.take)
        self.fans: FanOut | None = None
        self._synapses = synapses
        self.outputs: Outputs | None = None
        self._problem: str | None = None
        self._zeros = b""
        self._packed: list[tuple[NDArray[np.uint8], tuple[int, ...]]] = []
        if zeros is None:
            self._look_at_weights()
        else:
            self._zeros = self.others.zeros = zeros

    @property
    def sizes(self) -> list[Connection]:
        """What counts each size: this one, and the others."""
        return [self, *self.others.by_shape.values()]

    @property
    def problem(self) -> str | None:
        """Why the layer's operations cannot be counted; None while they can."""
        found = {self._problem, self.reader.problem}
        found |= {each.problem for each in self.others.by_shape.values()}
        return min(map(str, found - {None}), default=None)  # in whatever order they came up

    @problem.setter
    def problem(self, why: str | None) -> None:
        self._problem = why

    def reset(self) -> None:
        """Forget everything counted, and take the weights as they are now."""
        self.layer.reset()
        self.others.by_shape.clear()
        self.reader.forget()
        self.fans = self.outputs = self._problem = None
        self._look_at_weights()

    def let_go(self) -> None:
        """Work the fan-out out for the last time, and hold the module no longer."""
        for each in self.sizes:
            each.settle(each.layer.neurons)
            each._synapses = each.reader.synapses = each.others.synapses = None

    def settle(self, shape: Size | None) -> None:
        """Work out the fan-out for inputs of that shape, where there are weights to ask."""
        if self._synapses is None or shape is None or self.problem is not None:
            return
        nonzero = self._weights()
        if nonzero is not None and _digest(nonzero) != self._zeros:
            self._problem = _ZEROS_CHANGED
        elif nonzero is not None:
            try:
                self.fans = self._synapses.fan_out(tuple(shape), nonzero)
                self.outputs = Outputs.of(self._synapses, tuple(shape))
            except Exception as cause:  # a subclass may have any settings
                self._problem = f"its fan-out could not be worked out: {cause!r}"

    def first_fans(self, shape: Size) -> Integers:
        """The fan-out for inputs of that shape, by the weights that were zero at the beginning.

        It looks at no weight: in the midst of a call, asking for one could disturb the backward
        pass to come.
        """
        assert self._synapses is not None
        nonzero = tuple(
            np.unpackbits(bits, count=math.prod(size)).reshape(size).astype(np.bool_)
            for bits, size in self._packed
        )
        return self._synapses.fan_out(tuple(shape), nonzero).connected

    def operations(self) -> LayerOperations | str:
        """The layer's operations so far, or why they are not counted."""
        found = [each._of_one_size() for each in self.sizes]
        why = sorted(each for each in found if isinstance(each, str))
        return why[0] if why else _together([each for each in found if not isinstance(each, str)])

    def _of_one_size(self) -> LayerOperations | str:
        self.settle(self.layer.neurons)
        with self.layer.at_rest() as statistics:
            came: Any = statistics[0].result()
            called = self.layer.called
        if self.problem is not None:
            return self.problem
        if not called or came is None or self.fans is None or self.outputs is None:
            return _NEVER_CALLED
        if came.nonfinite:
            return NONFINITE
        fans, info, events = self.fans, self.layer.info, came.ones + came.others
        outputs = self.outputs
        return LayerOperations(
            name=info.name,
            aliases=info.aliases,
            framework=info.framework,
            layer_type=info.layer_type,
            shape=events.shape,
            output_shape=outputs.shape,
            observations=came.observations,
            events=int(events.sum()),
            ones=int(came.ones.sum()),
            connections=int(fans.connected.sum()),
            parameters=outputs.parameters,
            bias_additions=came.observations * outputs.bias_additions,
            dense=came.observations * fans.most,
            unpruned=sum_of_products(events, fans.dense),
            acs=sum_of_products(came.ones, fans.connected),
            macs=sum_of_products(came.others, fans.connected),
            weighted=sum_of_products(came.magnitude, fans.connected) if came.whole else None,
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
        for their in theirs.sizes:
            shape, mine = their.layer.neurons, self
            try:
                if shape is not None and self.layer.neurons not in (None, shape):
                    mine = self.others.of(tuple(shape))
            except ValueError as cause:
                self._problem = min(str(cause), self._problem or str(cause))
            else:
                mine._add(their)

    def _add(self, theirs: Connection) -> None:
        """Add what another one counted of one size, which is this one's if that has one."""
        shape = theirs.layer.neurons
        theirs.settle(shape)
        self.settle(shape if self.layer.neurons is None else self.layer.neurons)
        self._problem = min(self._problems_with(theirs), default=None)
        if shape is not None:
            self._count(theirs.layer)
            self.reader.shape = tuple(shape)
            self.fans = self.fans or theirs.fans
            self.outputs = self.outputs or theirs.outputs

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
        if self.fans is not None and theirs.fans is not None:
            if not self.fans.same(theirs.fans):
                yield _ZEROS_CHANGED
            elif self.outputs != theirs.outputs:
                yield _BIAS_CHANGED

    def _look_at_weights(self) -> None:
        nonzero = None if self._synapses is None else self._weights()
        self._zeros = self.others.zeros = b"" if nonzero is None else _digest(nonzero)
        self._packed = [(np.packbits(flags), flags.shape) for flags in nonzero or ()]

    def _weights(self) -> tuple[Zeros, ...] | None:
        assert self._synapses is not None
        try:
            return self._synapses.nonzero()
        except Exception as cause:  # a weight may be of any class
            self._problem = f"its weight could not be read: {cause}"
            return None


class OtherSizes:
    """What counts inputs of other sizes than the first. It is made when such an input comes.

    Attributes:
        by_shape: one for each such size, by the shape of the input.
        synapses: as in `Connection`.
        zeros: as in `Connection`.
    """

    def __init__(self, info: LayerInfo, synapses: Synapses | None) -> None:
        self.by_shape: dict[tuple[int, ...], Connection] = {}
        self.synapses, self.zeros = synapses, b""
        self._info = info

    def take(self, chunk: SpikeChunk) -> None:
        """Count an input; raises as `of`."""
        self.of(tuple(chunk.neurons)).layer.take(chunk)

    def of(self, shape: tuple[int, ...]) -> Connection:
        """What counts inputs of that shape.

        Raises:
            ValueError: there are too many sizes already, each of which takes memory.
        """
        if shape not in self.by_shape:
            if len(self.by_shape) + 1 == _MOST_SIZES:
                raise ValueError(_SIZES)
            self.by_shape[shape] = Connection(self._info, self.synapses, self.zeros)
        return self.by_shape[shape]


def _together(sizes: list[LayerOperations]) -> LayerOperations:
    """Sums over the sizes. Inputs of several sizes have no one shape, and no mean fan-out."""
    first, *others = sizes
    if not others:
        return first
    sums = {name: sum(getattr(each, name) for each in sizes) for name in _SUMMED}
    weights = [each.weighted for each in sizes if each.weighted is not None]
    weighted = sum(weights) if len(weights) == len(sizes) else None
    return replace(first, shape=(0,), output_shape=None, connections=0, weighted=weighted, **sums)


_SUMMED = ("observations", "events", "ones", "dense", "unpruned", "acs", "macs", "bias_additions")


def _digest(nonzero: tuple[Zeros, ...]) -> bytes:
    """Tells one set of zero weights from another."""
    digest = hashlib.blake2b(digest_size=16)
    for flags in nonzero:
        digest.update(np.packbits(flags).tobytes())
    return digest.digest()

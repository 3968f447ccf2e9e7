"""Norse's neurons, of both generations, 1.0 and 1.1.

The adapter recognises classes by the names in their MRO. So it never imports Norse, and a release
may lack some of the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall, argument, module_within
from neuroact.layers.call_pattern import CallPattern, always
from neuroact.layers.state_reader import of_sequence, of_step
from neuroact.layers.synapses import Feedback, Matrices, OneWeight, SynapsesByPart
from neuroact.stream import SignalKind, SpikeChunk

Block = dict[str, tuple[int, int]]

ONE_STEP = "BN"
SEQUENCE = "TBN"


@dataclass(frozen=True, slots=True)
class Layer:
    """How one class is read.

    Attributes:
        axes: order of the dimensions of its output.
        kind: what the values mean.
        takes: order of the dimensions of its input; None: the same as `axes`.
        state_at: position of the argument `state`, if it takes one.
        by_default: whether it is recorded without being named, if it spikes.
    """

    axes: str
    kind: SignalKind = SignalKind.BINARY
    takes: str | None = None
    state_at: int = 1
    by_default: bool = True


def _encoder(axes: str, kind: SignalKind = SignalKind.BINARY, takes: str = ONE_STEP) -> Layer:
    return Layer(axes, kind, takes, by_default=False)


# By class name. The entry of the most derived class counts.
LAYERS = {
    "SNNCell": Layer(ONE_STEP),
    "SNNRecurrentCell": Layer(ONE_STEP),
    "SNN": Layer(SEQUENCE),
    "SNNRecurrent": Layer(SEQUENCE),
    "CobaLIFCell": Layer(ONE_STEP),
    "LIFCorrelation": Layer(ONE_STEP, state_at=3),
    "LICell": Layer(ONE_STEP, SignalKind.ANALOG),
    "LIBoxCell": Layer(ONE_STEP, SignalKind.ANALOG),
    "LILinearCell": Layer(ONE_STEP, SignalKind.ANALOG),
    "LI": Layer(SEQUENCE, SignalKind.ANALOG),
    "ExpFilter": Layer(SEQUENCE, SignalKind.ANALOG),
    "PoissonEncoder": _encoder(SEQUENCE),
    "PoissonEncoderStep": _encoder(ONE_STEP),
    "SignedPoissonEncoder": _encoder(SEQUENCE, SignalKind.GRADED),
    "SignedPoissonEncoderStep": _encoder(ONE_STEP, SignalKind.GRADED),
    "ConstantCurrentLIFEncoder": _encoder(SEQUENCE),
    "SpikeLatencyLIFEncoder": _encoder(SEQUENCE),
    "SpikeLatencyEncoder": _encoder(SEQUENCE, takes=SEQUENCE),
}

# Step functions of leaky integrators. `SNN(li_feed_forward_step, ...)` is a leaky integrator, but
# not an `LI`.
LEAKY_STEPS = {"li_step", "li_feed_forward_step", "li_box_step", "li_box_feed_forward_step"}


class NorseAdapter:
    """Reads every cell and sequence module of Norse, and your own subclasses of them.

    A call of a cell emits one step, `[batch, *neurons]`. A call of a sequence module emits
    `[time, batch, *neurons]`. Without a batch they emit `[neurons]` and `[time, neurons]`, which is
    read as a batch of one. Spikes are the first member of the returned pair. Sparse spikes are made
    dense; all others are views.

    State is an argument, and the second member of that pair. A call continues the last one if it is
    given the state that the last one returned, detached or not. If no state is passed, each call is
    a sequence of its own. With `record_states=True` the returned state has a time axis, and its
    last step is the one that is passed on.

    Wrappers (`Lift`, `SequentialState`, `RecurrentSequential`, `RegularizationCell`,
    `TemporalReceptiveField`, NIR's `CubaLIF`) repeat what their children emit. They are not layers.

    Raises:
        ChunkError: from `read`, for an output that is not a tensor of these shapes.
    """

    framework = "norse"
    tested = ("1.0.0", "1.1.0")

    def kind(self, module: nn.Module) -> SignalKind | None:
        """BINARY for spiking layers; ANALOG for leaky integrators and filters; None otherwise.

        Encoders turn data into spikes and are not neurons of the network. They are ANALOG here,
        whatever the kind of their chunks, so that they are recorded only when named.
        """
        layer = _layer(module)
        if layer is None:
            return None
        return _emits(module, layer) if layer.by_default else SignalKind.ANALOG

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The module's output, or its first member if it is a pair."""
        layer = _known(module)
        left = call.output[1] if isinstance(call.output, tuple) else None
        if getattr(module, "record_states", False):
            left = _last_step(left)
        given = call.argument(layer.state_at, "state")
        starts = call.starts_sequence(given=given, left=left)
        make = SpikeChunk.of_step if layer.axes == ONE_STEP else SpikeChunk.of_sequence
        return make(_values(call.output), _emits(module, layer), starts_sequence=starts)

    def pattern(self, module: nn.Module) -> CallPattern:
        """The module's calls, read as `read` does."""
        layer = _known(module)
        at, steps = layer.state_at, getattr(module, "record_states", False)

        def given(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            state = args[at] if len(args) > at else kwargs.get("state")
            return () if state is None else state

        def left(output: Any) -> Any:
            if not isinstance(output, tuple):
                return ()
            return _last_step(output[1]) if steps else output[1]

        def holds() -> bool:
            return module.record_states is steps

        sequence = layer.axes == SEQUENCE
        # Cells have no such option. Looking for a missing attribute at each call takes long.
        may_change = holds if hasattr(module, "record_states") else always
        return CallPattern(_emits(module, layer), sequence, _values, given, left, may_change)

    def synapses(self, module: nn.Module) -> SynapsesByPart | None:
        """The module's `input_weights` and `recurrent_weights`, if it has its own; an `LConv2d`'s.

        A layer's spikes arrive at its recurrent weights one step later. The diagonal of these
        weights is zero unless the layer has autapses, and counts as the zeros it is.
        """
        if type(module).__name__ == "LConv2d":
            return {"": StepwiseConvolution(module)}
        layer = _layer(module)
        if layer is None or getattr(module, "input_weights", None) is None:
            return None
        cell: Any = module
        hidden = int(cell.hidden_size)
        inputs: Block = {"input_weights": (hidden, int(cell.input_size))}
        if getattr(module, "recurrent_weights", None) is None:
            return {"": Matrices(module, [inputs])}
        recurrent: Block = {"recurrent_weights": (hidden, hidden)}

        def before(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            return _spikes(argument(args, kwargs, layer.state_at, "state"))

        sequence = layer.axes == SEQUENCE
        return {"": Feedback(module, [inputs, recurrent], before=before, sequence=sequence)}

    def input_axes(self, module: nn.Module) -> str:
        """`BN` for cells, `TBN` for sequence modules; `BN` for encoders that add a time axis."""
        layer = _known(module)
        return layer.takes or layer.axes

    def states(self, module: nn.Module) -> None:
        """Known from a call alone: the fields of the state that it returns, such as "v"."""

    def read_state(self, module: nn.Module, call: LayerCall, name: str) -> Tensor:
        """A state after each step: the field of that name in what the call returned.

        Raises:
            ValueError: there is no such field; or a sequence module kept only the last step.
        """
        state = call.output[1] if isinstance(call.output, tuple) else None
        if not hasattr(state, name):
            fields = ", ".join(getattr(state, "_fields", ()))
            raise ValueError(f'its state has no "{name}"; it has: {fields or "no named parts"}')
        if _known(module).axes == ONE_STEP:
            return of_step(getattr(state, name), name)
        if not getattr(module, "record_states", False):
            raise ValueError(
                f'it returns only the last step of its state "{name}"; to have all, make it with '
                "record_states=True"
            )
        return of_sequence(getattr(state, name), name)


class StepwiseConvolution(OneWeight):
    """An `LConv2d`: a convolution of places and steps, of one tap along the steps."""

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """The images of all steps, as if each came alone."""
        return super().arrivals(given.unsqueeze(-1), output.unsqueeze(-1))


def _layer(module: nn.Module) -> Layer | None:
    for base in type(module).__mro__:
        layer = LAYERS.get(base.__name__)
        if layer is not None and module_within(base, "norse").startswith("norse.torch."):
            return layer
    return None


def _known(module: nn.Module) -> Layer:
    layer = _layer(module)
    if layer is None:
        raise TypeError(f"{type(module).__name__} is not a layer of Norse that emits values")
    return layer


def _emits(module: nn.Module, layer: Layer) -> SignalKind:
    step = getattr(getattr(module, "activation", None), "__name__", None)
    return SignalKind.ANALOG if step in LEAKY_STEPS else layer.kind


def _values(output: Any) -> Tensor:
    values: Tensor = output[0] if isinstance(output, tuple) else output
    return values if values.layout is torch.strided else values.to_dense()


def _spikes(state: Any) -> Any:
    """The spikes in a state, which may hold the state of a neuron without a refractory period."""
    if state is None or hasattr(state, "z"):
        return getattr(state, "z", None)
    return next(part.z for part in state if hasattr(part, "z"))


def _last_step(state: Any) -> Any:
    """The last step of a state whose tensors have a time axis in front, as views."""
    if isinstance(state, Tensor):
        return state.detach()[-1]
    return tuple(_last_step(part) for part in state) if isinstance(state, tuple) else state

"""sinabs' neurons, 3.1.

Classes are told by the names in their MRO: sinabs, and the plotting it brings, is never imported
here.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall
from neuroact.stream import SignalKind, SpikeChunk


class SinabsAdapter:
    """Reads every `StatefulLayer` of sinabs, and the user's own subclasses of them.

    A call is a whole sequence, batch first, `[batch, time, *neurons]`; `*Squeeze` layers emit
    `[batch * time, *neurons]`, parted by their `batch_size` and `num_timesteps`. What comes out
    are views.

    State stays on the layer between calls. A call starts a sequence after `reset_states()`, where
    sinabs makes the state anew, and where the batch size changes: a sample of LIF and IAF then
    gets the state of some other sample, by chance. `zero_grad()` and any `detach` go on.

    Under `torch.inference_mode` a reset can only be told by looking at the state, which waits for
    the device once a call; a state that is all zeros, left so or reset, then starts a sequence.

    Layers that are no `StatefulLayer` are not read: `NeuromorphicReLU` and `QuantizeLayer` belong
    to analogue networks, pooling, cropping and `Merge` pass on what others emit, `Img2SpikeLayer`
    and `Sig2SpikeLayer` turn data into spikes. By request they are recorded with `axes=`, which
    is "TN" for those two encoders.

    Raises:
        ChunkError: from `read`, for an output that is not a tensor of these shapes.
    """

    framework = "sinabs"
    tested = ("3.1.3", "3.1.3")

    def kind(self, module: nn.Module) -> SignalKind | None:
        """What the layer emits, told by its `spike_fn`.

        BINARY with `SingleSpike` and `MaxSpike(1)`; ANALOG without one, as in `ExpLeak`; GRADED
        with all others, which may emit many spikes a step. None for what is no `StatefulLayer`.
        """
        return _emits(module) if _is_a(type(module), "StatefulLayer") else None

    def state(self, module: nn.Module) -> tuple[Tensor, ...] | None:
        """The state tensors the layer holds; None where it was reset."""
        held = tuple(module.buffers())
        return None if _was_reset(held) else held

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """What the layer emitted, its time axis in front."""
        values: Tensor = call.output.detach()
        layer: Any = module
        if _is_a(type(module), "SqueezeMixin"):
            values = values.reshape(layer.batch_size, layer.num_timesteps, *values.shape[1:])
        starts = call.starts_sequence(given=call.state, left=tuple(module.buffers()))
        return SpikeChunk(values.transpose(0, 1), _emits(module), starts)

    def input_axes(self, module: nn.Module) -> str:
        """`BTN`; for a `*Squeeze` layer `(B=2 T)N` or `(B T=5)N`, as it was told to part them."""
        if not _is_a(type(module), "SqueezeMixin"):
            return "BTN"
        layer: Any = module
        told = layer.num_timesteps > 0
        return f"(B T={layer.num_timesteps})N" if told else f"(B={layer.batch_size} T)N"


def _is_a(cls: type, name: str) -> bool:
    return any(base.__name__ == name for base in cls.__mro__ if _is_of_sinabs(base))


def _is_of_sinabs(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "sinabs"


def _emits(module: nn.Module) -> SignalKind:
    fire: Any = getattr(module, "spike_fn", None)
    if fire is None:
        return SignalKind.ANALOG
    # SingleSpike is used as a class, MaxSpike as an instance. A subclass may do anything.
    cls = fire if isinstance(fire, type) else type(fire)
    if not _is_of_sinabs(cls):
        return SignalKind.GRADED
    single = cls.__name__ == "SingleSpike"
    if single or (cls.__name__ == "MaxSpike" and fire.max_num_spikes_per_bin == 1):
        return SignalKind.BINARY
    return SignalKind.GRADED


def _was_reset(held: tuple[Tensor, ...]) -> bool:
    """Whether the state was written to since the call that left it.

    A call leaves new tensors, of version 0; `reset_states()` writes zeros into all of them, and
    tensors on the same memory would else pass for the state that was left.
    """
    if any(state.is_inference() for state in held):  # These have no version.
        return not any(bool(state.any()) for state in held)
    return all(state._version > 0 for state in held)

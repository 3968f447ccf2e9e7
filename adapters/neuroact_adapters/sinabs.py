"""sinabs' neurons, 3.1.

The adapter recognises classes by the names in their MRO. So it never imports sinabs, nor sinabs'
plotting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall, module_within
from neuroact.layers.state_reader import of_sequence, of_step
from neuroact.layers.state_trace import StateTrace
from neuroact.stream import SignalKind, SpikeChunk


class SinabsAdapter:
    """Reads every `StatefulLayer` of sinabs, and your own subclasses of them.

    A call emits a whole sequence, batch first: `[batch, time, *neurons]`. `*Squeeze` layers emit
    `[batch * time, *neurons]`; their `batch_size` and `num_timesteps` separate the two. Chunks are
    views.

    State stays on the layer between calls. A call starts a sequence after `reset_states()`, and if
    sinabs makes the state anew. It also does if the batch size changes, since a sample of LIF or
    IAF then gets the state of some other sample. After `zero_grad()` and `detach` the sequence
    continues.

    Under `torch.inference_mode` only a look at the state can tell a reset. That waits for the
    device once a call. A state that is all zeros then starts a sequence, whether it was reset or
    not.

    Layers that are not a `StatefulLayer` are not read. `NeuromorphicReLU` and `QuantizeLayer`
    belong to analogue networks. Pooling, cropping and `Merge` pass on what others emit.
    `Img2SpikeLayer` and `Sig2SpikeLayer` turn data into spikes. Name them to record them, with
    `axes=`, which is "TN" for the last two.

    Raises:
        ChunkError: from `read`, for an output that is not a tensor of these shapes.
    """

    framework = "sinabs"
    tested = ("3.1.3", "3.1.3")

    def kind(self, module: nn.Module) -> SignalKind | None:
        """The kind of the layer's output, according to its `spike_fn`.

        BINARY with `SingleSpike` and `MaxSpike(1)`; ANALOG without a `spike_fn`, as in `ExpLeak`;
        GRADED with all others, which may emit several spikes a step. None for a module that is not
        a `StatefulLayer`.
        """
        return _emits(module) if _is_a(type(module), "StatefulLayer") else None

    def state(self, module: nn.Module) -> tuple[Tensor, ...] | None:
        """The state tensors that the layer holds; None after a reset."""
        held = tuple(module.buffers())
        return None if _was_reset(held) else held

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The layer's output, with the time axis in front."""
        values: Tensor = call.output.detach()
        layer: Any = module
        if _is_a(type(module), "SqueezeMixin"):
            values = values.reshape(layer.batch_size, layer.num_timesteps, *values.shape[1:])
        starts = call.starts_sequence(given=call.state, left=tuple(module.buffers()))
        return SpikeChunk(values.transpose(0, 1), _emits(module), starts)

    def states(self, module: nn.Module) -> tuple[str, ...]:
        """Names of its state's buffers, such as "v_mem"."""
        return tuple(name for name, _ in module.named_buffers(recurse=False))

    def read_state(self, module: nn.Module, call: LayerCall, name: str) -> Tensor:
        """A state after each step, as `record_states=True` has the layer keep it.

        Raises:
            ValueError: the layer keeps only the last step of several, or does not keep this state.
        """
        layer: Any = module
        kept = getattr(layer, "recordings", {}) if getattr(layer, "record_states", False) else {}
        if name in kept:
            return of_sequence(kept[name].transpose(0, 1), name)
        if self.read(module, replace(call, trace=StateTrace())).steps == 1:
            return of_step(getattr(layer, name), name)
        more = f"; it keeps {', '.join(kept)}" if kept else ": make it with record_states=True"
        raise ValueError(f'it keeps only the last step of its state "{name}"{more}')

    def input_axes(self, module: nn.Module) -> str:
        """`BTN`; for a `*Squeeze` layer `(B=2 T)N` or `(B T=5)N`, by its own sizes."""
        if not _is_a(type(module), "SqueezeMixin"):
            return "BTN"
        layer: Any = module
        by_time = layer.num_timesteps > 0
        return f"(B T={layer.num_timesteps})N" if by_time else f"(B={layer.batch_size} T)N"


def _is_a(cls: type, name: str) -> bool:
    return any(base.__name__ == name for base in cls.__mro__ if _is_of_sinabs(base))


def _is_of_sinabs(cls: type) -> bool:
    return module_within(cls, "sinabs").startswith("sinabs.")


def _emits(module: nn.Module) -> SignalKind:
    fire: Any = getattr(module, "spike_fn", None)
    if fire is None:
        return SignalKind.ANALOG
    # SingleSpike is used as a class, MaxSpike as an instance. A user's subclass may emit anything.
    cls = fire if isinstance(fire, type) else type(fire)
    if not _is_of_sinabs(cls):
        return SignalKind.GRADED
    single = cls.__name__ == "SingleSpike"
    if single or (cls.__name__ == "MaxSpike" and fire.max_num_spikes_per_bin == 1):
        return SignalKind.BINARY
    return SignalKind.GRADED


def _was_reset(held: tuple[Tensor, ...]) -> bool:
    """Whether the state was written to since the call that left it.

    A call leaves new tensors, of version 0. `reset_states()` writes zeros into all of them. The
    memory stays the same, so without this test they would be taken for the state that was left.
    """
    if any(state.is_inference() for state in held):  # These have no version.
        return not any(bool(state.any()) for state in held)
    return all(state._version > 0 for state in held)

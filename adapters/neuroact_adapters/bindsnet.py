"""BindsNET's layers of neurons, 0.3.4.

The adapter recognises classes by the names in their MRO. So it never imports BindsNET, whose
licence is the AGPL.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall, names_within
from neuroact.layers.state_reader import of_step
from neuroact.stream import SignalKind, SpikeChunk

_PLACES = ("bindsnet.network.nodes", "bindsnet.conversion.nodes")
# What they emit is what they are given.
_PASS_ON = {"AbstractInput", "PassThroughNodes"}


class BindsnetAdapter:
    """Reads every subclass of BindsNET's `Nodes`, also your own.

    `Network.run` calls each layer's `forward` itself, once a time step. It returns nothing; the
    spikes are in `layer.s`, `[batch, *neurons]`. Spikes that `clamp=` and `unclamp=` of `run` force
    or suppress are counted as BindsNET has them. (Releases before 0.3.4 may force them after the
    call, where that is not seen.) Chunks are views. A layer's name is that in the network; those
    that connections have for it (`X_to_Y.source`) are aliases.

    State stays on the layer between calls. A call starts a sequence after
    `reset_state_variables()`, and if the batch size changes. What `run` does to membrane potentials
    (`injects_v=`) starts none.

    `Input` and `PassThroughNodes` emit what they are given, so they are recorded only when named.
    For them a sequence also starts if you write to the tensor that their last step was a part of.

    Raises:
        TypeError: from `read`, for a layer whose `s` is not a tensor.
        ValueError: from `read`, in `torch.inference_mode`, in which a reset cannot be seen.
        ChunkError: from `read`, for spikes that are not of this shape.
    """

    framework = "bindsnet"
    tested = ("0.3.4", "0.3.4")

    def __init__(self) -> None:
        # The version of each layer's spikes when its last call was over.
        self._left: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()

    def kind(self, module: nn.Module) -> SignalKind | None:
        """BINARY; ANALOG for layers that emit what they are given; None for other modules."""
        names = _names_of(type(module))
        if "Nodes" not in names:
            return None
        return SignalKind.BINARY if names.isdisjoint(_PASS_ON) else SignalKind.ANALOG

    def state(self, module: nn.Module) -> object:
        """The spikes of the last step; None if they were written to since, as a reset does."""
        spikes = _spikes(module)
        if spikes.is_inference() or spikes._version != self._left.get(module):
            return None
        return spikes

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The layer's spikes: BINARY, or GRADED if it emits what it was given and not booleans."""
        spikes = _spikes(module)
        if spikes.is_inference():
            raise ValueError(
                "in torch.inference_mode nothing tells whether reset_state_variables() was called "
                "before this step; run the network in torch.no_grad()"
            )
        self._left[module] = spikes._version
        real = spikes.dtype != torch.bool and _names_of(type(module)) & _PASS_ON
        kind = SignalKind.GRADED if real else SignalKind.BINARY
        starts = call.starts_sequence(given=call.state, left=spikes)
        return SpikeChunk.of_step(spikes, kind, starts_sequence=starts)

    def states(self, module: nn.Module) -> tuple[str, ...]:
        """Names of what the layer has for each neuron of each sample, such as "v"."""
        shape = _spikes(module).shape
        held = module.named_buffers(recurse=False)
        return tuple(name for name, value in held if name != "s" and value.shape == shape)

    def read_state(self, module: nn.Module, call: LayerCall, name: str) -> Tensor:
        """A state after the step that was called."""
        return of_step(getattr(module, name, None), name)

    def input_axes(self, module: nn.Module) -> str:
        """`BN`, what all connections to the layer add up to in a step.

        Raises:
            ValueError: the layer takes a window of steps, as `CSRMNodes` does.
        """
        if "CSRMNodes" in _names_of(type(module)):
            raise ValueError("a CSRMNodes takes a window of the last steps; record what it emits")
        return "BN"


def _names_of(cls: type) -> set[str]:
    return names_within(cls, "bindsnet", _PLACES)


def _spikes(module: Any) -> Tensor:
    spikes = module.s
    if not isinstance(spikes, Tensor):
        raise TypeError(f"expected a tensor of spikes in its `s`, came {type(spikes).__name__}")
    return spikes

"""Rockpool's layers of neurons with the backend of torch, 3.1.

The adapter recognises classes by the names in their MRO. So it never imports Rockpool, whose
licence is the AGPL, and whose import may import samna.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall, names_within
from neuroact.layers.state_reader import of_sequence
from neuroact.stream import SignalKind, SpikeChunk

_REAL = {"RateTorch", "ExpSynTorch"}
_ENCODERS = {"UpDownTorch"}


class RockpoolAdapter:
    """Reads each `TorchModule` of Rockpool that has spiking output, also your own.

    A call emits a whole sequence, batch first: `[batch, time, neurons]`. Chunks are views. Both
    ways to call a network are read, Rockpool's and that of `to_torch()`.

    State stays on the layer between calls, but only that of the first sample, which all samples of
    the next call start from. So a call continues a sequence only if it and the last one have one
    sample. With more samples each call starts a sequence. So does the call after `reset_state()`.

    `Sequential`, `Residual` and other modules around spiking ones repeat what is in them, so they
    are not layers. `RateTorch` and `ExpSynTorch` emit real values, and `UpDownTorch` turns data
    into spikes; they are recorded only when named. Layers of NumPy and JAX are not modules of
    torch: give their output to `Recording.observe`.

    Raises:
        TypeError: from `read`, for an output that is not a tensor.
        ChunkError: from `read`, for a tensor that is not of these shapes.
    """

    framework = "rockpool"
    tested = ("3.1.0", "3.1.0")

    def __init__(self) -> None:
        # Found out once, since to look at `max_spikes_per_dt` would wait for a GPU.
        self._emits: WeakKeyDictionary[nn.Module, SignalKind] = WeakKeyDictionary()

    def kind(self, module: nn.Module) -> SignalKind | None:
        """The kind of the module's output; None for a module that is not a layer.

        BINARY if `max_spikes_per_dt` is 1, else GRADED, as a neuron may fire several times a step.
        ANALOG for modules that are recorded only when named.
        """
        names = _names_of(type(module))
        if "TorchModule" not in names:
            return None
        if names & _REAL:
            self._emits[module] = SignalKind.ANALOG
            return SignalKind.ANALOG
        if not _spikes(module) or any(
            _spikes(m) for m in nn.Module.modules(module) if m is not module
        ):
            return None
        most = getattr(module, "max_spikes_per_dt", None)
        once = most is not None and bool(most == 1)
        self._emits[module] = SignalKind.BINARY if once else SignalKind.GRADED
        return SignalKind.ANALOG if names & _ENCODERS else self._emits[module]

    def state(self, module: nn.Module) -> tuple[Tensor, ...]:
        """The state that the module holds, of one sample."""
        return tuple(_held(module).values())

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The module's output, with the time axis in front."""
        values = call.output
        if not isinstance(values, Tensor):
            raise TypeError(f"expected it to return a tensor, came {type(values).__name__}")
        if module not in self._emits:
            self.kind(module)
        left = self.state(module) if len(values) == 1 else None
        return SpikeChunk.of_sequence(
            values,
            self._emits[module],
            starts_sequence=call.starts_sequence(given=call.state, left=left),
            batch_first=True,
        )

    def states(self, module: nn.Module) -> tuple[str, ...]:
        """Names of what the neurons remember, such as "vmem"."""
        kept = hasattr(module, "_record_dict")
        return tuple(name for name in _held(module) if kept and name != "spikes")

    def read_state(self, module: nn.Module, call: LayerCall, name: str) -> Tensor:
        """A state after each step, as `record=True` has the layer keep it.

        Raises:
            ValueError: the layer was called without `record=True`.
        """
        layer: Any = module
        kept: dict[str, Tensor] = getattr(layer, "_record_dict", {}) if layer._record else {}
        if name not in kept:
            raise ValueError(
                f'it keeps only the last step of its state "{name}", and that of one sample; call '
                "the network with record=True"
            )
        return of_sequence(kept[name].transpose(0, 1), name)

    def input_axes(self, module: nn.Module) -> str:
        """`BTN`."""
        return "BTN"


def _names_of(cls: type) -> set[str]:
    return names_within(cls, "rockpool", "rockpool.nn.modules.torch.")


def _spikes(module: Any) -> bool:
    return "TorchModule" in _names_of(type(module)) and bool(module.spiking_output)


def _held(module: nn.Module) -> dict[str, Tensor]:
    """Rockpool's states are the buffers that it saves; the others are settings."""
    passing = module._non_persistent_buffers_set
    return {k: v for k, v in module._buffers.items() if v is not None and k not in passing}

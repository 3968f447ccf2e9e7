"""Matterhorn's somata, 2.0.0.

The adapter recognises classes by the names in their MRO. So it never imports Matterhorn.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall, names_within
from neuroact.stream import SignalKind, SpikeChunk

# Firing functions of several levels.
_LEVELS = {"Floor", "Ceil", "Round"}


class MatterhornAdapter:
    """Reads every `Soma` of Matterhorn, and your own subclasses of them.

    A call emits a whole sequence, `[time, batch, *neurons]`, or with `batch_first=True`
    `[batch, time, *neurons]`; with `return_states=True` it comes in a tuple with the state. Chunks
    are views.

    State is passed. A call continues a sequence if it is given the state that the last call
    returned. With `return_states=False` each call starts one.

    `Sequential` and the layers that learn by STDP repeat what the somata in them emit, so they are
    not layers. Encoders turn data into spikes; name them to record them, with `axes="TBN"`.

    Raises:
        TypeError: from `read`, for an output without a tensor of spikes.
        ValueError: from `read`, for spikes whose shape is not that of the soma's input. So it
            refuses `ExpIF` and `Izhikevich`, which take the whole input for each step.
    """

    framework = "matterhorn_pytorch"
    tested = ("2.0.0", "2.0.0")

    def kind(self, module: nn.Module) -> SignalKind | None:
        """The kind of the soma's output; None for a module that is not a soma.

        ANALOG for `LIAF`; GRADED with the firing functions `Floor`, `Ceil` and `Round`; else
        BINARY.
        """
        names = _names_of(type(module))
        if "Soma" not in names:
            return None
        if "LIAF" in names:
            return SignalKind.ANALOG
        fires: Any = module.spiking_function
        return SignalKind.GRADED if _LEVELS & _names_of(type(fires)) else SignalKind.BINARY

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The soma's output, with the time axis in front."""
        soma: Any = module
        values, left = call.output if isinstance(call.output, tuple) else (call.output, None)
        if not isinstance(values, Tensor):
            raise TypeError(
                f"expected it to return a tensor of spikes, came {type(values).__name__}"
            )
        shape = call.argument(0, "x").shape
        if values.shape != shape:
            raise ValueError(
                f"expected spikes of the shape of its input, {tuple(shape)}, came "
                f"{tuple(values.shape)}: ExpIF and Izhikevich of Matterhorn 2.0.0 take the whole "
                "input for each step"
            )
        kind = self.kind(module)
        assert kind is not None  # a soma, or it would not be read
        # The second argument is `h`, or `h_w` where the state has two parts.
        given = call.argument(1, "h_w" if "h_w" in call.kwargs else "h")
        return SpikeChunk.of_sequence(
            values,
            kind,
            starts_sequence=call.starts_sequence(given=given, left=left),
            batch_first=soma.batch_first,
        )

    def input_axes(self, module: nn.Module) -> str:
        """`TBN`, or `BTN` with `batch_first=True`."""
        soma: Any = module
        return "BTN" if soma.batch_first else "TBN"


def _names_of(cls: type) -> set[str]:
    return names_within(cls, "matterhorn_pytorch", "matterhorn_pytorch.snn.")

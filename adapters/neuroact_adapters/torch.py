"""PyTorch's own layers whose output is not a plain tensor of one step: recurrent layers, attention.

Everything else of `torch.nn` (ReLU, Sigmoid, Linear, …) needs no adapter. If it is named in
`layers=`, its output is read as one tensor in the order that `axes=` says.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils.rnn import PackedSequence

from neuroact import LayerCall, SignalKind, SpikeChunk


class TorchAdapter:
    """Reads `nn.RNN`, `nn.LSTM`, `nn.GRU`, their cells and `nn.MultiheadAttention`.

    All emit real values, so they are recorded only when named. A call continues the last one if it
    is passed the hidden state that the last one returned. Attention has no state: each call is a
    sequence of its own, and its target positions are the time steps.
    """

    framework = "torch"
    tested = ("2.13.0", "2.14.1")

    def kind(self, module: nn.Module) -> SignalKind | None:
        """ANALOG for the layers above, None for all others."""
        layers = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
        return SignalKind.ANALOG if isinstance(module, layers) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The outputs of all steps, `[time, batch, features]`.

        Raises:
            TypeError: the output is a packed sequence, whose steps are not padded.
        """
        if isinstance(module, nn.RNNCellBase):
            return self._read_cell(module, call)
        values, left = call.output
        if isinstance(values, PackedSequence):
            raise TypeError(
                "packed sequences are not read; record with the padded tensor, or feed "
                "torch.nn.utils.rnn.pad_packed_sequence's output to recording.observe(valid=...)"
            )
        recurrent = isinstance(module, nn.RNNBase)
        starts = not recurrent or call.starts_sequence(given=call.argument(1, "hx"), left=left)
        return SpikeChunk.of_sequence(
            values,
            SignalKind.ANALOG,
            starts_sequence=starts,
            batch_first=bool(module.batch_first),
        )

    def input_axes(self, module: nn.Module) -> str:
        """`BN` for a cell; `TBN` for a sequence layer, or `BTN` with `batch_first`."""
        if isinstance(module, nn.RNNCellBase):
            return "BN"
        return "BTN" if module.batch_first else "TBN"

    def _read_cell(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        left: Any = call.output
        hidden = left[0] if isinstance(module, nn.LSTMCell) else left
        starts = call.starts_sequence(given=call.argument(1, "hx"), left=left)
        return SpikeChunk.of_step(hidden, SignalKind.ANALOG, starts_sequence=starts)

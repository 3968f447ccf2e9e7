"""Recurrent layers of torch: their input and their own hidden state arrive at two matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from neuroact.layers.adapter import argument
from neuroact.layers.synapses.feedback import Feedback
from neuroact.layers.synapses.matrices import Matrices
from neuroact.layers.synapses.protocol import SynapsesByPart, real

CELLS = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
SEQUENCES = (nn.RNN, nn.LSTM, nn.GRU)
_GATES = {nn.LSTM: 4, nn.LSTMCell: 4, nn.GRU: 3, nn.GRUCell: 3}


def cell_synapses(module: Any) -> SynapsesByPart:
    """Of a module of `CELLS`: each call is one step."""
    rows, hidden = _gates(module) * module.hidden_size, module.hidden_size
    blocks = [{"weight_ih": (rows, module.input_size)}, {"weight_hh": (rows, hidden)}]
    biases = ["bias_ih", "bias_hh"] if module.bias else []
    return {"": Feedback(module, blocks, biases, before=_state)}


def sequence_synapses(module: Any) -> SynapsesByPart:
    """Of a module of `SEQUENCES`; or why they cannot be counted.

    >>> from torch import nn
    >>> sequence_synapses(nn.GRU(3, 2, num_layers=2))[""]
    'what its 2 layers pass on to each other cannot be seen: make 2 GRUs of one layer of it'
    """
    if (layers := module.num_layers) > 1:
        kind = type(module).__name__
        return {
            "": f"what its {layers} layers pass on to each other cannot be seen: make {layers} "
            f"{kind}s of one layer of it"
        }
    unseen = {f"weight_hr_{end}": _PROJECTED for end in _ends(module) if module.proj_size}
    return {"": _Sequence(module), **unseen}


_PROJECTED = "what arrives at it, the hidden state before its projection, cannot be seen"


class _Sequence(Matrices):
    """Many steps: `[input, hidden]` arrives, and besides what the reverse direction hides."""

    def __init__(self, module: Any) -> None:
        rows = _gates(module) * module.hidden_size
        size = module.proj_size or module.hidden_size
        ends = _ends(module)
        blocks = [{f"weight_ih_{end}": (rows, module.input_size) for end in ends}]
        blocks += [{f"weight_hh_{end}": (rows, size)} for end in ends]
        names = [f"bias_{at}_{end}" for at in ("ih", "hh") for end in ends]
        super().__init__(module, blocks, names if module.bias else [])
        self._size: int = size
        self._batch_first: bool = module.batch_first

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The input with its lengths, and the hidden state before the first step."""
        values, hidden = argument(args, kwargs, 0, "input"), _state(args, kwargs)
        if not isinstance(values, PackedSequence):
            return values, None, hidden
        if hidden is not None and values.sorted_indices is not None:
            hidden = hidden.index_select(1, values.sorted_indices)
        return values.data, values.batch_sizes, hidden

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """Each step's input beside the hidden states that reach it, `[steps · samples, elements]`.

        The hidden state of a step is the output of the step before, in the reverse direction that
        of the step after; at the ends it is the state given, or zeros.
        """
        values, sizes, first = real(given[0]), given[1], given[2]
        out = output[0] if isinstance(output, tuple) else output
        if isinstance(out, PackedSequence):
            out = out.data
        elif self._batch_first and values.ndim == 3 and isinstance(out, Tensor) and out.ndim == 3:
            values, out = values.transpose(0, 1), out.transpose(0, 1)
        ends = len(self._blocks[0])
        if not isinstance(out, Tensor) or out.shape != (*values.shape[:-1], ends * self._size):
            raise ValueError("its output was not of the shape that follows from its settings")
        steps, samples = len(values), values.shape[1] if values.ndim == 3 else 1
        lengths = [samples] * steps if sizes is None else sizes.tolist()
        values, out = values.flatten(0, -2), out.detach().flatten(0, -2)
        if first is None:
            first = out.new_zeros(ends, max(lengths, default=0), self._size)
        first = real(first, "its state").reshape(ends, -1, self._size)
        hidden = [_before(torch.split(out[:, : self._size], lengths), first[0])]
        if ends == 2:
            hidden.append(_after(torch.split(out[:, self._size :], lengths), first[1]))
        return torch.cat([values, *hidden], -1)


def _before(steps: Sequence[Tensor], first: Tensor) -> Tensor:
    """What each step's samples were left with by the step before; samples end, the last first."""
    left = (first, *steps[:-1])
    return torch.cat([before[: len(step)] for before, step in zip(left, steps, strict=True)])


def _after(steps: Sequence[Tensor], last: Tensor) -> Tensor:
    """What each step's samples were left with by the step after it, by `last` where they end."""
    left = (*steps[1:], last[:0])
    return torch.cat(
        [
            piece
            for after, step in zip(left, steps, strict=True)
            for piece in (after, last[len(after) : len(step)])
        ]
    )


def _state(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The hidden state that a call is given: an LSTM's is the first of a pair."""
    state = argument(args, kwargs, 1, "hx")
    return state[0] if isinstance(state, tuple | list) else state


def _gates(module: nn.Module) -> int:
    return next((n for cls, n in _GATES.items() if isinstance(module, cls)), 1)


def _ends(module: Any) -> list[str]:
    return ["l0", "l0_reverse"] if module.bidirectional else ["l0"]

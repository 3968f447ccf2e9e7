"""Layers that give their own last output back to themselves, through a matrix of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from neuroact.layers.synapses.matrices import Matrices
from neuroact.layers.synapses.protocol import real


class Feedback(Matrices):
    """The synapses of a recurrent layer: its input arrives, and what it emitted a step before.

    So what a layer emits in the last step of a run arrives nowhere, and is not counted.

    Args:
        module: holds both matrices.
        blocks: as in `Matrices`: the input's, and that of the layer's own output.
        biases: as in `Matrices`.
        before: what the layer had emitted before a call, from the call's arguments; None for zeros.
        sequence: whether a call is a sequence, `[time, ...]`, rather than one step.

    What the module returns, or the first member of that, is what it emits.

    >>> import torch
    >>> from torch import nn
    >>> blocks = [{"weight_ih": (2, 3)}, {"weight_hh": (2, 2)}]
    >>> cell = Feedback(nn.RNNCell(3, 2), blocks, before=lambda args, kwargs: None)
    >>> cell.arrivals(cell.given((torch.ones(1, 3),), {}), torch.ones(1, 2)).tolist()
    [[1.0, 1.0, 1.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        module: nn.Module,
        blocks: Sequence[Mapping[str, tuple[int, int]]],
        biases: Sequence[str] = (),
        *,
        before: Callable[[tuple[Any, ...], Mapping[str, Any]], Any],
        sequence: bool = False,
    ) -> None:
        super().__init__(module, blocks, biases)
        self._before, self._sequence = before, sequence

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The first argument, and what the layer had emitted before."""
        return super().given(args, kwargs), self._before(args, kwargs)

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """Both side by side, of each step."""
        emitted = real(output[0] if isinstance(output, tuple) else output, "its output")
        values = real(given[0])
        if emitted.shape[:-1] != values.shape[:-1]:
            raise ValueError(
                f"its output of shape {list(emitted.shape)} does not go with an input of shape "
                f"{list(values.shape)}"
            )
        first = emitted[0] if self._sequence else emitted
        before = torch.zeros_like(first)
        if given[1] is not None:
            before = real(given[1], "its state").expand(first.shape)
        if self._sequence:
            before = torch.cat([before.unsqueeze(0), emitted[:-1]])
        return torch.cat([values, before], -1)

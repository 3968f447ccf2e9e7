"""Weights that each element meets alone: the input is multiplied by them, element by element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from neuroact.layers.axes import first_by_name
from neuroact.layers.fan_out import FanOut
from neuroact.layers.synapses.protocol import real
from neuroact.layers.weights import Zeros, made_of, nonzero_of


class OneToOne:
    """The synapses of a module that multiplies its first argument by a weight; see `Synapses`.

    Each element has a fan-out of one, or of zero where its weight is zero. A weight may be of one
    number, which all elements share.

    Args:
        module: holds the weight.
        name: the weight's attribute.

    >>> import torch
    >>> from torch import nn
    >>> module = nn.Module()
    >>> module.factor = torch.tensor([0.5, 0.0])
    >>> factors = OneToOne(module, "factor")
    >>> factors.fan_out((2,), factors.nonzero()).connected.tolist()
    [1, 0]
    """

    def __init__(self, module: nn.Module, name: str) -> None:
        self._module, self._name = module, name
        self._shape = tuple(getattr(module, name).shape)
        self.weights = tuple(made_of(name))
        self.dims = max(1, len(self._shape))

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The first argument in the signature of the module's `forward`."""
        return args[0] if args else first_by_name(self._module, kwargs)

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """The argument."""
        return real(given)

    def nonzero(self) -> tuple[Zeros, ...]:
        """Of the one weight."""
        return (nonzero_of(self._module, self._name, self._shape),)

    def fan_out(self, shape: tuple[int, ...], nonzero: tuple[Zeros, ...]) -> FanOut:
        """One where the weight is not zero."""
        connected = np.broadcast_to(nonzero[0], shape).astype(np.int64)
        return FanOut(connected, np.ones(shape, np.int64))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """That of the input."""
        return shape

    def bias_additions(self, shape: tuple[int, ...]) -> int:
        """None."""
        return 0

    def parameters(self) -> int:
        """Numbers in the weight."""
        return int(np.prod(self._shape))

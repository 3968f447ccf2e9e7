"""Bilinear layers: linear in the products of their two inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuroact.layers.adapter import argument
from neuroact.layers.fan_out import FanOut
from neuroact.layers.synapses.protocol import real
from neuroact.layers.weights import Zeros, made_of, nonzero_of


class Bilinear:
    """The synapses of an `nn.Bilinear`: each product of an element of either input arrives.

    While a call is read, its products are in memory, for all repetitions at once.

    >>> import torch
    >>> from torch import nn
    >>> pairs = Bilinear(nn.Bilinear(2, 2, 3))
    >>> pairs.arrivals((torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0])), None).tolist()
    [[0.0, 1.0], [0.0, 2.0]]
    """

    dims = 2

    def __init__(self, module: Any) -> None:
        self._module = module
        self._shape = (module.out_features, module.in1_features, module.in2_features)
        self.weights = tuple(made_of("weight") | made_of("bias"))

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Both inputs."""
        return argument(args, kwargs, 0, "input1"), argument(args, kwargs, 1, "input2")

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """Products of the inputs' elements, `[*repetitions, elements, other elements]`."""
        # In double precision no product of two single ones is lost.
        one, two = (real(each).to(torch.float64) for each in given)
        return one.unsqueeze(-1) * two.unsqueeze(-2)

    def nonzero(self) -> tuple[Zeros, ...]:
        """Of the one weight, `[outputs, elements, other elements]`."""
        return (nonzero_of(self._module, "weight", self._shape),)

    def fan_out(self, shape: tuple[int, ...], nonzero: tuple[Zeros, ...]) -> FanOut:
        """How many outputs a product reaches."""
        connected = nonzero[0].sum(0, dtype=np.int64)
        return FanOut(connected, np.full_like(connected, self._shape[0]))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Its output features."""
        return (self._shape[0],)

    def bias_additions(self, shape: tuple[int, ...]) -> int:
        """One for each output, if the module has a bias."""
        return 0 if self._module.bias is None else self._shape[0]

    def parameters(self) -> int:
        """Numbers in weight and bias."""
        outputs, one, two = self._shape
        return int(outputs * one * two + self.bias_additions(()))

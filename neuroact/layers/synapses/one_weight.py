"""Linear layers and convolutions: one weight, applied to the first argument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from neuroact.layers.axes import first_by_name
from neuroact.layers.fan_out import (
    FanOut,
    element_dims,
    fan_out,
    nonzero_weights,
    output_shape,
    weight_shape,
)
from neuroact.layers.synapses.protocol import real
from neuroact.layers.weights import Zeros, made_of


class OneWeight:
    """The synapses of a module of one of `fan_out.CONNECTIONS`; see `Synapses`.

    >>> from torch import nn
    >>> conv = OneWeight(nn.Conv1d(1, 2, kernel_size=3, padding=1))
    >>> conv.fan_out((1, 4), conv.nonzero()).connected.tolist()
    [[4, 6, 6, 4]]
    >>> conv.bias_additions((1, 4)), conv.parameters()
    (8, 8)
    """

    def __init__(self, module: nn.Module) -> None:
        self._module: Any = module
        self.weights = tuple(made_of("weight") | made_of("bias"))
        self.dims = element_dims(module)

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The first argument in the signature of the module's `forward`."""
        return args[0] if args else first_by_name(self._module, kwargs)

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """The argument, if the output's shape follows from its shape."""
        values = real(given)
        leading, shape = values.shape[: -self.dims], tuple(values.shape[-self.dims :])
        expected = (*leading, *output_shape(self._module, shape))
        if not isinstance(output, Tensor) or tuple(output.shape) != expected:
            raise ValueError("its output was not of the shape that follows from its settings")
        return values

    def nonzero(self) -> tuple[Zeros, ...]:
        """Of the one weight."""
        return (nonzero_weights(self._module),)

    def fan_out(self, shape: tuple[int, ...], nonzero: tuple[Zeros, ...]) -> FanOut:
        """See `neuroact.layers.fan_out.fan_out`."""
        return fan_out(self._module, shape, *nonzero)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """See `neuroact.layers.fan_out.output_shape`."""
        return output_shape(self._module, shape)

    def bias_additions(self, shape: tuple[int, ...]) -> int:
        """One for each output, if the module has a bias."""
        has_bias = self._module.bias is not None
        return math.prod(output_shape(self._module, shape)) if has_bias else 0

    def parameters(self) -> int:
        """Numbers in weight and bias."""
        own = _outputs(self._module) if self._module.bias is not None else 0
        return math.prod(weight_shape(self._module)) + own


def _outputs(module: Any) -> int:
    """Linear layers have output features, convolutions have output channels."""
    outputs: int = module.out_features if isinstance(module, nn.Linear) else module.out_channels
    return outputs

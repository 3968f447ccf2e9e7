"""Average pools of a model: which place of the input lies in which window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from neuroact.layers.choose import passed_by_modules
from neuroact.layers.fan_out import Integers
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import named_modules

_DIMS: dict[type[nn.Module], int] = {nn.AvgPool1d: 1, nn.AvgPool2d: 2, nn.AvgPool3d: 3}


@dataclass(frozen=True)
class Windows:
    """The windows of an average pool, with one number for each axis of space.

    Attributes:
        taps: places along a window.
        strides: places from one window to the next.
        pads: places added before and after the input.
        ceil: whether a window may reach beyond the padding.

    >>> from torch import nn
    >>> pool = Windows.of(nn.AvgPool1d(3, stride=2))
    >>> pool.output_shape((1, 5)), pool.folded(np.array([[1, 10]]), (1, 5)).tolist()
    ((1, 2), [[1, 1, 11, 10, 10]])
    """

    taps: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    ceil: bool

    @classmethod
    def of(cls, module: Any) -> Windows:
        """Those of a pool as it is set now."""
        dims = next(dims for pool, dims in _DIMS.items() if isinstance(module, pool))
        settings = module.kernel_size, module.stride, module.padding
        taps, strides, pads = (_on_each_axis(given, dims) for given in settings)
        return cls(taps, strides, pads, bool(module.ceil_mode))

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Of `[channels, *space]`, what the pool makes of an input of this shape."""
        channels, *sizes = shape
        axes = zip(sizes, self.taps, self.strides, self.pads, strict=True)
        return (channels, *(self._outputs(*axis) for axis in axes))

    def _outputs(self, size: int, taps: int, stride: int, pad: int) -> int:
        more = stride - 1 if self.ceil else 0
        outputs = (size + 2 * pad - taps + more) // stride + 1
        # The last window begins in the input or in the padding in front.
        return outputs - (self.ceil and (outputs - 1) * stride >= size + pad)

    def folded(self, fans: Integers, shape: Sequence[int]) -> Integers:
        """The fan-out through the pool: for each place, the sum over the windows that hold it.

        Args:
            fans: the fan-out of the pool's outputs, int64 of `output_shape(shape)`.
            shape: of the pool's input.
        """
        for axis, size in enumerate(shape[1:], start=1):
            of_outputs = np.moveaxis(fans, axis, 0)
            first = np.arange(len(of_outputs)) * self.strides[axis - 1] - self.pads[axis - 1]
            # Each window adds where it begins and takes away where it has ended.
            changes = np.zeros((size + 1, *of_outputs.shape[1:]), np.int64)
            np.add.at(changes, first.clip(0, size), of_outputs)
            np.subtract.at(changes, (first + self.taps[axis - 1]).clip(0, size), of_outputs)
            fans = np.moveaxis(changes.cumsum(0)[:-1], 0, axis)
        return fans


def pools_of(model: nn.Module) -> list[tuple[LayerInfo, nn.Module, bool]]:
    """The average pools in a model, and whether a module around each may pass it by.

    Adaptive pools are not among them.
    """
    modules = named_modules(model)
    passed_by = passed_by_modules(modules)
    return [
        (m.info(), m.module, id(m.module) in passed_by)
        for m in modules
        if isinstance(m.module, tuple(_DIMS))
    ]


def _on_each_axis(given: Any, dims: int) -> tuple[int, ...]:
    return tuple(given) if isinstance(given, tuple | list) else (given,) * dims

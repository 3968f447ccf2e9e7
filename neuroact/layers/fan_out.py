"""How many weights of a layer touch each element of its input: its fan-out, in whole numbers.

For a layer that is linear in its input, an element of the input that is not zero causes one
operation for each pair of a weight that is not zero and an output that it reaches. Counting these
pairs needs no run of the layer: it follows from the layer's shape, and from which weights are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import nn

from neuroact.layers.weights import nonzero_of

Integers: TypeAlias = NDArray[np.int64]
Connection: TypeAlias = Any
"""A module of one of `CONNECTIONS`; not said by type, as `nn.Module` has no attributes' types."""
Shape: TypeAlias = tuple[int, ...]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CONNECTIONS = (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)
"""The classes of layers whose fan-out is known, with all their subclasses."""


@dataclass(frozen=True, eq=False)
class FanOut:
    """Fan-out of each element of a layer's input.

    Attributes:
        connected: operations that an element that is not zero causes, int64 of the input's shape:
            pairs of an output and a weight through which the element reaches it, without the
            weights that are zero.
        dense: the same with the weights that are zero. What lies on padding of zeros is no element
            and reaches nothing.
        at_once: operations of one input if no weight were zero, where an input cannot have all
            elements at once, as an index has one; None for the sum of `dense`.
    """

    connected: Integers
    dense: Integers
    at_once: int | None = None

    @property
    def most(self) -> int:
        """Operations of one input if no weight and none of its elements were zero."""
        return int(self.dense.sum()) if self.at_once is None else self.at_once

    def same(self, other: FanOut) -> bool:
        """Whether both are of the same connections."""
        return np.array_equal(self.connected, other.connected) and np.array_equal(
            self.dense, other.dense
        )


def element_dims(module: Connection) -> int:
    """How many of the last dimensions of a layer's input make up one input of the layer.

    Those before them (time, batch, tokens) are its repetitions.

    >>> from torch import nn
    >>> element_dims(nn.Linear(3, 2)), element_dims(nn.Conv2d(3, 2, 3))
    (1, 3)
    """
    return 1 if isinstance(module, nn.Linear) else 1 + len(module.kernel_size)


def output_shape(module: Connection, shape: Shape) -> Shape:
    """Shape of the output that an input of this shape gives, both without repetitions.

    >>> from torch import nn
    >>> output_shape(nn.Conv2d(3, 2, kernel_size=3, stride=2), (3, 7, 9))
    (2, 3, 4)
    """
    if isinstance(module, nn.Linear):
        return (module.out_features,)
    return (module.out_channels, *(_outputs(module, *axis) for axis in _axes(module, shape[1:])))


def weight_shape(module: Connection) -> Shape:
    """Shape that the layer's weight has to be of."""
    if isinstance(module, nn.Linear):
        return (module.out_features, module.in_features)
    ends = module.out_channels, module.in_channels
    if isinstance(module, _TRANSPOSED):
        ends = ends[1], ends[0]
    return (ends[0], ends[1] // module.groups, *module.kernel_size)


def nonzero_weights(module: Connection) -> NDArray[np.bool_]:
    """Which of the layer's weights are not zero, as `module.weight` is now: after masks and such.

    Raises:
        ValueError: the weight cannot be read, or is not of the shape that the layer has.
    """
    return nonzero_of(module, "weight", weight_shape(module))


def fan_out(module: Connection, shape: Shape, nonzero: NDArray[np.bool_]) -> FanOut:
    """The fan-out of each element of an input of this shape.

    Args:
        module: one of `CONNECTIONS`, or of a subclass that uses its weight as the class does.
        shape: of one input, without repetitions: `[in_features]`, or `[channels, *space]`.
        nonzero: which weights are not zero, see `nonzero_weights`.

    For a convolution, the fan-out of the element of channel `c` at place `p` is
    `Σ_k n[c, k] · Π_d a_d[p_d, k_d]`. `n[c, k]` is the number of non-zero weights at `k` from the
    channel. `a_d[p, k]` is the number of outputs along axis `d` that take place `p` by tap `k`:
    more than one where circular, reflecting or replicating padding repeats the place.

    >>> import torch
    >>> from torch import nn
    >>> from neuroact.layers.fan_out import fan_out, nonzero_weights
    >>> layer = nn.Conv1d(1, 2, kernel_size=3, padding=1)
    >>> fan_out(layer, (1, 4), nonzero_weights(layer)).connected.tolist()
    [[4, 6, 6, 4]]
    """
    return FanOut(
        connected=_counted(module, shape, nonzero),
        dense=_counted(module, shape, np.ones_like(nonzero)),
    )


def sum_of_products(counts: Integers, fans: Integers) -> int:
    """`Σ counts · fans`, exact also where it leaves int64."""
    fans = np.broadcast_to(fans, counts.shape)
    most = float(counts.sum(dtype=np.float64)) * float(fans.max(initial=0))
    dtype = np.int64 if most < 2**62 else object
    return int((counts.astype(dtype) * fans.astype(dtype)).sum())


def _counted(module: Connection, shape: Shape, weights: NDArray[np.bool_]) -> Integers:
    if isinstance(module, nn.Linear):
        reached: Integers = weights.sum(0, dtype=np.int64)
        return reached
    if isinstance(module, _TRANSPOSED):
        reached = weights.sum(1, dtype=np.int64)
    else:
        # Weights are [outputs, inputs of the group, *taps], the groups' outputs one after another.
        groups = module.groups
        grouped = weights.reshape(groups, -1, *weights.shape[1:]).sum(1, dtype=np.int64)
        reached = grouped.reshape(-1, *weights.shape[2:])
    for axis in _axes(module, shape[1:]):
        # [channels, taps, *others] becomes [channels, *others, places], an axis at a time.
        reached = np.moveaxis(reached, 1, -1) @ _uses(module, *axis).T
    return reached


_Axis: TypeAlias = tuple[int, int, int, int, tuple[int, int]]
"""One axis of space: its size, the taps, stride and dilation along it, and its padding."""


def _axes(module: Connection, sizes: Sequence[int]) -> list[_Axis]:
    settings = module.kernel_size, module.stride, module.dilation, _padding(module)
    return list(zip(sizes, *settings, strict=True))


def _outputs(
    module: Connection, size: int, taps: int, stride: int, dilation: int, pad: tuple[int, int]
) -> int:
    """Number of outputs along an axis."""
    before, after = pad
    reach = dilation * (taps - 1) + 1
    if isinstance(module, _TRANSPOSED):  # `after` is without what output_padding gives back
        return (size - 1) * stride - before - after + reach
    return (size + before + after - reach) // stride + 1


def _uses(
    module: Connection, size: int, taps: int, stride: int, dilation: int, pad: tuple[int, int]
) -> Integers:
    """How often each tap takes each place along an axis, `[size, taps]`."""
    outputs = _outputs(module, size, taps, stride, dilation, pad)
    transposed = isinstance(module, _TRANSPOSED)
    starts = np.arange(size if transposed else outputs)[:, None] * stride
    ends = starts + np.arange(taps) * dilation - pad[0]
    if transposed:
        return ((ends >= 0) & (ends < outputs)).astype(np.int64)
    places = _SOURCES[module.padding_mode](ends, size)
    uses = np.zeros((size, taps), np.int64)
    inside = (places >= 0) & (places < size)
    np.add.at(uses, (places[inside], np.nonzero(inside)[1]), 1)
    return uses


def _reflected(places: Integers, size: int) -> Integers:
    back: Integers = np.abs(size - 1 - np.abs(size - 1 - places))
    return back


# Which place of the input a place of the padded input is a copy of; outside, where of none.
_SOURCES: dict[str, Any] = {
    "zeros": lambda places, size: places,
    "circular": lambda places, size: places % size,
    "reflect": _reflected,
    "replicate": lambda places, size: places.clip(0, size - 1),
}


def _padding(module: Connection) -> list[tuple[int, int]]:
    """Places added before and after each axis; taken away, for a transposed convolution."""
    taps, dilation = module.kernel_size, module.dilation
    if module.padding == "valid":
        return [(0, 0)] * len(taps)
    if module.padding == "same":
        totals = [far * (k - 1) for far, k in zip(dilation, taps, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    padding = module.padding
    if isinstance(module, _TRANSPOSED):
        back = module.output_padding
        return [(pad, pad - more) for pad, more in zip(padding, back, strict=True)]
    return [(pad, pad) for pad in padding]

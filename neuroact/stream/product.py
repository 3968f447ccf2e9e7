"""A product of two activations, whose operations depend on both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuroact.card import Carded
from neuroact.stream.tensors import as_tensor

# Beyond these float64 skips whole numbers, and a sum of such numbers could leave int64.
_LARGEST_WHOLE, _LARGEST_PRODUCT, _LARGEST_SUM = 2**24, 2.0**53, 2.0**62


@dataclass(frozen=True, slots=True, repr=False)
class SynapticProduct(Carded):
    """A matrix product of two activations, as `torch.matmul` takes them.

    Attributes:
        left: `[..., n, k]`: real numbers of any dtype, on any device.
        right: `[..., k, m]`; the dimensions in front may be broadcast.

    Raises:
        ValueError: they are no two such arrays; says what came.

    >>> import torch
    >>> product = SynapticProduct(torch.eye(2), torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
    >>> {name: int(count) for name, count in product.counts().items() if name != "unreliable"}
    {'dense': 8, 'acs': 3, 'macs': 0, 'weighted': 4, 'events': 5, 'ones': 4, 'observations': 1}
    """

    left: Tensor
    right: Tensor

    def __post_init__(self) -> None:
        for side in ("left", "right"):
            object.__setattr__(self, side, as_tensor(getattr(self, side)).detach())
        left, right = self.left, self.right
        came = f"{list(left.shape)} and {list(right.shape)}"
        if left.is_complex() or right.is_complex():
            raise ValueError(f"expected real numbers, came {left.dtype} and {right.dtype}")
        if min(left.ndim, right.ndim) < 2 or left.shape[-1] != right.shape[-2]:
            raise ValueError(f"expected left [..., n, k] and right [..., k, m], came {came}")
        try:
            np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        except ValueError as cause:
            raise ValueError(
                f"expected dimensions in front that can be broadcast, came {came}"
            ) from cause

    def counts(self) -> dict[str, Tensor]:
        """The operations: pairs of a left and a right element that are multiplied.

        A pair of which neither is zero is effective. If one of the two has magnitude one, it adds
        or subtracts the other (an AC); else it multiplies (a MAC).

        Returns:
            int64 of shape `[]` on the device: `dense`, all pairs; `acs` and `macs`;
            `weighted`, the sum of the pairs' products of magnitudes; `events`, elements of either
            side that are not zero, and `ones`, those of magnitude one; `observations`, the number
            of matrix products.
            bool `[2]`: `unreliable`, whether `weighted` is not exact, and whether a value is NaN
            or infinite.
        """
        # Of the left side over its rows, of the right side over its columns: `[..., k]`.
        left, right = _Side.of(self.left, -2), _Side.of(self.right, -1)
        pairs = left.events * right.events
        macs = (left.events - left.ones) * (right.events - right.ones)
        weighted = left.magnitude * right.magnitude
        inexact = weighted.gt(_LARGEST_PRODUCT).any() | weighted.sum().gt(_LARGEST_SUM)
        leading = math.prod(np.broadcast_shapes(self.left.shape[:-2], self.right.shape[:-2]))
        sizes = leading * self.left.shape[-2] * self.left.shape[-1] * self.right.shape[-1]
        return {
            "dense": pairs.new_tensor(sizes),
            "acs": (pairs - macs).sum(),
            "macs": macs.sum(),
            "weighted": weighted.to(torch.int64).sum(),
            "events": left.events.sum() + right.events.sum(),
            "ones": left.ones.sum() + right.ones.sum(),
            "observations": pairs.new_tensor(leading),
            "unreliable": torch.stack(
                [
                    left.inexact | right.inexact | inexact,
                    left.nonfinite | right.nonfinite,
                ]
            ),
        }


@dataclass(frozen=True, slots=True)
class _Side:
    """Sums over one dimension of one side."""

    events: Tensor
    ones: Tensor
    magnitude: Tensor
    inexact: Tensor
    nonfinite: Tensor

    @classmethod
    def of(cls, values: Tensor, dim: int) -> _Side:
        sizes = values.to(torch.float64).abs()
        whole = sizes.frac().eq(0) & sizes.le(_LARGEST_WHOLE)
        return cls(
            events=sizes.ne(0).sum(dim),
            ones=sizes.eq(1).sum(dim),
            magnitude=sizes.sum(dim),
            inexact=whole.logical_not().any(),
            nonfinite=sizes.isfinite().logical_not().any(),
        )

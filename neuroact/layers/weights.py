"""Reads a module's weights, and leaves the module as found."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

Zeros = NDArray[np.bool_]
"""Which of a weight's values are not zero."""


def nonzero_of(module: nn.Module, name: str, shape: tuple[int, ...]) -> Zeros:
    """Which values of a module's weight are not zero now: after masks, parametrizations and such.

    The module is left as found, also where asking for its weight changes it, as spectral
    normalisation does in training.

    Args:
        module: holds the weight, also sparse or quantised.
        name: the weight's attribute.
        shape: that the weight has to be of.

    Raises:
        ValueError: the weight cannot be read, or is not of that shape.

    >>> import torch
    >>> from torch import nn
    >>> layer = nn.Linear(2, 1)
    >>> _ = layer.weight.data.copy_(torch.tensor([[0.0, 3.0]]))
    >>> nonzero_of(layer, "weight", (1, 2)).tolist()
    [[False, True]]
    """
    weight = _weight(module, name)
    # FSDP frees the memory of a weight that keeps its shape; to read it there ends the process.
    freed = weight.layout is torch.strided and not weight.untyped_storage().nbytes()
    if tuple(weight.shape) != shape or (freed and weight.numel()):
        without = " without memory" if freed and weight.numel() else ""
        raise ValueError(
            f"expected a weight of shape {list(shape)}, came {list(weight.shape)}{without}: it "
            "was freed or split over devices"
        )
    if weight.is_quantized:
        weight = weight.dequantize()
    found: Zeros = (weight.to_dense() != 0).cpu().numpy()
    return found


def made_of(name: str) -> set[str]:
    """Names of what a parameter may be made of, by masks and normalisations of torch too.

    >>> sorted(made_of("weight"))
    ['weight', 'weight_g', 'weight_mask', 'weight_orig', 'weight_v']
    """
    return {name, *(f"{name}_{end}" for end in ("orig", "mask", "g", "v"))}


def _weight(module: Any, name: str) -> Tensor:
    with torch.no_grad():
        if not parametrize.is_parametrized(module, name):
            weight: Any = getattr(module, name, None)
        else:
            made = module.parametrizations[name]
            kept = {key: buffer.clone() for key, buffer in made.named_buffers()}
            with torch.random.fork_rng(devices=()):
                weight = getattr(module, name)
            for key, buffer in made.named_buffers():
                # Writing to a buffer that a backward pass under way needs would end that pass.
                if not torch.equal(buffer, kept[key]):
                    buffer.copy_(kept[key])
        if not isinstance(weight, Tensor):
            raise ValueError(f"expected its weight to be a tensor, came {type(weight).__name__}")
        if nn.parameter.is_lazy(weight):
            raise ValueError("its weight has no values yet: call the model once before recording")
        return weight.detach()

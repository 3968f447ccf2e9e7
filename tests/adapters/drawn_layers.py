"""Hypothesis draws layers whose synaptic operations are counted."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

CONVOLUTIONS: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@st.composite
def layers(
    draw: st.DrawFn,
    *,
    pruned: bool = True,
    padded: bool = True,
    dims: tuple[int, ...] = (0, 1, 2, 3),
) -> tuple[nn.Module, tuple[int, ...]]:
    """A Linear (of 0 `dims`) or a convolution, and the shape of one input.

    If `pruned`, half of the weights are zero, else none is.
    """
    space = draw(st.sampled_from(dims))
    torch.manual_seed(draw(st.integers(0, 99)))
    if space == 0:
        module: Any = nn.Linear(draw(st.integers(1, 6)), draw(st.integers(1, 4)))
        shape: tuple[int, ...] = (module.in_features,)
    else:
        groups = draw(st.integers(1, 2))
        module = CONVOLUTIONS[space - 1](
            groups * draw(st.integers(1, 2)),
            groups * draw(st.integers(1, 2)),
            draw(st.integers(1, 2)),
            stride=draw(st.integers(1, 2)),
            padding=draw(st.integers(0, 2)) if padded else 0,
            dilation=draw(st.integers(1, 2)),
            groups=groups,
        )
        shape = (module.in_channels, *(draw(st.integers(3, 4)) for _ in range(space)))
    with torch.no_grad():
        module.weight.copy_(torch.rand_like(module.weight) + 1)
        if pruned:
            module.weight.mul_(torch.rand_like(module.weight) < 0.5)
    return module, shape

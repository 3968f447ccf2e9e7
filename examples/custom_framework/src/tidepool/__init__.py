"""A spiking framework: a call takes a whole window, time is last, and levels are passed by hand."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["Chain", "Echo", "Mix", "Tide", "Wave"]


class Wave(NamedTuple):
    """What a `Tide` returns.

    Attributes:
        level: membrane potential after the window, `[batch, neurons]`.
        pulses: spikes, `[batch, neurons, time]`.
    """

    level: Tensor
    pulses: Tensor


class Tide(nn.Module):
    """Leaky integrate-and-fire neurons.

    Takes a window of currents `[batch, neurons, time]`, and the level to continue from.
    """

    def __init__(self, leak: float = 0.9) -> None:
        super().__init__()
        self.leak = leak

    def forward(self, current: Tensor, level: Tensor | None = None) -> Wave:
        """Run over one window; `level=None` starts from rest."""
        if level is None:
            level = torch.zeros_like(current[..., 0])
        pulses = []
        for step in current.unbind(-1):
            level = self.leak * level + step
            # 1 above the threshold; its gradient is that of the level itself.
            pulse = (level > 1).to(level.dtype) + (level - level.detach())
            level = level - pulse.detach()
            pulses.append(pulse)
        return Wave(level, torch.stack(pulses, -1))


class Echo(nn.Module):
    """Wraps a `Tide` and returns its pulses unchanged."""

    def __init__(self, tide: Tide) -> None:
        super().__init__()
        self.tide = tide

    def forward(self, current: Tensor, level: Tensor | None = None) -> Wave:
        """Run the wrapped neuron."""
        wave: Wave = self.tide(current, level)
        return wave


class Mix(nn.Linear):
    """A linear layer over the neurons of `[batch, neurons, time]`."""

    def forward(self, x: Tensor) -> Tensor:
        """Mix the neurons of each step."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Chain(nn.Sequential):
    """Layers in a row; passes each `Tide` its level, and returns pulses and all levels."""

    def forward(self, x: Tensor, levels: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Run one window, from `levels` or from rest."""
        given = iter(levels or ())
        left = []
        for layer in self:
            if isinstance(layer, Tide | Echo):
                level, x = layer(x, level=next(given, None))
                left.append(level)
            else:
                x = layer(x)
        return x, left

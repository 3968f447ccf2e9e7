"""The author of a framework writes an adapter, and wants to be told when it is right.

The framework has one layer. It returns (potential, spikes) and is given the potential again. The
adapter is a class with two methods. The kit that neuroact ships tests it: here with a mistake that
is easily made, and without.

Run: python examples/users/adapter_author.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuroact import LayerCall, SignalKind, SpikeChunk
from neuroact.errors import CheckFailedError
from neuroact.testing import (
    AdapterExample,
    ExpectedLayer,
    Limit,
    check_adapter,
    pass_state_each_step,
)


class Spike(nn.Module):
    """The framework's layer: one step a call."""

    def forward(self, current: Tensor, potential: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The new potential and the spikes, `[batch, neurons]`."""
        potential = current if potential is None else 0.9 * potential + current
        spikes = (potential > 1).float()
        return potential - spikes, spikes


class SpikeAdapter:
    """Reads `Spike`."""

    framework = __name__

    def kind(self, module: nn.Module) -> SignalKind | None:
        """Spikes of 0 and 1."""
        return SignalKind.BINARY if isinstance(module, Spike) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The second of what was returned; it goes on from the potential it was given."""
        potential, spikes = call.output
        starts = call.starts_sequence(given=call.argument(1, "potential"), left=potential)
        return SpikeChunk.of_step(spikes, SignalKind.BINARY, starts_sequence=starts)


class Forgetful(SpikeAdapter):
    """Takes each step for the first one."""

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """As above, but for the sequence."""
        return SpikeChunk.of_step(call.output[1], SignalKind.BINARY, starts_sequence=True)


class Net(nn.Module):
    """One layer behind its connections; takes a step and the state, and returns both."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.spike = nn.Linear(4, 6), Spike()

    def forward(self, x: Tensor, potential: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Spikes and the new potential."""
        potential, spikes = self.spike(self.fc(x), potential)
        return spikes, potential


EXAMPLE = AdapterExample(
    name="one layer",
    model=Net,
    inputs=lambda steps, batch: torch.randn(steps, batch, 4) * 3,
    layers={"spike": ExpectedLayer("BN", spikes=lambda output: output[1])},
    run=pass_state_each_step,
    limits={Limit.GRADIENTS},  # `potential > 1` has none
)


def main() -> None:
    """Let the kit look at both adapters."""
    try:
        check_adapter(Forgetful(), [EXAMPLE])
    except CheckFailedError as failure:
        print(failure)  # the layer, what was expected, what came, where to look
    print(check_adapter(SpikeAdapter(), [EXAMPLE]))


if __name__ == "__main__":
    main()

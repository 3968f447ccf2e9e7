"""The digits network in SpikingJelly: all steps in one call, the state on the neurons."""

from __future__ import annotations

from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from neuroact_adapters.demos import DemoResult, Progress, digits


class DigitsNet(nn.Module):
    """The network that `neuroact_adapters.demos.digits` describes."""

    def __init__(self) -> None:
        super().__init__()
        hidden1, hidden2, classes = digits.LAYERS
        self.fc1, self.lif1 = layer.Linear(digits.PIXELS, hidden1), _neurons()
        self.fc2, self.lif2 = layer.Linear(hidden1, hidden2), _neurons()
        self.fc3, self.lif3 = layer.Linear(hidden2, classes), _neurons()
        functional.set_step_mode(self, "m")

    def forward(self, currents: Tensor) -> Tensor:
        """Spikes of the last layer, `[time, batch, 10]`, for currents `[time, batch, 64]`."""
        functional.reset_net(self)
        spikes = self.lif1(self.fc1(currents))
        spikes = self.lif2(self.fc2(spikes))
        counted: Tensor = self.lif3(self.fc3(spikes))
        return counted


def run(*, seed: int, epochs: int | None, progress: Progress) -> DemoResult:
    """Train the network and record it over the test split; see `digits.run`."""
    return digits.run(DigitsNet, seed=seed, epochs=epochs, progress=progress)


def _neurons() -> nn.Module:
    neurons: nn.Module = neuron.LIFNode(
        tau=1 / (1 - digits.DECAY),
        decay_input=False,
        v_threshold=digits.THRESHOLD,
        v_reset=0.0,
        # The derivative of a sigmoid with slope 2 SLOPE is 1 - tanh(SLOPE x)^2, up to a factor.
        surrogate_function=surrogate.Sigmoid(2 * digits.SLOPE),
    )
    return neurons

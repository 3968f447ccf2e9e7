"""One integrate-and-fire network in three frameworks: the same input gives the same counts.

Two layers with the same weights. The membrane potential has no leak, and is set to zero after a
spike. The frameworks then follow the same rule, with one exception: SpikingJelly fires at the
threshold, the others only above it. All weights are multiples of 1/8, so every sum is exact in
float32. With a threshold of 1 + 1/16 no membrane potential ever equals it. With a threshold of 1
some do, and the figures show it.

Run: python examples/studies/same_network.py
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import norse.torch as norse
import snntorch
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn

import neuroact
from neuroact import ActivityReport

STEPS, BATCH, INPUTS, HIDDEN, OUTPUTS = 40, 8, 12, 30, 10
THRESHOLD = 1 + 1 / 16


def linear(seed: int, inputs: int, outputs: int, cls: type[nn.Linear] = nn.Linear) -> nn.Linear:
    """Connections with weights drawn from multiples of 1/8."""
    connections = cls(inputs, outputs, bias=False)
    draw = torch.Generator().manual_seed(seed)
    weights = torch.randint(-4, 8, (outputs, inputs), generator=draw) / 8
    connections.weight = nn.Parameter(weights)
    return connections


def in_snntorch(spikes: Tensor, threshold: float = THRESHOLD) -> ActivityReport:
    """Single steps; the state is on the modules."""

    def fire() -> nn.Module:
        return snntorch.Leaky(
            beta=1.0, threshold=threshold, init_hidden=True, reset_mechanism="zero",
            reset_delay=False,
        )  # fmt: skip

    net = nn.Sequential(linear(1, INPUTS, HIDDEN), fire(), linear(2, HIDDEN, OUTPUTS), fire())
    with neuroact.record(net) as recording:
        for step in spikes:
            net(step)
    return recording.report()


def in_norse(spikes: Tensor, threshold: float = THRESHOLD) -> ActivityReport:
    """Single steps; the state is passed from call to call."""
    rule = norse.IAFParameters(v_th=torch.tensor(threshold))
    net = norse.SequentialState(
        linear(1, INPUTS, HIDDEN), norse.IAFCell(rule),
        linear(2, HIDDEN, OUTPUTS), norse.IAFCell(rule),
    )  # fmt: skip
    with neuroact.record(net) as recording:
        state = None
        for step in spikes:
            _, state = net(step, state)
    return recording.report()


def in_spikingjelly(
    spikes: Tensor, threshold: float = THRESHOLD, *, step_mode: str
) -> ActivityReport:
    """Single steps ("s") or the whole sequence in one call ("m")."""
    net = nn.Sequential(
        linear(1, INPUTS, HIDDEN, layer.Linear), neuron.IFNode(threshold, v_reset=0.0),
        linear(2, HIDDEN, OUTPUTS, layer.Linear), neuron.IFNode(threshold, v_reset=0.0),
    )  # fmt: skip
    functional.set_step_mode(net, step_mode)
    with neuroact.record(net) as recording:
        for chunk in spikes if step_mode == "s" else [spikes]:
            net(chunk)
    return recording.report()


RUNS: dict[str, Callable[..., ActivityReport]] = {
    "snnTorch": in_snntorch,
    "Norse": in_norse,
    "SpikingJelly, step mode s": partial(in_spikingjelly, step_mode="s"),
    "SpikingJelly, step mode m": partial(in_spikingjelly, step_mode="m"),
}


def main() -> None:
    """Print each framework's counts with both thresholds, and whether all agree."""
    draw = torch.Generator().manual_seed(3)
    spikes = (torch.rand(STEPS, BATCH, INPUTS, generator=draw) < 0.3).float()
    for threshold in (THRESHOLD, 1.0):
        print(f"threshold {threshold}")
        reports = {name: run(spikes, threshold) for name, run in RUNS.items()}
        for name, report in reports.items():
            hidden, output = report.values()
            print(f"{name:26} hidden {hidden.events.sum():5}  output {output.events.tolist()}")
        first, *others = ([layer.events.tolist() for layer in r.values()] for r in reports.values())
        print("the same events in every neuron:", all(other == first for other in others))


if __name__ == "__main__":
    main()

"""An ANN beside the spiking network it was converted to: what is kept, and what does it cost?

A small network of ReLUs learns scikit-learn's digits. SpikingJelly converts it: each ReLU becomes
integrate-and-fire neurons, whose firing rate stands for the ReLU's value. Both are recorded over
the digits held out, the converted network for 1 to 64 time steps.

Run: python examples/studies/converted.py
"""

from __future__ import annotations

import numpy as np
import torch
from spikingjelly.activation_based import ann2snn, functional
from torch import Tensor, nn
from torch.utils.data import DataLoader

import neuroact
from neuroact import ActivityReport
from neuroact_adapters.demos.digits import BATCH, CLASSES, LEARNING_RATE, PIXELS, Digits

STEPS = (1, 2, 4, 8, 16, 32, 64)
HIDDEN = {"1": "spiking_0.if_node", "3": "spiking_1.if_node"}  # a ReLU, and what it became


def trained(digits: Digits, epochs: int) -> nn.Sequential:
    """A network of ReLUs that has learned the digits."""
    net = nn.Sequential(
        nn.Linear(PIXELS, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, CLASSES)
    )
    optimizer = torch.optim.Adam(net.parameters(), LEARNING_RATE)
    for _ in range(epochs):
        for images, labels in DataLoader(digits.train, BATCH, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images), labels).backward()
            optimizer.step()
    return net


def converted(net: nn.Module, digits: Digits) -> nn.Module:
    """The spiking network, its thresholds set by the largest value of each ReLU in training."""
    recipe = ann2snn.recipes.RateCodingRecipe(DataLoader(digits.train, BATCH))
    return ann2snn.Converter(recipe).convert(net).eval()


def record_ann(net: nn.Module, images: Tensor) -> tuple[Tensor, ActivityReport]:
    """Its outputs, and what its ReLUs gave."""
    recording = neuroact.record(net, layers=nn.ReLU, axes="BN", operations=True)
    with recording, torch.no_grad():
        outputs = net(images)
    return outputs, recording.report()


def record_snn(net: nn.Module, images: Tensor, steps: int) -> tuple[Tensor, ActivityReport]:
    """Its summed outputs, and what its neurons fired, given the image at each of so many steps."""
    functional.reset_net(net)
    with neuroact.record(net, operations=True) as recording, torch.no_grad():
        outputs = torch.stack([net(images) for _ in range(steps)]).sum(0)
    return outputs, recording.report()


def line(name: str, outputs: Tensor, labels: Tensor, report: ActivityReport) -> str:
    """Accuracy, share of hidden values that are zero, and operations per image."""
    operations = report.operations.per_sample.total
    accuracy = float((outputs.argmax(1) == labels).float().mean())
    zeros = sum(layer.sparsity * layer.neurons for layer in report.values())
    sparsity = zeros / sum(layer.neurons for layer in report.values())
    macs, acs = f"{operations.macs:,.0f}", f"{operations.acs:,.0f}"
    return f"{name:>10}{accuracy:>10.1%}{sparsity:>10.1%}{macs:>12}{acs:>10}"


def agreement(ann: ActivityReport, snn: ActivityReport) -> dict[str, float]:
    """The correlation, over a layer's neurons, of a ReLU's mean value and the firing rate."""
    return {
        relu: float(np.corrcoef(ann[relu].activity, snn[neurons].activity)[0, 1])
        for relu, neurons in HIDDEN.items()
    }


def main(epochs: int = 8, steps: tuple[int, ...] = STEPS) -> None:
    """Print the table of both networks, and how well rates stand for values."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    digits = Digits.load()
    images, labels = digits.test.tensors
    net = trained(digits, epochs)
    spiking = converted(net, digits)

    outputs, ann = record_ann(net, images)
    print(f"{'network':>10}{'accuracy':>10}{'sparsity':>10}{'MACs/image':>12}{'ACs/image':>10}")
    print(line("ANN", outputs, labels, ann))
    for count in steps:
        outputs, snn = record_snn(spiking, images, count)
        print(line(f"{count} step{'s' * (count > 1)}", outputs, labels, snn))
    for relu, correlation in agreement(ann, snn).items():
        print(f"ReLU {relu} and {HIDDEN[relu]}, after {count} steps: correlation {correlation:.3f}")
    same = all(
        np.array_equal(ann[relu].dead_neurons, snn[neurons].dead_neurons)
        for relu, neurons in HIDDEN.items()
    )
    print("the same neurons are dead in both:", same)


if __name__ == "__main__":
    main()

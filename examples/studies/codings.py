"""Digits by rate and by latency: what does the coding of the input do to the neurons behind it?

The same network, from the same weights, learns scikit-learn's digits twice. By rate, a pixel fires
at each step with a probability that is its brightness. By latency, a pixel fires once, the brighter
the earlier, and a black one never. Both are recorded over the digits held out.

Run: python examples/studies/codings.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from snntorch import spikegen
from torch import Tensor, nn
from torch.utils.data import DataLoader

import neuroact
from neuroact import ActivityReport, SpikeCounts, TimeCourse
from neuroact_adapters.demos.digits import BATCH, LEARNING_RATE, STEPS, Digits
from neuroact_adapters.demos.snntorch import DigitsNet

Coding = Callable[[Tensor], Tensor]


def by_rate(images: Tensor) -> Tensor:
    """Spikes `[time, batch, 64]`: at each step with a probability that is the brightness."""
    return spikegen.rate(images, num_steps=STEPS)


def by_latency(images: Tensor) -> Tensor:
    """Spikes `[time, batch, 64]`: one a pixel, the brighter the earlier; none where it is black."""
    spikes = spikegen.latency(images, num_steps=STEPS, linear=True, normalize=True)
    return spikes * (images > 0)


CODINGS: dict[str, Coding] = {"rate": by_rate, "latency": by_latency}


def trained(digits: Digits, coding: Coding, epochs: int) -> nn.Module:
    """A network that has learned the digits in this coding."""
    net = DigitsNet()
    optimizer = torch.optim.Adam(net.parameters(), LEARNING_RATE)
    for _ in range(epochs):
        for images, labels in DataLoader(digits.train, BATCH, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(coding(images)).sum(0), labels).backward()
            optimizer.step()
    return net


def recorded(net: nn.Module, digits: Digits, coding: Coding) -> tuple[float, ActivityReport]:
    """Its accuracy on the digits held out, and what the pixels and the neurons fired."""
    images, labels = digits.test.tensors
    with (
        neuroact.record(net, statistics=[SpikeCounts, TimeCourse], operations=True) as recording,
        torch.no_grad(),
    ):
        spikes = coding(images)
        recording.observe("pixels", spikes)  # the input is no module's output
        classes = net(spikes).sum(0).argmax(1)
    return float((classes == labels).float().mean()), recording.report()


def main(epochs: int = 8, folder: Path | None = None) -> None:
    """Print both networks side by side."""
    torch.set_num_threads(1)
    digits = Digits.load()
    reports = {}
    for name, coding in CODINGS.items():
        torch.manual_seed(0)
        net = trained(digits, coding, epochs)
        accuracy, reports[name] = recorded(net, digits, coding)
        operations = reports[name].operations.per_sample.total.effective
        print(f"{name}: accuracy {accuracy:.1%}, {operations:,.0f} synaptic operations per image")
    print(f"\n{'layer':8}{'coding':>8}{'spikes/image':>14}{'activity':>10}{'dead':>6}  first spike")
    for layer in reports["rate"]:
        for name, report in reports.items():
            figures = report[layer]
            spikes = int(figures.events.sum()) / figures.sequences
            first = figures[TimeCourse].latency_mean
            print(
                f"{layer:8}{name:>8}{spikes:>14.1f}{figures.mean:>10.3f}{figures.dead:>6}"
                f"{first:>7.1f} steps"
            )
    if folder is not None:
        for name, report in reports.items():
            report.plot(folder / f"{name}.png", kind="time")


if __name__ == "__main__":
    main(folder=Path(sys.argv[1]) if len(sys.argv) > 1 else None)

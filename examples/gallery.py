"""Every picture that neuroact draws, from real runs on handwritten digits.

The network is the demo's. It is trained, and recorded over the digits held out, with time steps of
1 ms. The map of a convolutional layer is of another, smaller network.

Run: python examples/gallery.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import snntorch
import torch
from snntorch import utils
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import neuroact
from neuroact import (
    ActivityReport,
    ClassActivity,
    InterspikeIntervals,
    Raster,
    Signal,
    TimeCourse,
)
from neuroact.plots import history_plot, save_figure
from neuroact.training import TrainingMonitor
from neuroact_adapters.demos.digits import BATCH, EPOCHS, LEARNING_RATE, Digits, coded
from neuroact_adapters.demos.snntorch import DigitsNet

STATISTICS = [TimeCourse, InterspikeIntervals, Raster]
DT = 1e-3


def make(folder: Path, *, epochs: int = EPOCHS, ending: str = "png") -> list[Path]:
    """Draw every picture into a folder.

    Args:
        folder: where to; made if missing.
        epochs: passes over the training digits.
        ending: "png", "svg" or "pdf".

    Returns:
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digits = Digits.load()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = DigitsNet()
        before = measured(net, digits.test)
        monitor = trained(net, digits.train, epochs)
        after = measured(net, digits.test)
        membranes = measured(net, digits.test, of="mem", statistics=Signal(threshold=1.0))
        convolutional = conv_report(digits, epochs=min(epochs, 2))
    files = {name: folder / f"{name}.{ending}" for name in NAMES}
    for kind in ("box", "violin", "curve", "time", "intervals", "operations"):
        after.plot(files[kind], kind=kind)
    for kind in ("signal", "signal-time"):
        membranes.plot(files[kind], kind=kind)
    after.plot(files["raster"], kind="raster", layer="lif1")
    after.plot(files["neurons"], kind="neurons", layer="lif1")
    by_class(net, digits.test).plot(files["classes"], kind="classes", layer="lif1")
    convolutional.plot(files["channels"], kind="neurons", layer="1")
    save_figure(history_plot(monitor.history, "mean"), files["history"])
    neuroact.compare(before, after, labels=("before training", "after")).plot(files["comparison"])
    return list(files.values())


NAMES = (
    "box", "violin", "curve", "time", "intervals", "operations", "signal", "signal-time", "raster",
    "neurons", "classes", "channels", "history", "comparison",
)  # fmt: skip


def measured(net: nn.Module, data: TensorDataset, **options: Any) -> ActivityReport:
    """A report of the network over a data set, with everything that pictures need."""
    spikes = {"statistics": STATISTICS, "operations": True}

    def run(net: nn.Module, batch: Any) -> object:
        return net(coded(batch[0]))

    loader: DataLoader[Any] = DataLoader(data, BATCH)
    return neuroact.measure(net, loader, run=run, dt=DT, progress=False, **(options or spikes))


def by_class(net: nn.Module, data: TensorDataset) -> ActivityReport:
    """A report of the network over a data set, digit by digit."""
    with neuroact.record(net, statistics=ClassActivity, dt=DT) as recording, torch.no_grad():
        for images, labels in DataLoader(data, BATCH):
            with recording.batch(labels=labels):
                net(coded(images))
    return recording.report()


def trained(net: nn.Module, data: TensorDataset, epochs: int) -> TrainingMonitor:
    """Train the network; every fifth step is recorded."""
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    loader: DataLoader[Any] = DataLoader(data, BATCH, shuffle=True)
    monitor = TrainingMonitor(net, every=5, dt=DT)
    for _ in range(epochs):
        for images, labels in loader:
            with monitor.step():
                spikes = net(coded(images)).sum(0)
            loss = nn.functional.cross_entropy(spikes, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        monitor.end_epoch()
    monitor.close()
    return monitor


def conv_report(digits: Digits, *, epochs: int) -> ActivityReport:
    """A report of a layer with eight channels of 8 x 8 neurons, after a short training."""
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), snntorch.Leaky(beta=0.9, init_hidden=True),
        nn.Flatten(), nn.Linear(512, 10), snntorch.Leaky(beta=0.9, init_hidden=True),
    )  # fmt: skip

    def steps(images: Tensor) -> Tensor:
        utils.reset(net)
        return torch.stack([net(step.reshape(-1, 1, 8, 8)) for step in coded(images)])

    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    loader: DataLoader[Any] = DataLoader(digits.train, BATCH, shuffle=True)
    for _ in range(epochs):
        for images, labels in loader:
            loss = nn.functional.cross_entropy(steps(images).sum(0), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    held_out: DataLoader[Any] = DataLoader(digits.test, BATCH)
    with neuroact.record(net, dt=DT) as recording, torch.no_grad():
        for images, _ in held_out:
            steps(images)
    return recording.report()


def main() -> None:
    """Draw the gallery into the folder named on the command line."""
    for path in make(Path(sys.argv[1] if len(sys.argv) > 1 else "gallery")):
        print(path)


if __name__ == "__main__":
    main()

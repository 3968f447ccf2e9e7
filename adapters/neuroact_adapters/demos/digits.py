"""A spiking network learns handwritten digits: data, coding, training and recording.

This file knows no framework. A network takes `[time, batch, 64]` and returns the spikes of one
neuron per class, `[time, batch, 10]`. Each call starts from a fresh state.

The network is the same in each framework. Layers of `LAYERS` neurons, named `lif1` to `lif3`, are
behind connections named `fc1` to `fc3`. A neuron with input `x` and membrane potential `v` follows

    v = DECAY v + x,    a spike if v is above THRESHOLD,    then v = 0

and the surrogate gradient of the spike is `1 - tanh(SLOPE (v - THRESHOLD))^2`. The same seed draws
the same weights. So the frameworks differ only in rounding, and in that SpikingJelly also fires at
the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import neuroact
from neuroact_adapters.demos import DemoResult, Progress

PIXELS, CLASSES = 64, 10
LAYERS = (128, 64, CLASSES)
DECAY, THRESHOLD, SLOPE = 0.9, 1.0, 2.0
STEPS = 20
BATCH = 64
EPOCHS = 8
LEARNING_RATE = 2e-3
TEST_SHARE = 0.2

Batch = tuple[Tensor, ...]
Build = Callable[[], nn.Module]


@dataclass(frozen=True, slots=True)
class Digits:
    """The 1,797 digits that come with scikit-learn, 8 x 8 pixels each.

    Attributes:
        train: images float32 `[samples, 64]` in [0, 1] and labels int64 `[samples]`.
        test: the fifth of the digits that is held out, with the same share of each digit.
    """

    train: TensorDataset
    test: TensorDataset

    @classmethod
    def load(cls) -> Digits:
        """The digits, always split the same way, so that seeds and frameworks can be compared."""
        images, labels = load_digits(return_X_y=True)
        parts = train_test_split(
            torch.from_numpy(images / 16).float(),
            torch.from_numpy(labels).long(),
            test_size=TEST_SHARE,
            stratify=labels,
            random_state=0,
        )
        return cls(TensorDataset(parts[0], parts[2]), TensorDataset(parts[1], parts[3]))


def run(build: Build, *, seed: int, epochs: int | None, progress: Progress) -> DemoResult:
    """Train a network on the digits, then record it over the whole test split.

    The same seed gives the same counts. Random state and number of threads do not change.

    Args:
        build: makes the network; its weights are drawn by the seed.
        seed: draws the weights and the order of the samples.
        epochs: passes over the training split; None for `EPOCHS`.
        progress: called after each epoch.
    """
    digits = Digits.load()
    with _repeatable(seed):
        net = build()
        _train(net, digits.train, epochs=epochs or EPOCHS, progress=progress)
        return _record(net, digits.test)


def coded(images: Tensor) -> Tensor:
    """Direct coding: each pixel's brightness is the current at every time step."""
    return images.expand(STEPS, *images.shape)


def _train(net: nn.Module, data: TensorDataset, *, epochs: int, progress: Progress) -> None:
    loader: DataLoader[Batch] = DataLoader(data, BATCH, shuffle=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    for epoch in range(1, epochs + 1):
        correct, losses = 0, 0.0
        for images, labels in loader:
            spikes = net(coded(images)).sum(0)
            loss = nn.functional.cross_entropy(spikes, labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch
            optimizer.step()
            correct += int((spikes.argmax(1) == labels).sum())
            losses += float(loss.detach()) * len(labels)
        share = correct / len(data)
        progress(epoch, epochs, f"loss {losses / len(data):.3f}, training accuracy {share:6.1%}")


def _record(net: nn.Module, data: TensorDataset) -> DemoResult:
    loader: DataLoader[Batch] = DataLoader(data, BATCH)
    net.eval()
    correct = 0
    with neuroact.record(net, operations=True) as recording, torch.no_grad():
        for images, labels in loader:
            correct += int((net(coded(images)).sum(0).argmax(1) == labels).sum())
    return DemoResult(correct / len(data), len(data), recording.report())


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # Such small layers run fastest on one thread. Rounding then does not depend on the cores.
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

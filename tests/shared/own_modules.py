"""Modules as their authors write them, which no adapter knows, and how to read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuroact import Reading

STEPS, BATCH, NEURONS = 12, 3, 5


class Pair(NamedTuple):
    """Spikes and state, by name."""

    spikes: Any
    mem: Any


def fires(mem: Tensor) -> tuple[Tensor, Tensor]:
    spikes = (mem > 1).float()
    return spikes, mem * (1 - spikes)


class Passing(nn.Module):
    """Returns `(spikes, mem)` and takes `mem` back."""

    def forward(self, x: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return fires(x if mem is None else 0.9 * mem + x)


class PassingTwo(nn.Module):
    """Its state comes first, in two parts, and goes back by name."""

    def forward(self, x: Tensor, flag: bool = True, *, mem: Any = None, syn: Any = None) -> Any:
        syn = x if syn is None else 0.5 * syn + x
        spikes, mem = fires(syn if mem is None else 0.9 * mem + syn)
        return {"syn": syn, "out": spikes, "mem": mem}


class Keeping(nn.Module):
    """Keeps `mem` on itself; its first call makes it."""

    def forward(self, x: Tensor) -> Tensor:
        mem = getattr(self, "mem", None)
        spikes, self.mem = fires(x if mem is None else 0.9 * mem + x)
        return spikes


class InPlace(nn.Module):
    """Updates its state in place; `reset` writes zeros into it."""

    mem: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mem", torch.zeros(BATCH, NEURONS))

    def forward(self, x: Tensor) -> Tensor:
        self.mem.mul_(0.9).add_(x)
        spikes = (self.mem > 1).float()
        self.mem.mul_(1 - spikes)
        return spikes

    def reset(self) -> None:
        self.mem.zero_()


def currents(seed: int = 0, sequences: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(sequences, STEPS, BATCH, NEURONS, generator=generator)


def spikes_of(x: Tensor) -> NDArray[np.float32]:
    """The spikes of all sequences, in numpy: the oracle."""
    out = []
    for sequence in x.numpy():
        mem = np.zeros((BATCH, NEURONS), np.float32)
        for step in sequence:
            mem = np.float32(0.9) * mem + step
            spikes = (mem > 1).astype(np.float32)
            mem = mem * (1 - spikes)
            out.append(spikes)
    return np.stack(out).reshape(len(x), -1, BATCH, NEURONS)


def passed(net: nn.Module, x: Tensor, keyword: bool = False) -> None:
    for sequence in x:
        mem = None
        for step in sequence:
            _, mem = net(step, mem=mem) if keyword else net(step, mem)


def passed_two(net: nn.Module, x: Tensor) -> None:
    for sequence in x:
        held: dict[str, Any] = {}
        for step in sequence:
            out = net(step, **held)
            held = {"syn": out["syn"], "mem": out["mem"]}


def kept(net: Any, x: Tensor) -> None:
    for sequence in x:
        net.mem = None
        for step in sequence:
            net(step)


def kept_in_place(net: Any, x: Tensor) -> None:
    for sequence in x:
        net.reset()
        for step in sequence:
            net(step)


STATES: dict[str, tuple[Callable[[], nn.Module], Callable[..., None], Reading]] = {
    "index": (Passing, passed, Reading(kind="binary", values=0, state=1)),
    "by name": (
        Passing,
        lambda net, x: passed(net, x, keyword=True),
        Reading(kind="binary", values=0, state=1),
    ),
    "dict": (
        PassingTwo,
        passed_two,
        Reading(kind="binary", values="out", state={"syn": "syn", "mem": "mem"}),
    ),
    "attribute": (Keeping, kept, Reading(kind="binary", state="mem")),
    "function": (Keeping, kept, Reading(kind="binary", state=lambda module: module.mem)),
    "written in place": (InPlace, kept_in_place, Reading(kind="binary", state="mem")),
}

"""Times of many ways to run one network, side by side, as ratios to the bare forward pass.

Each round runs every way once, in rotated order, and compares each with that round's bare run. So
other work of the machine disturbs both alike. Time is the thread's own processor time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from networks import Case
from ways import Way, bare

WARM_UP = 5  # batches of one step: neuroact looks at the values of the first four calls


@dataclass(frozen=True)
class Cost:
    """What a way adds, in percent of the bare forward pass: median and quartiles of the rounds."""

    q1: float
    median: float
    q3: float

    def __str__(self) -> str:
        return f"{self.median:.1f} ({self.q1:.1f} to {self.q3:.1f})"


def seconds(case: Case, way: Way) -> float:
    """Time of one batch and what follows it, without opening, closing and a first few steps."""
    with torch.no_grad(), way(case) as after_batch:
        for _ in range(WARM_UP):
            case.run(case.net, case.x[:1])
        after_batch()
        began = time.thread_time()
        case.run(case.net, case.x)
        after_batch()
        return time.thread_time() - began


def costs(
    case: Case, ways: Mapping[str, Way], rounds: int
) -> tuple[float, dict[str, Cost | Exception]]:
    """Seconds of the bare forward pass, and what each way adds, or why it cannot run."""
    found: dict[str, Any] = {}
    for name, way in ways.items():
        try:
            seconds(case, way)
        except Exception as cause:  # a tool that does not know the framework
            found[name] = cause
    able = [name for name in ways if name not in found]
    ratios: dict[str, list[float]] = {name: [] for name in able}
    floor = []
    for number in range(rounds):
        floor.append(seconds(case, bare))
        at = number * 5 % len(able)
        for name in able[at:] + able[:at]:
            ratios[name].append(seconds(case, ways[name]) / floor[-1])
    found |= {name: cost(each) for name, each in ratios.items()}
    return float(np.median(floor)), {name: found[name] for name in ways}


def cost(ratios: Iterable[float]) -> Cost:
    """What these ratios to the bare run mean in percent added."""
    more = 100 * (np.asarray(list(ratios)) - 1)
    return Cost(*map(float, np.quantile(more, [0.25, 0.5, 0.75])))

"""A layer for `Steps` to count: it emits the values that it is given and passes its state on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

SHAPE = (2, 5)


def run_at_once(work: Callable[[], object], threads: int = 4) -> None:
    """Do the work in several threads, which take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()
    finally:
        sys.setswitchinterval(before)


def spikes(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(*shape, generator=generator) < 0.4).float()


class Watched:
    """`Steps` around a layer. Counted calls go into `target`; all others are noted.

    Attributes:
        finished: calls that `finish` read.
        flushed: how often the target was full.
        while_it_runs: called by the layer's forward.
    """

    def __init__(self, core: ModuleType, target: Any = None) -> None:
        self.finished: list[tuple[Any, ...]] = []
        self.flushed = 0
        self.while_it_runs: Callable[[], object] = lambda: None
        self.target = core.Sums(SHAPE) if target is None else target
        self.steps = core.Steps(self.finish)
        self.steps.pattern(self.values, self.left)

    def forward(self, values: Tensor, *state: Tensor, after: Sequence[Tensor] | None = None) -> Any:
        self.while_it_runs()
        return (values, *(state if after is None else after))

    def given(self, args: tuple[Any, ...], kwargs: Any) -> Any:
        return args[1:]

    def values(self, output: Any) -> Any:
        return output[0]

    def left(self, output: Any) -> Any:
        return output[1:]

    def finish(self, args: Any, kwargs: Any, output: Any, given: Any) -> None:
        self.finished.append((args, kwargs, output, given))

    def flush(self) -> None:
        self.flushed += 1

    def begin(self, *state: Tensor, most: int = 1000) -> Any:
        return self.steps.begin(self.target, self.flush, list(state), most)

    def call(self, values: Tensor, *state: Tensor, **kwargs: Any) -> Any:
        args = (values, *state)
        given = self.given(args, kwargs)
        output = self.forward(*args, **kwargs)
        self.steps(args, kwargs, output, given)
        return output

    @property
    def counted(self) -> int:
        return int(self.target.steps)

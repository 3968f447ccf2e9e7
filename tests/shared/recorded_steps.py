"""What `test_instructions` runs under valgrind: the same steps, bare, and recorded in many ways.

Instructions are counted from `getloadavg` to `getloadavg`, which nothing else here calls. The
instrumentation, which slows everything down fifty times, is off while torch is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

import neuroact
from neuroact import (
    InterspikeIntervals,
    LayerCall,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.layers.call_pattern import CallPattern
from neuroact.native import core, without_core

STEPS = 1280  # five times the largest distance between two steps that are read in full
WARM_UP = 200
SOME = (SpikeCounts, TimeCourse)
ALL = (*SOME, InterspikeIntervals, Synchrony)
HOOK = "an empty forward hook"
# By name: the statistics in addition to the default one, and whether the compiled core counts.
RECORDED: dict[str, tuple[Sequence[type], bool]] = {
    "default": ((), True),
    "counts and time course": (SOME, True),
    "all": (ALL, True),
    "default, without the core": ((), False),
}
WAYS = (HOOK, *RECORDED)


class Layer(nn.Module):
    """A layer with hardly any work of its own. It keeps a state, a new tensor each step."""

    def __init__(self) -> None:
        super().__init__()
        self.membrane = torch.zeros(1, 100)

    def forward(self, spikes: Tensor) -> Tensor:
        self.membrane = self.membrane + spikes
        return spikes


class LayerAdapter:
    """Reads it by a pattern, like the frameworks' adapters."""

    framework = "synthetic"

    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.BINARY if isinstance(module, Layer) else None

    def state(self, module: Any) -> Tensor:
        return module.membrane

    def read(self, module: Any, call: LayerCall) -> SpikeChunk:
        starts = call.starts_sequence(given=call.state, left=module.membrane)
        return SpikeChunk.of_step(call.output, SignalKind.BINARY, starts_sequence=starts)

    def pattern(self, module: Any) -> CallPattern:
        return CallPattern(
            SignalKind.BINARY,
            False,
            lambda output: output,
            lambda args, kwargs: (module.membrane,),
            lambda output: (module.membrane,),
        )


def main() -> None:
    torch.set_num_threads(1)
    layer, spikes = Layer(), torch.ones(1, 100)

    def steps(number: int) -> None:
        for _ in range(number):
            layer(spikes)

    def counted() -> None:
        steps(WARM_UP)
        os.getloadavg()
        steps(STEPS)
        os.getloadavg()

    with torch.no_grad():
        switch = subprocess.Popen(
            ["vgdb", *sys.argv[1:], f"--pid={os.getpid()}", "instrumentation", "on"]
        )
        while switch.poll() is None:
            steps(1)  # valgrind receives the command only while this process runs
        counted()
        for way in WAYS:
            with watched(layer, way):
                counted()


@contextmanager
def watched(layer: Layer, way: str) -> Iterator[None]:
    """Run the layer, watched in one way; the result of a recording is checked."""
    if way == HOOK:
        with layer.register_forward_hook(lambda module, args, output: None):
            yield
        return
    statistics, with_core = RECORDED[way]
    with (
        nullcontext() if with_core else without_core(),
        neuroact.record(layer, statistics=statistics, adapters=[LayerAdapter()]) as recording,
    ):
        assert (core() is not None) is with_core
        yield
    (only,) = recording.report().values()
    assert (only.events == WARM_UP + STEPS).all()
    assert only.sequences == 1


if __name__ == "__main__":
    main()

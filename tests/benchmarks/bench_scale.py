"""Memory of a large model's recording, in bytes per neuron: recording, reporting and saving.

The model is synthetic, and its layers have no weights, so the memory is the recording's. Each
number is the peak of a process, minus that of a process that does the same without a recording. The
bound follows from the design: int64 events and the compiled core's int32 sums while recording, and
the report's own int64 events.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_scale.py [layers neurons batch ...]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PHASES = ("nothing", "record", "report", "figures", "save")
SIZES = ((10, 10_000_000, 1), (10, 1_000_000, 8))
STEPS, PERIOD = 20, 5
BOUND = 8 + 4 + 8
"""Bytes a neuron that recording and reporting have to take, whatever the batch."""


def run(phase: str, layers: int, neurons: int, batch: int) -> dict[str, float]:
    """Do everything up to a phase; gives peak memory in bytes, and the number of wrong neurons."""
    import torch
    from torch import nn

    import neuroact
    from neuroact import LayerCall, SignalKind, SpikeChunk

    class Layer(nn.Module):
        def forward(self, spikes: Any) -> Any:
            return spikes

    class Synthetic:
        framework = "synthetic"

        def kind(self, module: nn.Module) -> SignalKind | None:
            return SignalKind.BINARY if isinstance(module, Layer) else None

        def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
            return SpikeChunk.of_step(call.output, SignalKind.BINARY, starts_sequence=False)

    net = nn.Sequential(*(Layer() for _ in range(layers)))
    spikes, report, wrong = torch.zeros(batch, neurons), None, 0
    recording = neuroact.record(net, adapters=[Synthetic()])
    if phase == "nothing":
        recording.close()
    with recording:
        for step in range(STEPS):
            spikes.zero_()
            spikes[:, step % PERIOD :: PERIOD] = 1  # neuron n fires in steps n, n + 5, …
            net(spikes)
    del spikes
    if phase in ("report", "figures", "save"):
        report = recording.report()
    if phase == "figures":
        str(report)
    if phase == "save":
        with tempfile.TemporaryDirectory() as folder:
            recording.save(Path(folder) / "run.nact")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for layer in report.values() if report is not None else ():
        wrong += int((layer.events != batch * STEPS // PERIOD).sum())
    return {"peak": peak, "wrong": wrong}


def in_a_process(phase: str, layers: int, neurons: int, batch: int) -> float:
    """Peak memory of `run` in bytes, in a fresh process."""
    command = [sys.executable, __file__, "--one", phase, str(layers), str(neurons), str(batch)]
    # Each tensor gets its own pages, freed with it. Otherwise holes in the heap would be measured.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    found = json.loads(subprocess.check_output(command, text=True, env=environment))
    if found["wrong"]:
        raise AssertionError(f"{found['wrong']:,} neurons have a wrong number of events")
    return float(found["peak"])


def bytes_a_neuron(
    layers: int, neurons: int, batch: int, phases: tuple[str, ...] = PHASES
) -> dict[str, float]:
    """Peak of each phase in bytes per neuron, minus that without a recording."""
    nothing = in_a_process("nothing", layers, neurons, batch)
    return {
        phase: (in_a_process(phase, layers, neurons, batch) - nothing) / (layers * neurons)
        for phase in phases
        if phase != "nothing"
    }


def table(sizes: tuple[tuple[int, int, int], ...]) -> None:
    """Print the peak of each phase, in bytes per neuron."""
    print("| layers | neurons each | batch | bound | record | report | figures | save |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for layers, neurons, batch in sizes:
        found = bytes_a_neuron(layers, neurons, batch)
        cells = " | ".join(f"{value:.1f}" for value in found.values())
        print(f"| {layers} | {neurons:,} | {batch} | {BOUND} | {cells} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(run(sys.argv[2], *map(int, sys.argv[3:6]))))
    else:
        numbers = list(map(int, sys.argv[1:]))
        given = tuple(zip(*(iter(numbers),) * 3, strict=True))
        table(given or SIZES)

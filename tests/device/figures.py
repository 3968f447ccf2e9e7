"""Checks of the counts: on the device they are those of a CPU, to the bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from machine import ADAPTERS, CPU, CUDA, PRETENDED, Machine, Tape, check, check_same
from networks import Case, norse, snntorch_case, spikingjelly_case
from torch import Tensor, nn
from toy import Neuron

import neuroact
from neuroact import (
    ClassActivity,
    InterspikeIntervals,
    Raster,
    Recording,
    SignalKind,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import UnsupportedModelError

EVERY: list[Any] = [SpikeCounts, TimeCourse, InterspikeIntervals, Synchrony]
BINNED: list[Any] = [SpikeCounts(window=9), TimeCourse(bin_width=9), Synchrony(bin_width=9)]
ALL: list[Any] = [*EVERY, Raster(4), ClassActivity]
STEPS = 70  # more than one block of steps


class Hidden(nn.Sequential):
    """Two layers of plain PyTorch that keep their state."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(5, 7), Neuron(hidden=True), nn.Linear(7, 3), Neuron(hidden=True))

    def reset(self) -> None:
        self[1].mem = self[3].mem = None


def plain_case() -> Case:
    """A network that needs only PyTorch."""
    net = Hidden()

    def run(call: Callable[..., Any], x: Tensor) -> None:
        net.reset()
        for step in x:
            call(step)

    return Case(net, Neuron, 3 * torch.randn(STEPS, 6, 5), run)


def spikingjelly(mode: str) -> Case:
    from spikingjelly.activation_based import layer, neuron

    layers = layer.Linear(10, 12), neuron.LIFNode(), layer.Linear(12, 4), neuron.LIFNode()
    return spikingjelly_case(nn.Sequential(*layers), 3 * torch.rand(STEPS, 6, 10), mode)


FRAMEWORKS: dict[str, Callable[[], Case]] = {
    "PyTorch alone": plain_case,
    "snnTorch": lambda: snntorch_case(10, 12, 4, steps=STEPS, batch=6),
    "Norse": norse,
    "SpikingJelly, steps": lambda: spikingjelly("s"),
    "SpikingJelly, sequences": lambda: spikingjelly("m"),
}


class Both:
    """A network recorded on a device, and a reference on the CPU that gets its spikes."""

    def __init__(self, case: Case, machine: Machine, statistics: Sequence[Any]) -> None:
        self.case, self.x = case, case.x.to(machine.device)
        case.net.to(machine.device)
        names = {name: m for name, m in case.net.named_modules() if isinstance(m, case.neurons)}
        self.recording = neuroact.record(case.net, adapters=ADAPTERS, statistics=statistics)
        assert list(self.recording.layers) == list(names)
        self.reference = Recording(statistics=statistics)
        self.tape = Tape(names)

    def run(self, x: Tensor, around: Callable[[], Any] = nullcontext) -> None:
        """Run a batch through the network, inside a block."""
        with around(), torch.no_grad():
            self.case.run(self.case.net, x)

    def observe(self, valid: Tensor | None = None) -> None:
        """Feed the reference what the layers emitted since the last time."""
        for name, values in self.tape.take().items():
            self.reference.observe(name, values, valid=valid)

    def check(self) -> str:
        """Raise unless the counts are the same."""
        self.recording.close()
        self.tape.close()
        events = check_same(self.recording, self.reference)
        assert events > 0, "nothing fired"
        return f"{events:,} spikes, {len(self.recording.layers)} layers"


def _figures(name: str, statistics: Sequence[Any]) -> Callable[[Machine], str]:
    def run(machine: Machine) -> str:
        torch.manual_seed(0)
        both = Both(FRAMEWORKS[name](), machine, statistics)
        for x in (both.x, both.x[:, :3].contiguous(), both.x):
            both.run(x)
            both.observe()
        return both.check()

    return run


def _padded(name: str) -> Callable[[Machine], str]:
    def run(machine: Machine) -> str:
        torch.manual_seed(0)
        both = Both(FRAMEWORKS[name](), machine, ALL)
        x = machine.of(both.x)
        steps, batch = x.shape[:2]
        mask = torch.rand(steps, batch) > 0.3
        mask[:, 1] = False
        lengths = torch.randint(0, steps + 1, (batch,))
        by_length = torch.arange(steps)[:, None] < lengths
        told: list[tuple[dict[str, Any], Tensor | None]] = [
            ({"valid": mask}, mask),
            ({"valid": mask.to(machine.device)}, mask),
            ({"lengths": lengths.tolist()}, by_length),
            ({"lengths": lengths.to(machine.device)}, by_length),
        ]
        for valid, same in told:
            labels = torch.randint(0, 5, (batch,))
            both.run(
                x, lambda valid=valid, labels=labels: both.recording.batch(**valid, labels=labels)
            )
            with both.reference.batch(labels=labels):
                both.observe(same)
            both.run(x)
            both.observe()
        return both.check()

    return run


for _name in FRAMEWORKS:
    check(f"{_name}: figures are the CPU's, all statistics")(_figures(_name, EVERY))
    check(f"{_name}: figures in bins and windows are the CPU's")(_figures(_name, BINNED))
    check(f"{_name}: the same with masks, lengths and labels")(_padded(_name))

DTYPES = [
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
]


@check("values of ten dtypes, binary and graded, in pieces, padded")
def dtypes(machine: Machine) -> str:
    torch.manual_seed(0)
    there, here = Recording(statistics=EVERY), Recording(statistics=EVERY)
    for dtype in DTYPES:
        for kind in (SignalKind.BINARY, SignalKind.GRADED):
            most = 2 if kind is SignalKind.BINARY or dtype is torch.bool else 4
            values = torch.randint(0, most, (STEPS, 5, 4, 3)).to(dtype)
            valid = torch.rand(STEPS, 5) > 0.2
            for recording, device in ((there, machine.device), (here, CPU)):
                for start, at in ((True, slice(0, 30)), (False, slice(30, None))):
                    recording.observe(
                        f"{dtype} {kind.value}",
                        values[at].to(device),
                        kind=kind,
                        starts_sequence=start,
                        valid=None if start else valid[at].to(device),
                    )
    return f"{check_same(there, here):,} events"


@check("a network in float16, bfloat16, float32 and float64, changed in the middle")
def cast(machine: Machine) -> str:
    torch.manual_seed(0)
    both = Both(plain_case(), machine, EVERY)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        both.case.net.to(dtype)
        both.run(both.x.to(dtype))
        both.observe()
    return both.check()


@check("a network under autocast", on=(CUDA, CPU))
def autocast(machine: Machine) -> str:
    torch.manual_seed(0)
    both = Both(plain_case(), machine, EVERY)
    for dtype in (torch.float16, torch.bfloat16):
        both.run(both.x, lambda dtype=dtype: torch.autocast(machine.kind, dtype))
        both.observe()
    return both.check()


@check("a network that moves from the CPU to the device and back")
def moved(machine: Machine) -> str:
    torch.manual_seed(0)
    both = Both(plain_case(), machine, ALL)
    for device in (torch.device(CPU), machine.device, torch.device(CPU)):
        both.case.net.to(device)
        both.run(both.x.to(device))
        both.observe()
    return both.check()


@check("layers of one network on several devices")
def apart(machine: Machine) -> str:
    torch.manual_seed(0)
    net = Hidden()
    both = Both(Case(net, Neuron, 3 * torch.randn(STEPS, 6, 5), _across), machine, EVERY)
    for layer in list(net)[2:]:
        layer.cpu()
    both.run(both.x)
    both.observe()
    return both.check()


def _across(net: Any, x: Tensor) -> None:
    net.reset()
    for step in x:
        there = net[1](net[0](step))
        net[3](net[2](there.cpu()))


@check("a NaN and a 2 are told where they came, as on the CPU")
def unreliable(machine: Machine) -> str:
    recordings = []
    for device in (machine.device, CPU):
        recording = Recording(statistics=EVERY)
        for name, odd in (("nan", torch.nan), ("two", 2.0), ("infinity", torch.inf)):
            values = torch.ones(3, 2, 4, device=device)
            values[1, 1, 2] = odd
            recording.observe(name, values)
        recordings.append(recording)
    events = check_same(*recordings)
    found = [s.counts.unreliable.tolist() for s in _firing(recordings[0])]
    assert found == [[True, False], [False, True], [True, False]], found
    return f"{events} events, 3 layers unreliable"


def _firing(recording: Recording) -> list[Any]:
    return [layer.statistics[0] for layer in recording._layers.values()]


@check("a recording on the device is saved, loaded and merged as one on the CPU")
def saved(machine: Machine) -> str:
    torch.manual_seed(0)
    both = Both(plain_case(), machine, ALL)
    with tempfile.TemporaryDirectory() as folder:
        both.run(both.x)
        both.observe()
        path = Path(folder, "recording")
        both.recording.save(path)
        loaded = Recording.load(path)
    both.recording.merge(loaded)
    other = Recording(statistics=ALL)
    other.merge(both.reference)
    both.reference.merge(other)
    return both.check()


@check("one call is warm-up enough for a CUDA graph", on=(CUDA, PRETENDED))
def warm(machine: Machine) -> str:
    case = plain_case()
    net, x = case.net.to(machine.device), case.x.to(machine.device)
    with neuroact.record(net, adapters=ADAPTERS) as recording, torch.no_grad():
        readers = [watched.reader for watched in recording._watched]
        for reader in readers:
            try:
                reader.check_capture()
                raise AssertionError("no call came, and nothing is refused")
            except UnsupportedModelError:
                pass
        case.run(net, x[:1])
        for reader in readers:
            reader.check_capture()
    return f"{len(readers)} layers"


@check("outputs and gradients are those without a recording")
def gradients(machine: Machine) -> str:
    found = []
    for recorded in (False, True):
        torch.manual_seed(0)
        case = plain_case()
        net, x = case.net.to(machine.device), case.x.to(machine.device)
        with neuroact.record(net, adapters=ADAPTERS, statistics=ALL) if recorded else nullcontext():
            case.net.reset()  # type: ignore[operator]
            out = torch.stack([net(step) for step in x])
            out.square().sum().backward()
        found.append([out.detach().cpu(), *(p.grad.cpu() for p in net.parameters())])
    assert all(map(torch.equal, *found))
    return f"{len(found[0])} tensors"


def _waits(name: str) -> Callable[[Machine], str]:
    def run(machine: Machine) -> str:
        case = FRAMEWORKS[name]()
        net, x = case.net.to(machine.device), case.x.to(machine.device)
        lengths, labels = [3] * x.shape[1], [1] * x.shape[1]
        with torch.no_grad():
            case.run(net, machine.of(x))
            with machine.no_waits():
                case.run(net, machine.of(x))  # otherwise the framework would wait
            for statistics in ([], ALL):
                x = case.x.to(machine.device)
                with neuroact.record(net, adapters=ADAPTERS, statistics=statistics) as recording:
                    case.run(net, x)
                    x = machine.of(x)
                    with machine.no_waits():
                        case.run(net, x)
                        with recording.batch(lengths=lengths):
                            case.run(net, x)
                        with recording.batch(valid=[[True] * x.shape[1]] * x.shape[0]):
                            case.run(net, x)
                        with recording.batch(labels=labels) if statistics else nullcontext():
                            case.run(net, x)
                    report = recording.report()
                    assert all(layer.sequences == 5 * x.shape[1] for layer in report.values())
        return "default and all statistics, lengths, mask, labels"

    return run


for _name in FRAMEWORKS:
    check(f"{_name}: recording never waits for the device", on=(CUDA, PRETENDED))(_waits(_name))

"""Checks of what only CUDA has, and of programs compiled for it: graphs, streams, memory, NCCL."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from figures import EVERY, STEPS, Hidden, plain_case
from machine import ADAPTERS, CPU, CUDA, Machine, Tape, check, check_same
from torch import Tensor, nn
from toy import Neuron

import neuroact
from neuroact import Recording
from neuroact.errors import UnsupportedModelError

ROOT = Path(__file__).resolve().parents[2]
PLACES = [str(ROOT / "tests/shared"), str(ROOT)]


def _run(net: Hidden, x: Tensor) -> None:
    net.reset()
    for step in x:
        net(step)


def _warm_up(net: Hidden, x: Tensor) -> None:
    """Run it once on another stream, as PyTorch requires before a capture."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        _run(net, x)
    torch.cuda.current_stream().wait_stream(stream)


class Graph:
    """A captured run over a sequence, and everything that its layers emitted."""

    def __init__(self, net: Hidden, x: Tensor) -> None:
        self.x, self.emitted = x, {"1": [], "3": []}  # type: ignore[var-annotated]
        hooks = [net[int(name)].register_forward_hook(self.keep(name)) for name in self.emitted]
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            _run(net, x)
        for hook in hooks:
            hook.remove()

    def keep(self, name: str) -> Callable[..., None]:
        return lambda module, args, out: self.emitted[name].append(out)

    def replay(self, reference: Recording) -> None:
        """Run it over other values, and feed the reference what came."""
        self.x.copy_(3 * torch.randn_like(self.x))
        self.graph.replay()
        for name, values in self.emitted.items():
            reference.observe(name, torch.stack(values).cpu())


@check("a CUDA graph counts at each replay, also after a reset", on=(CUDA,))
def graph_counts(machine: Machine) -> str:
    torch.manual_seed(0)
    net, x = Hidden().to(machine.device), 3 * torch.randn(9, 4, 5, device=machine.device)
    reference, tape = Recording(), Tape({"1": net[1], "3": net[3]})
    with neuroact.record(net, adapters=ADAPTERS) as recording, torch.no_grad():
        _warm_up(net, x)
        for name, values in tape.take().items():
            reference.observe(name, values)
        tape.close()
        graph = Graph(net, x)
        for _ in range(5):
            graph.replay(reference)
        events = check_same_counts(recording, reference)
        recording.reset()
        reference = Recording()
        for _ in range(3):
            graph.replay(reference)
        events += check_same_counts(recording, reference)
        _run(net, x)  # without the graph the sequence continues
        assert recording.report()["1"].sequences == 4 * 4
    return f"{events:,} spikes, 8 replays"


def check_same_counts(recording: Recording, reference: Recording) -> int:
    """Raise unless reports agree. A graph's sequences are counted, but not known to be open."""
    ours, theirs = recording.report(), reference.report()
    for name, layer in theirs.items():
        assert ours[name].events.tolist() == layer.events.tolist(), name
        assert ours[name].observations == layer.observations, name
        assert ours[name].sequences == layer.sequences, name
    return int(sum(layer.events.sum() for layer in theirs.values()))


@check("a network that a CUDA graph counts in is refused on another device", on=(CUDA,))
def graph_stays(machine: Machine) -> str:
    net, x = Hidden().to(machine.device), torch.randn(3, 4, 5, device=machine.device)
    with neuroact.record(net, adapters=ADAPTERS) as recording, torch.no_grad():
        _warm_up(net, x)
        with torch.cuda.graph(torch.cuda.CUDAGraph()):
            _run(net, x)
        before = recording.report()
        refused = []
        try:
            _run(net.cpu(), x.cpu())
        except UnsupportedModelError as error:
            refused.append(error.layer)
        assert refused == ["1"], refused
        assert dict(recording.report()) == dict(before)
    return "layer 1"


@check("a CUDA graph that is replayed after the recording harms nobody's memory", on=(CUDA,))
def graph_outlives(machine: Machine) -> str:
    net, x = Hidden().to(machine.device), 3 * torch.randn(9, 4, 5, device=machine.device)
    with neuroact.record(net, adapters=ADAPTERS) as recording, torch.no_grad():
        _warm_up(net, x)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            _run(net, x)
    del recording
    others = [torch.zeros(64, dtype=torch.int64, device=machine.device) for _ in range(1000)]
    for _ in range(20):
        graph.replay()
    assert not any(bool(other.any()) for other in others)
    return "1,000 tensors untouched"


@check("a CUDA graph that would leave counts out is refused", on=(CUDA,))
def graph_refused(machine: Machine) -> str:
    refused = []
    for statistics, warm in ((EVERY, True), ([], False)):
        net, x = Hidden().to(machine.device), torch.randn(3, 4, 5, device=machine.device)
        with neuroact.record(net, adapters=ADAPTERS, statistics=statistics), torch.no_grad():
            _warm_up(net, x) if warm else torch.cuda.synchronize()
            try:
                with torch.cuda.graph(torch.cuda.CUDAGraph()):
                    _run(net, x)
            except Exception as error:
                # That of ending a capture with nothing in it may hide it. Any other error, or none,
                # adds no layer's name, which the last line asks for.
                causes = [error, error.__context__]
                found = [e.layer for e in causes if isinstance(e, UnsupportedModelError)]
                refused += found[:1]
            torch.cuda.synchronize()
    assert refused == ["1", "1"], refused
    return "all statistics; no warm-up"


@check("sequences on streams that nobody has wait for each other", on=(CUDA,))
def streams(machine: Machine) -> str:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(512, 2048), Neuron(hidden=True)).to(machine.device)
    both = [torch.cuda.Stream(), torch.cuda.Stream()]
    x = 3 * torch.randn(20, 256, 512, device=machine.device)
    torch.cuda.synchronize()
    reference, tape = Recording(), Tape({"1": net[1]})
    with neuroact.record(net, adapters=ADAPTERS) as recording, torch.no_grad():
        for number in range(10):
            with torch.cuda.stream(both[number % 2]):
                net[1].mem = None
                for step in x:
                    net(step)
        report = recording.report()
    torch.cuda.synchronize()
    values = tape.take()["1"]
    for each in values.split(20):
        reference.observe("1", each)
    theirs = reference.report()["1"]
    assert report["1"].events.tolist() == theirs.events.tolist()
    assert report["1"].sequences == theirs.sequences
    return f"{int(theirs.events.sum()):,} spikes, 10 sequences on 2 streams"


@check("memory does not grow with the data", on=(CUDA,))
def memory(machine: Machine) -> str:
    case = plain_case()
    net, x = case.net.to(machine.device), case.x.to(machine.device)
    with neuroact.record(net, adapters=ADAPTERS, statistics=EVERY), torch.no_grad():
        held = []
        for count in (3, 30):
            for _ in range(count):
                case.run(net, x)
            gc.collect()
            torch.cuda.synchronize()
            held.append(torch.cuda.memory_allocated())
    assert held[0] == held[1], held
    return f"{held[0]:,} bytes after 3 and after 33 sequences"


@check("a process that only imported neuroact can be forked and use the GPU", on=(CUDA,))
def fork(machine: Machine) -> str:
    program = (
        "import os, sys, neuroact, torch\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(int(torch.ones(2, device='cuda').sum().item()) - 2)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    places = os.pathsep.join([*PLACES, *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    return "1 + 1 = 2 in the child"


@check("neuroact.distributed.merge over one rank (NCCL on a GPU, else gloo)", on=(CUDA, CPU))
def one_rank(machine: Machine) -> str:
    torch.manual_seed(0)
    case = plain_case()
    net, x = case.net.to(machine.device), case.x.to(machine.device)
    backend = "nccl" if machine.kind == CUDA else "gloo"
    if machine.kind == CUDA:
        torch.cuda.set_device(0)
    with neuroact.record(net, adapters=ADAPTERS, statistics=EVERY) as recording, torch.no_grad():
        case.run(net, x)
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group(backend, init_method=f"file://{folder}/ranks", rank=0, world_size=1)
        try:
            merged = neuroact.distributed.merge(recording)
            valid = neuroact.distributed.valid_samples([0, 1, 1])
        finally:
            dist.destroy_process_group()
    assert valid.tolist() == [True, True, False]
    report = merged.report()
    assert dict(report) == dict(recording.report())
    return f"{backend}, {report['1'].observations} observations"


class Stacked(nn.Module):
    """Two layers; returns what each emitted, and the state that each left."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(5, 7), Neuron()
        self.fc2, self.lif2 = nn.Linear(7, 3), Neuron()

    def forward(self, x: Tensor, one: Tensor, two: Tensor) -> tuple[Tensor, ...]:
        first, one = self.lif1(self.fc1(x), one)
        second, two = self.lif2(3 * self.fc2(first), two)
        return first, second, one, two


def _compiled(statistics: Sequence[Any], mode: str | None) -> Callable[[Machine], str]:
    def run(machine: Machine) -> str:
        torch.manual_seed(0)
        torch.compiler.reset()
        net, reference = Stacked().to(machine.device), Recording(statistics=statistics)
        x = 3 * torch.randn(STEPS, 6, 5, device=machine.device)
        on_gpu = machine.kind == CUDA
        how: dict[str, Any] = {"mode": mode} if on_gpu else {"backend": "aot_eager"}
        step = torch.compile(net, fullgraph=True, dynamic=False, **how)

        def sequence() -> None:
            one, two = (torch.zeros(6, size, device=machine.device) for size in (7, 3))
            emitted: list[list[Tensor]] = [[], []]
            for row in x:
                first, second, one, two = step(row, one, two)
                if mode is not None:  # the next call writes to the same memory
                    first, second, one, two = (t.clone() for t in (first, second, one, two))
                emitted[0].append(first)
                emitted[1].append(second)
            kept.append([torch.stack(each) for each in emitted])

        kept: list[list[Tensor]] = []
        recording = neuroact.record(net, adapters=ADAPTERS, statistics=statistics)
        with recording, torch.no_grad():
            sequence()
            sequence()
            if mode is None:
                with machine.no_waits():
                    sequence()
            report = recording.report()
        for first, second in kept:
            reference.observe("lif1", first)
            reference.observe("lif2", second)
        if mode is None:
            events = check_same(recording, reference)
        else:  # a copied state starts a sequence at each step
            theirs = reference.report()
            for name, layer in theirs.items():
                assert report[name].events.tolist() == layer.events.tolist(), name
                assert report[name].observations == layer.observations, name
            events = int(sum(layer.events.sum() for layer in theirs.values()))
        return f"{events:,} spikes, no graph break"

    return run


for _name, _statistics in (("default", []), ("all statistics", EVERY)):
    check(f"compiled, {_name}: figures are the eager ones, nothing waits", on=(CUDA, CPU))(
        _compiled(_statistics, None)
    )
check('compiled with mode="reduce-overhead": the same counts', on=(CUDA,))(
    _compiled([], "reduce-overhead")
)

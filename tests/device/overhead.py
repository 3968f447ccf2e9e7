"""What recording adds to a forward pass: the benchmark's networks at batch 256.

Each round runs every way once, in rotated order, and compares each with that round's bare run. On a
GPU the time is between two events of its stream. So it includes the time of Python, wherever the
GPU has to wait for Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from figures import EVERY
from machine import ADAPTERS, CPU, CUDA, Machine, check
from networks import CASES, Case, build

import neuroact

BATCH = 256
ROUNDS = 9
SECONDS = 12  # for the rounds of one network
COMPILED = ("GSC", "conv m", "tiny snnTorch")

Way = Callable[[Case], AbstractContextManager[Any]]


@contextmanager
def bare(case: Case) -> Iterator[None]:
    yield


@contextmanager
def no_op_hook(case: Case) -> Iterator[None]:
    with ExitStack() as undo:
        for layer in case.layers:
            undo.callback(layer.register_forward_hook(lambda module, args, output: None).remove)
        yield


def recorded(*statistics: Any) -> Way:
    return lambda case: neuroact.record(case.net, adapters=ADAPTERS, statistics=statistics)


WAYS: dict[str, Way] = {
    "bare, once more": bare,
    "no-op hook": no_op_hook,
    "default": recorded(),
    "all statistics": recorded(*EVERY),
}


def case_on(name: str, machine: Machine) -> Case:
    """The network, and a batch of 256 samples; on a CPU two samples of a few steps."""
    case = build(name)
    case.net.to(machine.device)
    steps, _, *rest = case.x.shape
    steps, batch = (steps, BATCH) if machine.kind == CUDA else (min(steps, 4), 2)
    x = float(case.x.max()) * torch.rand(steps, batch, *rest, device=machine.device)
    return replace(case, x=x)


def milliseconds(machine: Machine, work: Callable[[], None]) -> float:
    if machine.kind != CUDA:
        start = time.thread_time()
        work()
        return 1000 * (time.thread_time() - start)
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    began.record()
    work()
    ended.record()
    ended.synchronize()
    return began.elapsed_time(ended)


def figure(machine: Machine, ways: Mapping[str, Callable[[], float]]) -> str:
    """Median milliseconds of the first way, and the percent that each other way adds."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    names, began = list(ways), time.perf_counter()
    for number in range(ROUNDS if machine.kind == CUDA else 1):
        if number > 2 and time.perf_counter() - began > SECONDS:
            break
        at = number % len(names)
        for name in names[at:] + names[:at]:
            found[name].append(ways[name]())
    base = np.array(found.pop(names[0]))
    adds = []
    for name, each in found.items():
        low, middle, high = np.quantile(100 * (np.array(each) / base - 1), [0.25, 0.5, 0.75])
        adds.append(f"{name} {middle:+.1f} % ({low:.1f} to {high:.1f})")
    size = f"batch {BATCH}, {len(base)} rounds" if machine.kind == CUDA else "small, no measure"
    return f"{np.median(base):.2f} ms ({size}); {', '.join(adds)}"


def _eager(name: str) -> Callable[[Machine], str]:
    def run(machine: Machine) -> str:
        case = case_on(name, machine)

        def timed(way: Way) -> float:
            with torch.no_grad(), way(case):
                case.run(case.net, case.x[:5])
                return milliseconds(machine, lambda: case.run(case.net, case.x))

        ways = {"floor": bare, **WAYS}
        for way in ways.values():
            timed(way)
        return figure(machine, {n: lambda way=w: timed(way) for n, w in ways.items()})  # type: ignore[misc]

    return run


def _compiled(name: str) -> Callable[[Machine], str]:
    def run(machine: Machine) -> str:
        torch.compiler.reset()
        # Four networks of one class share its one `forward`, for which each of them adds programs.
        torch._dynamo.config.recompile_limit = 64
        how: dict[str, Any] = {} if machine.kind == CUDA else {"backend": "aot_eager"}
        timed: dict[str, Callable[[], float]] = {}
        with torch.no_grad(), ExitStack() as closing:
            # One network each, since opening and closing a recording makes the compiler start over.
            for way in ("floor", "bare, once more", "default", "all statistics"):
                case = case_on(name, machine)
                closing.enter_context(WAYS.get(way, bare)(case))
                step = torch.compile(case.net, dynamic=False, **how)
                timed[way] = lambda case=case, step=step: milliseconds(  # type: ignore[misc]
                    machine, lambda: case.run(step, case.x)
                )
                for _ in range(3):  # compile it: first step, next step, next sequence
                    timed[way]()
            return figure(machine, timed)

    return run


for _name in CASES:
    check(f"overhead, {_name}, eager", on=(CUDA, CPU))(_eager(_name))
for _name in COMPILED:
    # One is enough to know that it runs, since compiling takes long.
    check(f"overhead, {_name}, compiled", on=(CUDA, CPU) if "tiny" in _name else (CUDA,))(
        _compiled(_name)
    )

"""What the default recording adds to a compiled step, and to its graph breaks."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import torch
from networks import Case, build
from paired import Cost, cost
from torch._dynamo.utils import counters

import neuroact


def compiled_cost(name: str, rounds: int, **options: Any) -> tuple[float, Cost, int, int]:
    """Seconds of the compiled pass, what recording adds, graph breaks without and with it."""
    torch.compiler.reset()
    # One network each, since opening and closing a recording makes the compiler start over.
    cases, breaks = (build(name), build(name)), []
    with torch.no_grad(), ExitStack() as closing:
        closing.enter_context(neuroact.record(cases[1].net, **options))
        steps = [torch.compile(case.net, dynamic=False) for case in cases]
        for case, step in zip(cases, steps, strict=True):
            counters.clear()
            for _ in range(2):
                case.run(step, case.x)
            breaks.append(sum(counters["graph_break"].values()))
        pairs = list(zip(cases, steps, strict=True))
        found = [[seconds(case, step) for case, step in pairs] for _ in range(rounds)]
    floor = sorted(bare for bare, _ in found)[rounds // 2]
    return floor, cost(recorded / bare for bare, recorded in found), breaks[0], breaks[1]


def seconds(case: Case, step: Any) -> float:
    """Time of one batch through a compiled network."""
    began = time.thread_time()
    case.run(step, case.x)
    return time.thread_time() - began

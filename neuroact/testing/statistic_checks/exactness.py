"""The checks of a statistic: numbers stay exact, however large."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.testing.statistic_checks.case import StatisticCase, chunk, statistic_check

# 2 to these powers: just beyond what float16, float32 and int32 can count, and far below int64.
DOUBLINGS = (12, 25, 33, 40)


@statistic_check()
def large_counts(case: StatisticCase) -> None:
    """Counts beyond 2^24 and 2^31 are exact: a small count added to a large one is not lost."""
    ones = np.ones((1, 1, 2))
    for kind in case.kinds:
        large = case.fed([ones], kind)
        for doubling in range(1, DOUBLINGS[-1] + 1):
            before = large.state_dict()
            large.merge(case.resumed(large))
            _assert_no_less(large.state_dict(), before)
            if doubling in DOUBLINGS:
                _assert_adds(case, large, kind, f"2^{doubling}")


def _assert_adds(case: StatisticCase, large: Any, kind: SignalKind, count: str) -> None:
    """Adding 64 events one by one is the same as adding them at once."""
    one = np.ones((1, 1, 2))
    singly, at_once = case.resumed(large), case.resumed(large)
    for _ in range(64):
        singly.merge(case.fed([one], kind))
    at_once.merge(case.fed([one] * 64, kind))
    case.assert_same(singly, at_once, f"64 events merged into {count} one by one and at once")
    singly, at_once = case.resumed(large), case.resumed(large)
    for _ in range(64):
        singly.update(chunk(one, kind))
    at_once.update(chunk(np.ones((1, 64, 2)), kind))
    case.assert_same(singly, at_once, f"64 events beside {count} one by one and at once")


def _assert_no_less(after: dict[str, Tensor], before: dict[str, Tensor]) -> None:
    for name, tensor in before.items():
        grown = after[name][tuple(slice(0, size) for size in tensor.shape)]
        if tensor.dtype is torch.bool or tensor.shape != grown.shape:
            continue
        assert bool((grown >= tensor).all()), (
            f"the state's {name!r} fell when a statistic was merged into itself: {tensor.dtype} "
            "overflows. Count in int64."
        )


@statistic_check()
def long_sequences(case: StatisticCase) -> None:
    """Many single steps are counted like one long chunk."""
    steps = 300
    for kind in case.kinds:
        for value in (0.0, 1.0):
            values = torch.full((steps, 1, 2), value, dtype=torch.bfloat16)
            singly = case.build()
            for at, step in enumerate(values):
                singly.update(SpikeChunk.of_step(step, kind, starts_sequence=at == 0))
            at_once = case.fed([values], kind)
            case.assert_same(singly, at_once, f"{steps} steps of {value} one by one and at once")


CHECKS = (large_counts, long_sequences)

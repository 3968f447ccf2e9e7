"""The checks of an adapter: the modes and dtypes in which a model is run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch

from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.asserting import assert_read_truly, assert_runs_by_itself
from neuroact.testing.example import Limit
from neuroact.testing.playing import AdapterCase, Player, Run, usual_runs

DTYPES = {
    Limit.FLOAT64: torch.float64,
    Limit.FLOAT16: torch.float16,
    Limit.BFLOAT16: torch.bfloat16,
}


AUTOCAST = partial(torch.autocast, "cpu", torch.bfloat16)


@adapter_check()
def train_and_eval(case: AdapterCase) -> None:
    """Runs in training mode and in evaluation mode are read right."""
    for training in (True, False):
        player = Player(case)
        player.model.train(training)
        assert_read_truly(player, usual_runs(case.example))


@adapter_check()
def no_grad(case: AdapterCase) -> None:
    """Runs without gradients are read right."""
    assert_read_truly(Player(case, torch.no_grad), usual_runs(case.example))


@adapter_check(Limit.INFERENCE)
def inference_mode(case: AdapterCase) -> None:
    """Runs in inference mode are read right, also sequences that continue."""
    _assert_mode(case, Limit.INFERENCE, torch.inference_mode)


@adapter_check(Limit.AUTOCAST)
def autocast(case: AdapterCase) -> None:
    """Runs under autocast are read right."""
    _assert_mode(case, Limit.AUTOCAST, AUTOCAST)


@adapter_check(Limit.FLOAT64)
def float64(case: AdapterCase) -> None:
    """A model in float64 is read right."""
    _assert_mode(case, Limit.FLOAT64)


@adapter_check(Limit.FLOAT16)
def float16(case: AdapterCase) -> None:
    """A model in float16 is read right."""
    _assert_mode(case, Limit.FLOAT16)


@adapter_check(Limit.BFLOAT16)
def bfloat16(case: AdapterCase) -> None:
    """A model in bfloat16 is read right."""
    _assert_mode(case, Limit.BFLOAT16)


def _assert_mode(
    case: AdapterCase,
    limit: Limit,
    around: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    example, dtype = case.example, DTYPES.get(limit)
    runs = [*usual_runs(example)]
    if case.without(Limit.STATE, Limit.CARRY_ON):
        runs.append(Run(runs[-1].steps, runs[-1].batch, continues=True))
    assert_runs_by_itself(Player(case, around, dtype), runs, limit)
    assert_read_truly(Player(case, around, dtype), runs)


CHECKS = (train_and_eval, no_grad, inference_mode, autocast, float64, float16, bfloat16)

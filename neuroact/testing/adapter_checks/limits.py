"""A check of the example itself: its limits are true."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.adapter_checks.modes import AUTOCAST, DTYPES
from neuroact.testing.example import AdapterExample, Limit
from neuroact.testing.playing import AdapterCase, Player, Run, usual_runs

Attempt = Callable[[AdapterCase, AdapterExample], object]


def _in(
    limit: Limit, around: Callable[[], AbstractContextManager[object]] = nullcontext
) -> Attempt:
    return lambda case, example: Player(case, around, DTYPES.get(limit)).play(usual_runs(example))


_TRIED: dict[Limit, Attempt] = {
    Limit.ONE_SAMPLE: lambda case, e: Player(case).play([Run(e.steps, 1)] * 2),
    Limit.NO_SAMPLE: lambda case, e: Player(case).play([Run(e.steps, 0)] * 2),
    Limit.ONE_STEP: lambda case, e: Player(case).play([Run(1, e.samples)] * 2),
    Limit.INFERENCE: _in(Limit.INFERENCE, torch.inference_mode),
    Limit.AUTOCAST: _in(Limit.AUTOCAST, AUTOCAST),
    **{limit: _in(limit) for limit in DTYPES},
}


@adapter_check(applies=lambda case: bool(case.example.limits & {*_TRIED}))
def true_limits(case: AdapterCase) -> None:
    """The model really cannot do what the example's limits say."""
    for limit, attempt in _TRIED.items():
        if limit in case.example.limits and _succeeds(case, attempt):
            raise AssertionError(
                f"limits says that the model cannot {limit.value}, but it can: take "
                f"Limit.{limit.name} out, so that it is checked"
            )


def _succeeds(case: AdapterCase, attempt: Attempt) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A framework may compile something in its first calls, and only then be able to run more.
        Player(case).play([*usual_runs(case.example)] * 2)
        try:
            attempt(case, case.example)
        except Exception:
            return False
    return True


CHECKS = (true_limits,)

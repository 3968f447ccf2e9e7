"""The checks of an adapter: the modes, types and ways in which a model is run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

import neuroact
from neuroact.report.activity_report import ActivityReport
from neuroact.testing.adapter_checks import adapter_check
from neuroact.testing.asserting import assert_read_truly, assert_runs_by_itself
from neuroact.testing.example import AdapterExample, Limit
from neuroact.testing.figures import assert_true_figures
from neuroact.testing.playing import AdapterCase, Player, Run, usual_runs
from neuroact.testing.raw import RawRecorder

_DTYPES = {
    Limit.FLOAT64: torch.float64,
    Limit.FLOAT16: torch.float16,
    Limit.BFLOAT16: torch.bfloat16,
}
_AUTOCAST = partial(torch.autocast, "cpu", torch.bfloat16)


@adapter_check()
def train_and_eval(case: AdapterCase) -> None:
    """Both modes are read right."""
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
    """Runs in inference mode are read right, sequences that go on too."""
    _assert_mode(case, Limit.INFERENCE, torch.inference_mode)


@adapter_check(Limit.AUTOCAST)
def autocast(case: AdapterCase) -> None:
    """Runs under autocast are read right."""
    _assert_mode(case, Limit.AUTOCAST, _AUTOCAST)


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
    example, dtype = case.example, _DTYPES.get(limit)
    runs = [*usual_runs(example)]
    if case.without(Limit.STATE, Limit.CARRY_ON):
        runs.append(Run(runs[-1].steps, runs[-1].batch, goes_on=True))
    assert_runs_by_itself(Player(case, around, dtype), runs, limit)
    assert_read_truly(Player(case, around, dtype), runs)


@adapter_check()
def figures(case: AdapterCase) -> None:
    """A recording's figures are NumPy's on the raw outputs."""
    player = Player(case)
    names = list(case.example.layers)
    with (
        RawRecorder(player.model, names) as raw,
        neuroact.record(player.model, layers=names, adapters=[case.adapter]) as recording,
    ):
        player.play(usual_runs(case.example), raw)
    report = recording.report()
    for name, layer in case.example.layers.items():
        assert_true_figures(report[name], layer, raw.calls[name], stateless=_stateless(case))


@adapter_check()
def used_twice(case: AdapterCase) -> None:
    """A model that stands at two places in another one is recorded once, with all its calls."""
    player = Player(case)
    names = {f"first.{name}".removesuffix(".model"): name for name in case.spiking}
    if not names:
        return
    both = nn.ModuleDict({"first": player.model, "second": player.model})
    with (
        RawRecorder(both, names) as raw,
        neuroact.record(both, adapters=[case.adapter]) as recording,
    ):
        player.play(usual_runs(case.example), raw)
    assert list(recording.layers) == list(names), (
        f"expected the layers {list(names)} once each, came {list(recording.layers)}"
    )
    report = recording.report()
    for name, own in names.items():
        layer = case.example.layers[own]
        assert_true_figures(report[name], layer, raw.calls[name], stateless=_stateless(case))


def _stateless(case: AdapterCase) -> bool:
    return not case.without(Limit.STATE)


@adapter_check(Limit.COMPILE)
def compiled(case: AdapterCase) -> None:
    """A model under torch.compile gives the figures that it gives without."""
    # One shape: programs made anew for others are the compiler's matter, and cost seconds each.
    runs = [Run(case.example.steps, case.example.samples)] * 2
    plain = _figures(case, runs, lambda model: model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's own, about the framework's code
        try:
            under = _figures(case, runs, _compiled)
        except Exception:
            by_itself = Player(case)
            by_itself.called = _compiled(by_itself.model)
            assert_runs_by_itself(by_itself, runs, Limit.COMPILE)
            raise
    for name in case.example.layers:
        ours, theirs = plain[name], under[name]
        same = np.array_equal(ours.events, theirs.events)
        same &= (ours.observations, ours.sequences) == (theirs.observations, theirs.sequences)
        assert same, (
            f'layer "{name}": expected {ours.events.sum()} events in {ours.observations} '
            f"observations of {ours.sequences} sequences, as without torch.compile, came "
            f"{theirs.events.sum()} in {theirs.observations} of {theirs.sequences}. Look in `read` "
            "and `state` for what is decided while the graph is traced, and holds for one call."
        )


def _figures(
    case: AdapterCase, runs: Sequence[Run], wrapped: Callable[[nn.Module], Any]
) -> ActivityReport:
    player = Player(case)
    player.called = wrapped(player.model)
    with neuroact.record(
        player.called, layers=list(case.example.layers), adapters=[case.adapter]
    ) as recording:
        player.play(runs)
    return recording.report()


def _compiled(model: nn.Module) -> Any:
    torch.compiler.reset()
    return torch.compile(model, backend="eager")


@adapter_check(applies=lambda case: bool(case.example.limits & {*_TRIED}))
def true_limits(case: AdapterCase) -> None:
    """What the example says that the model cannot do, it cannot do."""
    for limit, attempt in _TRIED.items():
        if limit in case.example.limits and _succeeds(case, attempt):
            raise AssertionError(
                f"limits says that the model cannot {limit.value}, and it can: take "
                f"Limit.{limit.name} out, and have it checked"
            )


Attempt = Callable[[AdapterCase, AdapterExample], object]


def _succeeds(case: AdapterCase, attempt: Attempt) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # What a framework compiles in its first calls may decide what it can do in later ones.
        Player(case).play([*usual_runs(case.example)] * 2)
        try:
            attempt(case, case.example)
        except Exception:
            return False
    return True


def _in(
    limit: Limit, around: Callable[[], AbstractContextManager[object]] = nullcontext
) -> Attempt:
    return lambda case, example: Player(case, around, _DTYPES.get(limit)).play(usual_runs(example))


_TRIED: dict[Limit, Attempt] = {
    Limit.ONE_SAMPLE: lambda case, e: Player(case).play([Run(e.steps, 1)] * 2),
    Limit.NO_SAMPLE: lambda case, e: Player(case).play([Run(e.steps, 0)] * 2),
    Limit.ONE_STEP: lambda case, e: Player(case).play([Run(1, e.samples)] * 2),
    Limit.INFERENCE: _in(Limit.INFERENCE, torch.inference_mode),
    Limit.AUTOCAST: _in(Limit.AUTOCAST, _AUTOCAST),
    **{limit: _in(limit) for limit in _DTYPES},
}

CHECKS = (
    train_and_eval,
    no_grad,
    inference_mode,
    autocast,
    float64,
    float16,
    bfloat16,
    figures,
    used_twice,
    compiled,
    true_limits,
)

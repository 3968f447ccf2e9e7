"""The checks of an adapter: what a recording of the model reports."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

import neuroact
from neuroact.report.activity_report import ActivityReport
from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.asserting import assert_runs_by_itself
from neuroact.testing.example import Limit
from neuroact.testing.figures import assert_true_figures
from neuroact.testing.playing import AdapterCase, Player, Run, usual_runs
from neuroact.testing.raw import RawRecorder


@adapter_check()
def figures(case: AdapterCase) -> None:
    """A recording's figures are NumPy's on the raw outputs."""
    player = Player(case)
    names = list(case.example.layers)
    with (
        RawRecorder(player.model, case.example.layers) as raw,
        neuroact.record(player.model, layers=names, adapters=[case.adapter]) as recording,
    ):
        player.play(usual_runs(case.example), raw)
    report = recording.report()
    for name, layer in case.example.layers.items():
        assert_true_figures(report[name], layer, raw.calls[name], stateless=_stateless(case))


@adapter_check()
def used_twice(case: AdapterCase) -> None:
    """A model that is in two places of another one is recorded once, with all its calls."""
    player = Player(case)
    names = {f"first.{name}".removesuffix(".model"): name for name in case.spiking}
    if not names:
        return
    both = nn.ModuleDict({"first": player.model, "second": player.model})
    with (
        RawRecorder(both, {n: case.example.layers[own] for n, own in names.items()}) as raw,
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
    """A model has the same figures under torch.compile as without it."""
    # One shape only: for each other shape the compiler makes a new program, which takes seconds.
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
            "and `state` for decisions that are made once, while the graph is traced."
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


CHECKS = (figures, used_twice, compiled)

"""The checks of an adapter: where sequences start, and sequences of other sizes."""

from __future__ import annotations

from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.asserting import (
    assert_read_truly,
    assert_runs_by_itself,
    assert_start,
    assert_values,
)
from neuroact.testing.example import Limit
from neuroact.testing.playing import AdapterCase, Player, Run, usual_runs


@adapter_check()
def sequence_starts(case: AdapterCase) -> None:
    """A sequence starts with the first call after a reset, and with no other."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert_start(call, case.example)


@adapter_check(Limit.STATE, Limit.CARRY_ON)
def carried_state(case: AdapterCase) -> None:
    """A run that is given the state of the run before continues its sequence."""
    example = case.example
    run = Run(example.steps, example.samples)
    continuing = Run(example.steps, example.samples, continues=True)
    assert_read_truly(Player(case), (run, continuing, continuing, run, continuing))


@adapter_check(Limit.STATE, Limit.CARRY_ON)
def detached_state(case: AdapterCase) -> None:
    """A state detached between runs, as in truncated backpropagation, starts no sequence."""
    example = case.example
    run = Run(example.steps, example.samples)
    detached = Run(example.steps, example.samples, continues=True, detached=True)
    assert_read_truly(Player(case), (run, detached, detached))


@adapter_check(Limit.STATE, Limit.CARRY_ON, Limit.BATCH, Limit.OTHER_BATCHES)
def changed_batch(case: AdapterCase) -> None:
    """A batch of another size starts a sequence, since its state has to be replaced.

    If the framework refuses a state of another batch size, there is nothing to check.
    """
    example = case.example
    runs = (
        Run(example.steps, example.batch),
        Run(example.steps, example.batch - 1, continues=True),
    )
    try:
        Player(case).play(runs)
    except Exception:
        return
    for call in Player(case).watch().play(runs):
        expected = call.number == 0
        assert call.chunk.starts_sequence is expected, (
            f"{call}: expected starts_sequence={expected}, came {call.chunk.starts_sequence}. A "
            "state of another batch size cannot be the state that this call started from."
        )


@adapter_check()
def many_models(case: AdapterCase) -> None:
    """One adapter reads two models in turn, and does not mix them up."""
    example = case.example
    players = [Player(case, seed=seed).watch() for seed in (0, 1)]
    continues = case.without(Limit.STATE, Limit.CARRY_ON)
    for run in (
        Run(example.steps, example.samples),
        Run(example.steps, example.samples, continues=continues),
    ):
        for player in players:
            player.run(run)
    for player in players:
        for call in player.calls:
            assert_values(call, example.layers[call.layer])
            assert_start(call, example)


@adapter_check(Limit.ONE_STEP, Limit.OTHER_LENGTHS)
def one_step(case: AdapterCase) -> None:
    """A sequence of one time step is read right."""
    _assert_short_run(case, Run(1, case.example.samples), Limit.ONE_STEP)


@adapter_check(Limit.ONE_SAMPLE, Limit.OTHER_BATCHES)
def one_sample(case: AdapterCase) -> None:
    """A batch of one sample is read right, and keeps its axis."""
    _assert_short_run(case, Run(case.example.steps, 1), Limit.ONE_SAMPLE)


@adapter_check(Limit.NO_SAMPLE, Limit.OTHER_BATCHES, Limit.BATCH)
def no_sample(case: AdapterCase) -> None:
    """An empty batch is read right."""
    _assert_short_run(case, Run(case.example.steps, 0), Limit.NO_SAMPLE)


def _assert_short_run(case: AdapterCase, run: Run, limit: Limit) -> None:
    assert_runs_by_itself(Player(case), (run, run), limit)
    assert_read_truly(Player(case), (run, run))


CHECKS = (
    sequence_starts,
    carried_state,
    detached_state,
    changed_batch,
    many_models,
    one_step,
    one_sample,
    no_sample,
)

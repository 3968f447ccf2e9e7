"""The checks of an adapter: copies of a recorded model, and what stays in memory."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from neuroact.recording.recording import Recording
from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.adapter_checks.untouched import assert_same_tensors, recorded, unrecorded
from neuroact.testing.example import ExpectedLayer
from neuroact.testing.playing import AdapterCase, Player, Run, usual_runs
from neuroact.testing.raw import module_of, tensors_in
from neuroact.testing.watching import see_calls


@adapter_check()
def copies(case: AdapterCase) -> None:
    """A recorded model can still be copied and pickled, and its copies are not recorded."""
    runs = usual_runs(case.example)[:1]
    for way in (copy.deepcopy, _through_pickle):
        bare = Player(case)
        bare.play(runs)
        try:
            bare.model = bare.called = way(bare.model)
            bare.play(runs)
        except Exception:
            continue  # the model cannot be copied this way, recorded or not
        _assert_copied(case, way, runs, bare)


def _assert_copied(
    case: AdapterCase, way: Callable[[Any], Any], runs: Sequence[Run], bare: Player
) -> None:
    player = Player(case)
    with recorded(case)(player.model) as recording:
        player.play(runs)
        before = _counts(recording)
        player.model = player.called = way(player.model)
        player.play(runs)
        after = _counts(recording)
    assert before == after, (
        f"a copy made by {way.__name__.strip('_')} while recording is counted in the recording of "
        "the original"
    )
    assert_same_tensors(tensors_in(bare.output), tensors_in(player.output), "outputs of a copy")


def _through_pickle(model: nn.Module) -> Any:
    return pickle.loads(pickle.dumps(model))  # its own bytes


def _counts(recording: Recording) -> list[tuple[str, int]]:
    return [(name, layer.observations) for name, layer in recording.report().items()]


@adapter_check()
def nothing_kept(case: AdapterCase) -> None:
    """An adapter keeps neither outputs nor the model alive."""

    def survivors(watched: bool) -> tuple[int, bool]:
        player = Player(case)
        refs: list[weakref.ref[Any]] = []
        for name, layer in case.example.layers.items():
            _note_storages(module_of(player.model, name), layer, refs)
        with (recorded(case) if watched else unrecorded)(player.model):
            player.play([Run(case.example.steps, case.example.samples)])
        model = weakref.ref(player.model)
        del player
        gc.collect()
        return sum(ref() is not None for ref in refs), model() is not None

    (outputs, model), (plain_outputs, plain_model) = survivors(True), survivors(False)
    assert outputs <= plain_outputs, (
        f"{outputs - plain_outputs} outputs are still in memory after the model is gone, and "
        "their autograd graph with them. An adapter must keep nothing of a call: look for "
        "attributes of the adapter that `read` sets."
    )
    assert model <= plain_model, (
        "the model is still in memory after everything else let go of it. Keep what the adapter "
        "remembers of a module in a weakref.WeakKeyDictionary."
    )


def _note_storages(module: nn.Module, layer: ExpectedLayer, refs: list[weakref.ref[Any]]) -> None:
    def note(args: Any, kwargs: Any, output: Any) -> None:
        spikes = layer.spikes(layer.emitted(module, output))
        refs.append(weakref.ref(spikes.untyped_storage()))

    see_calls(module, None, note)


CHECKS = (copies, nothing_kept)

"""The checks of an adapter: what it finds, and what it reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

import neuroact
from neuroact.errors import NoSpikingLayersError
from neuroact.layers.adapter import Adapter, InputAdapter, LayerCall
from neuroact.layers.names import named_modules
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.testing.asserting import (
    assert_axes,
    assert_read_truly,
    assert_runs_by_itself,
    assert_start,
    assert_values,
    described,
)
from neuroact.testing.example import ExpectedLayer, Limit
from neuroact.testing.outcomes import Check
from neuroact.testing.playing import AdapterCase, Player, ReadCall, Run, usual_runs
from neuroact.testing.raw import RawRecorder, in_order, module_of

FEW_LEVELS = 64
Function = Callable[[AdapterCase], None]


def adapter_check(
    *limits: Limit, applies: Callable[[AdapterCase], bool] = lambda case: True
) -> Callable[[Function], Check[AdapterCase]]:
    """Make a function a check by its name, its claim the docstring's first line.

    Args:
        *limits: those with which it is left out.
        applies: says more of when it applies.
    """

    def made(run: Function) -> Check[AdapterCase]:
        claim = (run.__doc__ or "").strip().splitlines()[0].rstrip(".")
        return Check(run.__name__, claim, run, lambda case: case.without(*limits) and applies(case))

    return made


@adapter_check()
def interface(case: AdapterCase) -> None:
    """The adapter has `framework`, `kind` and `read`, and is an instance."""
    adapter: Any = case.adapter
    assert not isinstance(adapter, type), "expected an adapter, came a class: pass an instance"
    assert isinstance(adapter, Adapter), f"{described(adapter)} lacks framework, kind or read"
    name = adapter.framework
    assert isinstance(name, str), f"expected framework to be a str, came {described(name)}"
    assert re.fullmatch(r"[^\W\d]\w*", name), (
        f"expected framework to be a top-level import name, such as 'snntorch', came {name!r}: "
        "the registry looks it up among the packages of a module's classes"
    )


@adapter_check()
def telling_example(case: AdapterCase) -> None:
    """The example can tell right from wrong: all sizes differ, and neurons fire and rest."""
    example = case.example
    player = Player(case).watch()
    calls = player.play(usual_runs(example))
    for name, layer in example.layers.items():
        truths = [call.truth for call in calls if call.layer == name]
        assert truths, f'layer "{name}" was never called; look at `run` and `layers`'
        _assert_sizes_differ(name, layer, calls)
        values = np.concatenate([truth.ravel() for truth in truths])
        silent = np.count_nonzero(values == 0)
        assert layer.kind is SignalKind.ANALOG or 0 < silent < values.size, (
            f'layer "{name}": {silent} of {values.size} values are zero. Where all neurons rest '
            "or all fire, much goes unseen: draw other `inputs` or weights."
        )


def _assert_sizes_differ(name: str, layer: ExpectedLayer, calls: list[ReadCall]) -> None:
    call = next(call for call in calls if call.layer == name)
    steps = call.run.steps if "T" in layer.axes else 1
    samples = call.run.batch if "B" in layer.axes else 1
    assert call.truth.shape[:2] == (steps, samples), (
        f'layer "{name}": by `axes` {layer.axes!r} and `spikes` it emitted '
        f"{call.truth.shape[0]} steps of {call.truth.shape[1]} samples, where a run has {steps} "
        f"of {samples} a call"
    )
    sizes = [call.run.steps, call.run.batch, *call.truth.shape[2:]]
    assert len(set(sizes)) == len(sizes), (
        f'layer "{name}": steps, batch and neurons {sizes} are not all different, so that swapped '
        "axes would not show; choose other `steps`, `batch` or neurons"
    )


@adapter_check()
def layers_found(case: AdapterCase) -> None:
    """Recording the model finds the layers that emit spikes, each once, and nothing else."""
    model = case.example.build()
    try:
        with neuroact.record(model, adapters=[case.adapter]) as recording:
            found = list(recording.layers)
    except NoSpikingLayersError:
        found = []
    missing = [name for name in case.spiking if name not in found]
    extra = [name for name in found if name not in case.spiking]
    kinds = {name: _named(case.adapter.kind(module_of(model, name))) for name in missing + extra}
    assert not missing, (
        f"expected the layers {case.spiking}, and {missing} were not found: `kind` says "
        f"{kinds}, and only BINARY and GRADED are recorded without being named"
    )
    assert not extra, (
        f"expected the layers {case.spiking}, came {extra} too, of which `kind` says {kinds}. A "
        "wrapper that repeats its child's spikes, or a part of a layer whose spikes the layer "
        "itself emits, is none: `kind` gives None for it."
    )


def _named(kind: SignalKind | None) -> str:
    return "None" if kind is None else kind.name


@adapter_check()
def other_modules(case: AdapterCase) -> None:
    """`kind` gives None for every module that is no layer of the framework."""
    model = case.example.build()
    others = [m for m in named_modules(model) if m.name not in case.example.layers]
    foreign: list[tuple[str, nn.Module]] = [(m.name, m.module) for m in others]
    foreign += [("of torch", nn.Linear(2, 3)), ("of torch", nn.Sequential()), ("own", _Foreign())]
    for name, module in foreign:
        kind = case.adapter.kind(module)
        assert kind is None, (
            f'`kind` gives {kind} for the {type(module).__name__} "{name}", which `layers` of the '
            "example does not name. Name it there if it is a layer, of kind ANALOG where it emits "
            "real values; or let `kind` give None."
        )


class _Foreign(nn.Module):
    """A class that no framework has."""

    spike_fn = threshold = v_threshold = None


@adapter_check()
def axes(case: AdapterCase) -> None:
    """Time, batch and neurons lie where the protocol has them."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert_axes(call, case.example.layers[call.layer])


@adapter_check()
def values(case: AdapterCase) -> None:
    """Chunks hold the layer's spikes, as an independent recorder keeps them."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert_values(call, case.example.layers[call.layer])


@adapter_check()
def kind(case: AdapterCase) -> None:
    """`kind` and chunks say what the values are: 0 and 1, few levels, or real."""
    player = Player(case).watch()
    calls = player.play(usual_runs(case.example))
    for name, layer in case.example.layers.items():
        seen = np.unique(np.concatenate([c.truth.ravel() for c in calls if c.layer == name]))
        _assert_kind_fits(name, layer.kind, seen)
        said = case.adapter.kind(module_of(player.model, name))
        wanted = SignalKind.ANALOG if layer.recorded_by_request else layer.kind
        assert said is wanted, (
            f'layer "{name}": expected {wanted} from `kind`, came {said}. Its values are '
            f"{_shown(seen)}."
        )
    for call in calls:
        expected = case.example.layers[call.layer].kind
        assert call.chunk.kind is expected, (
            f"{call}: expected a chunk of kind {expected}, came {call.chunk.kind}. Look at the "
            "kind that `read` gives its chunks."
        )


def _assert_kind_fits(name: str, kind: SignalKind, seen: np.ndarray[Any, Any]) -> None:
    binary = bool(np.isin(seen, (0.0, 1.0)).all())
    assert binary or kind is not SignalKind.BINARY, (
        f'layer "{name}" is declared BINARY, and its values are {_shown(seen)}: it is GRADED '
        "where zero means silent, else ANALOG"
    )
    assert len(seen) <= FEW_LEVELS or kind is not SignalKind.GRADED, (
        f'layer "{name}" is declared GRADED, and emits {len(seen)} different values, '
        f"{_shown(seen)}: that is ANALOG"
    )
    assert kind is not SignalKind.ANALOG or not binary or len(seen) < 2, (
        f'layer "{name}" is declared ANALOG, and all its values are 0 or 1: that is BINARY; say '
        "by_request=True where it is to be recorded by name alone"
    )


def _shown(seen: np.ndarray[Any, Any]) -> str:
    few = ", ".join(f"{value:g}" for value in seen[:5])
    return few if len(seen) <= 5 else f"{few} and {len(seen) - 5} more"


@adapter_check()
def view(case: AdapterCase) -> None:
    """Chunks are views of what the layer returned, not copies."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert call.chunk.values.numel() == 0 or call.shares, (
            f"{call}: the chunk's values lie in memory of their own. Copying costs as much as "
            "the layer itself: look in `read` for clone, contiguous, reshape after a transpose, "
            "to(dtype), cat or stack. Where the output is in pieces or sparse and no view can do, "
            "expect this check to fail, and say so."
        )


@adapter_check()
def no_host_sync(case: AdapterCase) -> None:
    """Nothing in `read` or `state` waits for a device."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert call.chunk is not None
        assert not call.syncs, (
            f"{call}: {', '.join(dict.fromkeys(call.syncs))} waits for the device on a GPU, at "
            "each call. Look in `read` and `state` for item(), bool() or `if` of a tensor, "
            "tolist, cpu, numpy, indexing by a mask; what is fixed belongs in `kind`."
        )


@adapter_check()
def wrong_output(case: AdapterCase) -> None:
    """An output that the adapter does not know is an error, never a guess."""
    player = Player(case).watch()
    calls = {call.layer: call for call in player.play(usual_runs(case.example)[:1])}
    for name, (module, call) in player.last.items():
        wrong: list[Any] = [None, "spikes", object(), torch.zeros(3, 4, dtype=torch.complex64)]
        if "T" in case.example.layers[name].axes:
            wrong.append(torch.zeros(()))
        for output in wrong:
            _assert_refused(case.adapter, module, call, output, calls[name])


def _assert_refused(
    adapter: Adapter, module: nn.Module, call: LayerCall, output: Any, right: ReadCall
) -> None:
    try:
        read = adapter.read(module, LayerCall(call.args, call.kwargs, output, call.state))
    except Exception:
        return
    # An adapter that reads from the module, not from the output, may read on.
    same = isinstance(read, SpikeChunk) and np.array_equal(read.values.cpu().numpy(), right.truth)
    assert same, (
        f'layer "{right.layer}": given {described(output)} for an output, read came back with '
        f"{described(read)}. It has to raise, with what it expected and what came."
    )


@adapter_check(applies=lambda case: isinstance(case.adapter, InputAdapter))
def input_axes(case: AdapterCase) -> None:
    """`input_axes` says how what goes into a layer is laid out."""
    player = Player(case)
    names = list(case.example.layers)
    with (
        RawRecorder(player.model, names) as raw,
        neuroact.record(
            player.model, layers=names, of="input", adapters=[case.adapter]
        ) as recording,
    ):
        player.play(usual_runs(case.example))
    report = recording.report()
    for name, layer in case.example.layers.items():
        given = [layer.given((*c.args, *c.kwargs.values())[0]) for c in raw.calls[name]]
        true = [in_order(tensor, layer.takes or layer.axes) for tensor in given]
        events = sum((np.count_nonzero(each, axis=(0, 1)) for each in true), start=np.array(0))
        seen = sum(each.shape[0] * each.shape[1] for each in true)
        stated = f'layer "{name}", input_axes {case.adapter.input_axes(_at(player, name))!r}'  # type: ignore[attr-defined]
        assert report[name].observations == seen, (
            f"{stated}: expected {seen} pairs of step and sample, came {report[name].observations}"
        )
        samples = sum(each.shape[1] for each in true)
        assert report[name].sequences == samples, (
            f"{stated}: expected {samples} samples over all calls, came {report[name].sequences}; "
            f"by the example the layer takes {layer.takes or layer.axes!r}"
        )
        assert np.array_equal(report[name].events, events), (
            f"{stated}: the non-zero inputs per neuron are not those of {layer.takes or layer.axes}"
        )


def _at(player: Player, name: str) -> nn.Module:
    return module_of(player.model, name)


@adapter_check()
def sequence_starts(case: AdapterCase) -> None:
    """A sequence starts with the first call after a reset, and with no other."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert_start(call, case.example)


@adapter_check(Limit.STATE, Limit.CARRY_ON)
def carried_state(case: AdapterCase) -> None:
    """A run that is given the state of the run before goes on with its sequence."""
    example = case.example
    run = Run(example.steps, example.samples)
    going_on = Run(example.steps, example.samples, goes_on=True)
    assert_read_truly(Player(case), (run, going_on, going_on, run, going_on))


@adapter_check(Limit.STATE, Limit.CARRY_ON)
def detached_state(case: AdapterCase) -> None:
    """Truncated backpropagation, a state detached between runs, is no new sequence."""
    example = case.example
    run = Run(example.steps, example.samples)
    detached = Run(example.steps, example.samples, goes_on=True, detached=True)
    assert_read_truly(Player(case), (run, detached, detached))


@adapter_check(Limit.STATE, Limit.CARRY_ON, Limit.BATCH, Limit.OTHER_BATCHES)
def changed_batch(case: AdapterCase) -> None:
    """A state of another batch size is replaced, by whomever, so a sequence starts.

    Where the framework refuses such a state there is nothing to check.
    """
    example = case.example
    runs = (Run(example.steps, example.batch), Run(example.steps, example.batch - 1, goes_on=True))
    try:
        Player(case).play(runs)
    except Exception:
        return
    for call in Player(case).watch().play(runs):
        expected = call.number == 0
        assert call.chunk.starts_sequence is expected, (
            f"{call}: expected starts_sequence={expected}, came {call.chunk.starts_sequence}. A "
            "state of another batch's size cannot be the state that this call started from."
        )


@adapter_check()
def many_models(case: AdapterCase) -> None:
    """One adapter reads two models by turns, and keeps them apart."""
    example = case.example
    players = [Player(case, seed=seed).watch() for seed in (0, 1)]
    goes_on = case.without(Limit.STATE, Limit.CARRY_ON)
    for run in (
        Run(example.steps, example.samples),
        Run(example.steps, example.samples, goes_on=goes_on),
    ):
        for player in players:
            player.run(run)
    for player in players:
        for call in player.calls:
            assert_values(call, example.layers[call.layer])
            assert_start(call, example)


@adapter_check(Limit.ONE_STEP, Limit.OTHER_LENGTHS)
def one_step(case: AdapterCase) -> None:
    """A sequence of one time step is read as one."""
    _assert_short_run(case, Run(1, case.example.samples), Limit.ONE_STEP)


@adapter_check(Limit.ONE_SAMPLE, Limit.OTHER_BATCHES)
def one_sample(case: AdapterCase) -> None:
    """A batch of one sample is read as one, and keeps its axis."""
    _assert_short_run(case, Run(case.example.steps, 1), Limit.ONE_SAMPLE)


@adapter_check(Limit.NO_SAMPLE, Limit.OTHER_BATCHES, Limit.BATCH)
def no_sample(case: AdapterCase) -> None:
    """An empty batch is read as one."""
    _assert_short_run(case, Run(case.example.steps, 0), Limit.NO_SAMPLE)


def _assert_short_run(case: AdapterCase, run: Run, limit: Limit) -> None:
    assert_runs_by_itself(Player(case), (run, run), limit)
    assert_read_truly(Player(case), (run, run))


CHECKS = (
    interface,
    telling_example,
    layers_found,
    other_modules,
    axes,
    values,
    kind,
    sequence_starts,
    carried_state,
    detached_state,
    changed_batch,
    many_models,
    one_step,
    one_sample,
    no_sample,
    wrong_output,
    input_axes,
    view,
    no_host_sync,
)

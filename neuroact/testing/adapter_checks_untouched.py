"""The checks of an adapter: a recorded model is left as it was found."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import neuroact
from neuroact.recording.recording import Recording
from neuroact.testing.adapter_checks import adapter_check
from neuroact.testing.example import Limit
from neuroact.testing.playing import AdapterCase, Player, Run, usual_runs
from neuroact.testing.raw import copy_of, module_of, tensors_in

_Around = Callable[[nn.Module], AbstractContextManager[Any]]


def _recorded(case: AdapterCase) -> _Around:
    names = list(case.example.layers)
    return lambda model: neuroact.record(model, layers=names, adapters=[case.adapter])


def _bare(model: nn.Module) -> AbstractContextManager[Any]:
    return nullcontext()


@adapter_check()
def outputs_unchanged(case: AdapterCase) -> None:
    """A recorded model computes what it computes when nobody looks."""

    def computed(around: _Around) -> list[Tensor]:
        player, found = Player(case), []
        with around(player.model):
            for run in usual_runs(case.example):
                found += copy_of(tensors_in(player.run(run)))
        return [*found, *copy_of(list(player.model.buffers()))]

    _assert_same(computed(_bare), computed(_recorded(case)), "outputs and buffers")


@adapter_check(Limit.GRADIENTS)
def gradients_unchanged(case: AdapterCase) -> None:
    """A recorded model has the gradients that it has when nobody looks."""

    def computed(around: _Around) -> list[Tensor]:
        player = Player(case)
        with around(player.model):
            for run in usual_runs(case.example):
                _backward(player.run(run))
        return [
            grad
            for p in player.model.parameters()
            for grad in (torch.zeros(()) if p.grad is None else p.grad,)
        ]

    plain = computed(_bare)
    assert any(bool(grad.count_nonzero()) for grad in plain), (
        "all gradients are zero while nobody looks, which proves nothing: have `run` return an "
        "output that depends on parameters, or say limits={Limit.GRADIENTS}"
    )
    _assert_same(plain, computed(_recorded(case)), "gradients of the parameters")


def _backward(output: Any) -> None:
    outputs = [tensor for tensor in tensors_in(output) if tensor.requires_grad]
    assert outputs, (
        "the example's output needs no gradient: have `run` return the output itself, or say "
        "limits={Limit.GRADIENTS}"
    )
    losses = [(t.to_dense() if t.is_sparse else t).double().sum() for t in outputs]
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]  # torch


def _assert_same(plain: list[Tensor], recorded: list[Tensor], what: str) -> None:
    assert len(plain) == len(recorded), (
        f"expected {len(plain)} tensors of {what}, came {len(recorded)}"
    )
    for at, (ours, theirs) in enumerate(zip(plain, recorded, strict=True)):
        same = ours.shape == theirs.shape and torch.equal(
            *(torch.nan_to_num(t.to_dense() if t.is_sparse else t) for t in (ours, theirs))
        )
        assert same, (
            f"the {what} are not those that come when nobody looks: tensor {at} of {len(plain)} "
            "differs. Look in `kind`, `state` and `read` for operations in place, for random "
            "numbers, and for calls of the module itself."
        )


@adapter_check()
def random_state_unchanged(case: AdapterCase) -> None:
    """Recording draws no random number."""

    def drawn(around: _Around) -> list[Any]:
        player = Player(case)
        random.seed(3)
        np.random.seed(3)  # the global generator is what an adapter could touch
        with around(player.model):
            player.play(usual_runs(case.example))
            return [torch.get_rng_state().tolist(), random.getstate(), repr(np.random.get_state())]

    kept = random.getstate(), np.random.get_state()
    plain, recorded = drawn(_bare), drawn(_recorded(case))
    random.setstate(kept[0])
    np.random.set_state(kept[1])
    for name, ours, theirs in zip(("torch", "random", "numpy"), plain, recorded, strict=True):
        assert ours == theirs, (
            f"the random numbers of {name} that follow are others than when nobody looks. Look in "
            "`kind`, `state` and `read`; torch.random.fork_rng puts the state back."
        )


@adapter_check()
def attributes_unchanged(case: AdapterCase) -> None:
    """Attributes and hooks are those of a model that nobody looked at, also after an exception."""
    for fails in (False, True):

        def traces(around: _Around, fails: bool = fails) -> list[str]:
            player = Player(case)
            with suppress(_Stopped), around(player.model):
                player.play(usual_runs(case.example))
                if fails:
                    with suppress(Exception):
                        case.example.run(player.model, object(), None)  # type: ignore[arg-type]
                    raise _Stopped
            return _traces(player.model)

        plain, recorded = traces(_bare), traces(_recorded(case))
        differing = [(a, b) for a, b in zip(plain, recorded, strict=True) if a != b]
        when = "after an exception in the block" if fails else "after the recording"
        assert not differing, (
            f"a module is not as it was found, {when}: expected {differing[0][0]}, came "
            f"{differing[0][1]}. An adapter sets nothing on a module, and puts no hook on it."
        )


class _Stopped(Exception):  # noqa: N818  # a signal, not an error
    """Ends a block."""


def _traces(model: nn.Module) -> list[str]:
    return [
        f"{name or 'model'}: {type(m).__name__} with {sorted(vars(m))}, hooks {_hooks(m)}, "
        f"buffers {[n for n, _ in m.named_buffers(recurse=False)]}, training={m.training}, "
        f"gradients of {[n for n, p in m.named_parameters(recurse=False) if p.requires_grad]}"
        for name, m in model.named_modules()
    ]


def _hooks(module: nn.Module) -> dict[str, int]:
    held = {name: value for name, value in vars(module).items() if "hooks" in name}
    return {name: len(value) for name, value in held.items() if value}


@adapter_check()
def copies(case: AdapterCase) -> None:
    """A model that can be copied and pickled can be so while it is recorded; copies report not."""
    runs = usual_runs(case.example)[:1]
    for way in (copy.deepcopy, _through_pickle):
        bare = Player(case)
        bare.play(runs)
        try:
            bare.model = bare.called = way(bare.model)
            bare.play(runs)
        except Exception:
            continue  # the model cannot be copied so, whoever looks
        _assert_copied(case, way, runs, bare)


def _assert_copied(
    case: AdapterCase, way: Callable[[Any], Any], runs: Sequence[Run], bare: Player
) -> None:
    player = Player(case)
    with _recorded(case)(player.model) as recording:
        player.play(runs)
        before = _counts(recording)
        player.model = player.called = way(player.model)
        player.play(runs)
        after = _counts(recording)
    assert before == after, (
        f"a copy made by {way.__name__.strip('_')} while recording reports into the recording of "
        "the original"
    )
    _assert_same(tensors_in(bare.output), tensors_in(player.output), "outputs of a copy")


def _through_pickle(model: nn.Module) -> Any:
    return pickle.loads(pickle.dumps(model))  # its own bytes


def _counts(recording: Recording) -> list[tuple[str, int]]:
    return [(name, layer.observations) for name, layer in recording.report().items()]


@adapter_check()
def nothing_kept(case: AdapterCase) -> None:
    """Neither outputs nor the model are kept alive by an adapter."""

    def survivors(watched: bool) -> tuple[int, bool]:
        player = Player(case)
        refs: list[weakref.ref[Any]] = []
        for name, layer in case.example.layers.items():

            def note(
                m: Any, args: Any, output: Any, spikes: Callable[[Any], Tensor] = layer.spikes
            ) -> None:
                refs.append(weakref.ref(spikes(output).untyped_storage()))

            module_of(player.model, name).register_forward_hook(note)
        with (_recorded(case) if watched else _bare)(player.model):
            player.play([Run(case.example.steps, case.example.samples)])
        model = weakref.ref(player.model)
        del player
        gc.collect()
        return sum(ref() is not None for ref in refs), model() is not None

    (outputs, model), (plain_outputs, plain_model) = survivors(True), survivors(False)
    assert outputs <= plain_outputs, (
        f"{outputs - plain_outputs} outputs are still in memory after the model is gone, and "
        "their autograd graph with them. An adapter holds nothing of a call: look for attributes "
        "of the adapter that `read` sets."
    )
    assert model <= plain_model, (
        "the model is still in memory after all else let go of it. What an adapter remembers of a "
        "module goes into a weakref.WeakKeyDictionary."
    )


CHECKS = (
    outputs_unchanged,
    gradients_unchanged,
    random_state_unchanged,
    attributes_unchanged,
    copies,
    nothing_kept,
)

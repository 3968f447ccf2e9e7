"""The checks of an adapter: a recorded model is left as it was found."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import neuroact
from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.example import Limit
from neuroact.testing.playing import AdapterCase, Player, usual_runs
from neuroact.testing.raw import copy_of, tensors_in

Around = Callable[[nn.Module], AbstractContextManager[Any]]


def recorded(case: AdapterCase) -> Around:
    """Around a model: it is recorded."""
    names = list(case.example.layers)
    return lambda model: neuroact.record(model, layers=names, adapters=[case.adapter])


def unrecorded(model: nn.Module) -> AbstractContextManager[Any]:
    """Around a model: nothing watches it."""
    return nullcontext()


@adapter_check()
def outputs_unchanged(case: AdapterCase) -> None:
    """A recorded model computes the same as an unrecorded one."""

    def computed(around: Around) -> list[Tensor]:
        player, found = Player(case), []
        with around(player.model):
            for run in usual_runs(case.example):
                found += copy_of(tensors_in(player.run(run)))
        return [*found, *copy_of(list(player.model.buffers()))]

    assert_same_tensors(computed(unrecorded), computed(recorded(case)), "outputs and buffers")


@adapter_check(Limit.GRADIENTS)
def gradients_unchanged(case: AdapterCase) -> None:
    """A recorded model has the same gradients as an unrecorded one."""

    def computed(around: Around) -> list[Tensor]:
        player = Player(case)
        with around(player.model):
            for run in usual_runs(case.example):
                _backward(player.run(run))
        return [
            grad
            for _, p in player.model.named_parameters()
            for grad in (torch.zeros(()) if p.grad is None else p.grad,)
        ]

    plain = computed(unrecorded)
    assert any(bool(grad.count_nonzero()) for grad in plain), (
        "all gradients of the unrecorded model are zero, which proves nothing: have `run` return "
        "an output that depends on parameters, or say limits={Limit.GRADIENTS}"
    )
    assert_same_tensors(plain, computed(recorded(case)), "gradients of the parameters")


def _backward(output: Any) -> None:
    outputs = [tensor for tensor in tensors_in(output) if tensor.requires_grad]
    assert outputs, (
        "the example's output needs no gradient: have `run` return the output itself, or say "
        "limits={Limit.GRADIENTS}"
    )
    losses = [(t.to_dense() if t.is_sparse else t).double().sum() for t in outputs]
    torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]  # torch


def assert_same_tensors(plain: list[Tensor], watched: list[Tensor], what: str) -> None:
    """The tensors of a recorded model are those of one that is not."""
    assert len(plain) == len(watched), (
        f"expected {len(plain)} tensors of {what}, came {len(watched)}"
    )
    for at, (ours, theirs) in enumerate(zip(plain, watched, strict=True)):
        same = ours.shape == theirs.shape and torch.equal(
            *(torch.nan_to_num(t.to_dense() if t.is_sparse else t) for t in (ours, theirs))
        )
        assert same, (
            f"the {what} are not those of an unrecorded model: tensor {at} of {len(plain)} "
            "differs. Look in `kind`, `state` and `read` for operations in place, for random "
            "numbers, and for calls of the module itself."
        )


@adapter_check()
def random_state_unchanged(case: AdapterCase) -> None:
    """Recording draws no random number."""

    def drawn(around: Around) -> list[Any]:
        player = Player(case)
        random.seed(3)
        np.random.seed(3)  # the global generator is what an adapter could touch
        with around(player.model):
            player.play(usual_runs(case.example))
            return [torch.get_rng_state().tolist(), random.getstate(), repr(np.random.get_state())]

    kept = random.getstate(), np.random.get_state()
    plain, watched = drawn(unrecorded), drawn(recorded(case))
    random.setstate(kept[0])
    np.random.set_state(kept[1])
    for name, ours, theirs in zip(("torch", "random", "numpy"), plain, watched, strict=True):
        assert ours == theirs, (
            f"the random numbers of {name} that follow differ from those of an unrecorded run. "
            "Look in `kind`, `state` and `read`; torch.random.fork_rng restores the state."
        )


@adapter_check()
def attributes_unchanged(case: AdapterCase) -> None:
    """Attributes and hooks are those of an unrecorded model, also after an exception."""
    for fails in (False, True):

        def traces(around: Around, fails: bool = fails) -> list[str]:
            player = Player(case)
            with suppress(_Stopped), around(player.model):
                player.play(usual_runs(case.example))
                if fails:
                    with suppress(Exception):
                        case.example.run(player.model, object(), None)  # type: ignore[arg-type]
                    raise _Stopped
            return _traces(player.model)

        plain, watched = traces(unrecorded), traces(recorded(case))
        differing = [(a, b) for a, b in zip(plain, watched, strict=True) if a != b]
        when = "after an exception in the block" if fails else "after the recording"
        assert not differing, (
            f"a module is not as it was found, {when}: expected {differing[0][0]}, came "
            f"{differing[0][1]}. An adapter must not set anything on a module, nor hook it."
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


CHECKS = (outputs_unchanged, gradients_unchanged, random_state_unchanged, attributes_unchanged)

"""NeuroBench's hooks: getting them onto a model in time, and what they kept of a batch."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any

import torch
from neurobench.benchmarks import Benchmark
from torch import Tensor

from neuroact import LayerCall
from neuroact.layers.state_trace import StateTrace


class _BatchTrace(StateTrace):
    """Knows where a sequence starts without looking at state: with the first call of a batch."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        super().__init__()
        self.begun = False

    def continues(self, given: object, left: object) -> bool:
        return self.begun


# A metric's `reset` is three calls below `Benchmark.run`; a subclass may add some of its own.
_FRAMES_UP = 6


def running_model() -> Any | None:
    """The model of the `Benchmark` whose `run` is calling; None where none is near.

    NeuroBench tells a metric its model only after the first batch, when hooks that were lost have
    already missed it. Nothing but the caller's frames knows the model before.
    """
    frame = sys._getframe(1)
    for _ in range(_FRAMES_UP):
        owner = frame.f_locals.get("self")
        if isinstance(owner, Benchmark):
            return owner.model
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def prepare(model: Any) -> None:
    """Before a run's first batch: a hook on each activation layer, with nothing in it.

    Hooks are lost when another Benchmark on the same model is deleted, and hold what was run
    before by hand, or by a run that broke off. Only what is missing is mended: where each layer
    has a hook, NeuroBench's hooks stay the same ones.
    """
    hooks = live_hooks(model)
    if all(id(layer["layer"]) in hooks for layer in model.activation_layers()):
        model.reset_hooks()
    else:
        model.cleanup_hooks()
        model.register_hooks()


def live_hooks(model: Any) -> dict[int, Any]:
    """One working hook per hooked module, by the module's id.

    Two Benchmarks on one model, and a module that stands in two places, have two hooks on a
    module; each of them keeps every call.
    """
    found: dict[int, Any] = {}
    for hook in model.activation_hooks:
        if hook.hook is not None and hook.hook.id in hook.layer._forward_hooks:
            found.setdefault(id(hook.layer), hook)
    return found


def calls(hook: Any) -> Iterator[LayerCall]:
    """The calls of a hook's layer since NeuroBench last emptied it, with what each returned.

    NeuroBench keeps no keyword arguments and no state, so they are empty. Where it kept the first
    member of a tuple, the spikes, that is the output. The first call starts a sequence, the others
    go on from it: NeuroBench runs a model once a batch.

    Raises:
        ValueError: what the call returned was cut by NeuroBench and cannot be put together again.
    """
    cut, trace = _cuts_tensors(hook), _BatchTrace()
    for args, kept in zip(hook.activation_inputs, hook.activation_outputs, strict=True):
        yield LayerCall(args, {}, _whole(kept, args) if cut else kept, None, trace)
        trace.begun = True


def _cuts_tensors(hook: Any) -> bool:
    """Whether this hook keeps only row 0 of a layer's output where that is a single tensor.

    NeuroBench takes `output[0]` of snnTorch's neurons, meant for tuples: 2.1.0 always, later ones
    unless `init_hidden` says that it cannot be a tuple. Trying it out tells for every release.
    """
    if not hook.spiking:
        return False
    tried = copy.copy(hook)
    tried.activation_outputs, tried.post_fire_mem_potential = [], []
    tried.hook_fn(hook.layer, (), torch.zeros(1))
    return bool(tried.activation_outputs[0].ndim == 0)


def _whole(kept: Any, args: tuple[Any, ...]) -> Tensor:
    """What the layer returned, or the spikes where that was a tuple."""
    current = args[0] if args else None
    if not isinstance(kept, Tensor) or not isinstance(current, Tensor):
        raise ValueError(
            "this NeuroBench keeps output[0] of what it returned, and whether that is all of it "
            "shows only beside its input: pass it the input as the first argument, by position"
        )
    # All of snnTorch's neurons return as many dimensions as they take.
    return all_rows(kept, len(current)) if kept.ndim == current.ndim - 1 else kept


def all_rows(first: Tensor, count: int) -> Tensor:
    """The tensor of `count` rows that `first` is row 0 of, as a view on the same memory.

    Indexing makes views, so the other rows are still there. The rows' stride is the one that makes
    the whole dense, whatever the order of its dimensions in memory.

    Raises:
        ValueError: the memory is not that of one dense tensor of this shape.

    >>> import torch
    >>> whole = torch.arange(6.0).reshape(3, 2)
    >>> torch.equal(all_rows(whole[0], 3), whole)
    True
    """
    first = first.detach()
    stride, filled = None, 1
    for step, size in sorted(zip(first.stride(), first.shape, strict=True)):
        if size == 1:
            continue
        if step != filled and stride is None:
            stride, filled = filled, filled * count
        if step != filled:
            stride = None
            break
        filled *= size
    else:
        if stride is None:
            stride, filled = filled, filled * count
    stored = first.untyped_storage().nbytes() // first.element_size()
    if stride is None or first.storage_offset() != 0 or filled != stored:
        raise ValueError(
            f"NeuroBench kept only its first row, of shape {list(first.shape)}, and the other "
            f"{count - 1} cannot be found in memory; update NeuroBench, or build the layer with "
            "output=True"
        )
    return first.as_strided((count, *first.shape), (stride, *first.stride()))

"""NeuroBench's hooks: put on a model in time, and read after a batch."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from neurobench.benchmarks import Benchmark
from torch import Tensor

from neuroact import LayerCall
from neuroact.layers.state_trace import StateTrace


class _BatchTrace(StateTrace):
    """Starts a sequence with the first call of a batch, whatever the state."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        super().__init__()
        self.begun = False

    def continues(self, given: object, left: object) -> bool:
        return self.begun


# `Benchmark.run` is three frames above a metric's `reset`; a subclass may add some of its own.
_FRAMES_UP = 6


@dataclass(frozen=True, slots=True)
class Running:
    """A `Benchmark` whose `run` is calling.

    Attributes:
        model: its NeuroBenchModel.
        batches: how many batches the run's data loader says it has; None if it does not say.
    """

    model: Any
    batches: int | None


def running() -> Running | None:
    """The `Benchmark` whose `run` is calling; None if none is near.

    NeuroBench gives a metric its model only after the first batch. By then a lost hook has missed
    that batch. Nor does it say which batch is the last. Before the first one, only the caller's
    frames know both.
    """
    frame = sys._getframe(1)
    for _ in range(_FRAMES_UP):
        owner = frame.f_locals.get("self")
        if isinstance(owner, Benchmark):
            return Running(owner.model, _length(frame.f_locals.get("dataloader")))
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except Exception:  # a loader may be of any class
        return None


def prepare(model: Any) -> None:
    """Before a run's first batch, make sure that each activation layer has an empty hook.

    Hooks are lost when another Benchmark on the same model is deleted. They still hold what was run
    before by hand, or by a run that broke off. If each layer has a hook, NeuroBench's hooks are
    kept and only emptied.
    """
    hooks = live_hooks(model)
    if all(id(layer["layer"]) in hooks for layer in model.activation_layers()):
        model.reset_hooks()
    else:
        model.cleanup_hooks()
        model.register_hooks()


def live_hooks(model: Any) -> dict[int, Any]:
    """One working hook for each hooked module, by the module's id.

    With two Benchmarks on one model, or a module in two places, a module has two hooks. Each of
    them keeps every call.
    """
    found: dict[int, Any] = {}
    for hook in model.activation_hooks:
        if hook.hook is not None and hook.hook.id in hook.layer._forward_hooks:
            found.setdefault(id(hook.layer), hook)
    return found


def calls(hook: Any) -> Iterator[LayerCall]:
    """The calls of a hook's layer since NeuroBench last emptied the hook.

    NeuroBench keeps no keyword arguments and no state, so these are empty. Of a tuple it may keep
    only the first member, the spikes; that is then the output. The first call starts a sequence,
    and the others continue it, since NeuroBench runs a model once a batch.

    Raises:
        ValueError: NeuroBench cut the output, and it cannot be put together again.
    """
    cut, trace = _cuts_tensors(hook), _BatchTrace()
    for args, kept in zip(hook.activation_inputs, hook.activation_outputs, strict=True):
        yield LayerCall(args, {}, _whole(kept, args) if cut else kept, None, trace)
        trace.begun = True


def _cuts_tensors(hook: Any) -> bool:
    """Whether this hook keeps only row 0 of a layer's output if that is a single tensor.

    NeuroBench keeps `output[0]` of snnTorch's neurons, which is meant for tuples. 2.1.0 always
    does; later releases do unless `init_hidden` says that the output cannot be a tuple. Trying it
    out works for every release.
    """
    if not hook.spiking:
        return False
    tried = copy.copy(hook)
    tried.activation_outputs, tried.post_fire_mem_potential = [], []
    tried.hook_fn(hook.layer, (), torch.zeros(1))
    return bool(tried.activation_outputs[0].ndim == 0)


def _whole(kept: Any, args: tuple[Any, ...]) -> Tensor:
    """What the layer returned, or the spikes if that was a tuple."""
    current = args[0] if args else None
    if not isinstance(kept, Tensor) or not isinstance(current, Tensor):
        raise ValueError(
            "this NeuroBench keeps only output[0] of what it returned, and its input is needed to "
            "tell whether that is all of it: pass it the input as the first argument, by position"
        )
    # The output of snnTorch's neurons has as many dimensions as their input.
    return all_rows(kept, len(current)) if kept.ndim == current.ndim - 1 else kept


def all_rows(first: Tensor, count: int) -> Tensor:
    """The tensor of `count` rows whose row 0 is `first`, as a view of the same memory.

    Indexing makes views, so the other rows are still in memory. The rows' stride is the one that
    makes the whole tensor dense, whatever the order of its dimensions in memory.

    Raises:
        ValueError: the memory is not one dense tensor of this shape.

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

"""Watching a module's calls: a stand-in replaces `forward` on the module.

Only this file knows how calls are seen. A stand-in has four advantages over a forward hook:

- It costs a tenth.
- It has the state before and after a call in one frame.
- It sees a direct `layer.forward(x)`.
- `torch.compile` sees it also after the first compiled call.

Its price is an entry `forward` in the module's `__dict__` while the module is watched. A second
entry, `__getstate__`, keeps both out of copies and pickles.
"""

from __future__ import annotations

import copy
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn
from torch.compiler import is_compiling

from neuroact.errors import UnsupportedModelError
from neuroact.recording.threads import one_at_a_time

# Given a name in this module: if traced code used torch's, `torch.compile` would check before each
# call that it still means the same. Older releases of torch have none.
_is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)
# Looked up once, since each call of each layer asks them.
_tracing_state = torch._C._get_tracing_state
backward_pass = torch._C._current_graph_task_id  # -1 outside of one
# The innermost of torch.func's transforms under way; None if there is none.
transform = torch._C._functorch.peek_interpreter_stack
# None in a build without CUDA, so that calls need not ask. Do not ask here whether there is a GPU:
# processes forked after that question cannot use one any more.
_cuda: Any = torch.cuda if torch.backends.cuda.is_built() else None  # type: ignore[no-untyped-call]


Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]
Callbacks = Sequence[Callable[..., Any]]
"""Two functions, called before and after a call: `given = before(args, kwargs)`, and then
`after(args, kwargs, output, given)`. In a list they may be replaced, from the next call on."""


class Watcher(Protocol):
    """An object that watches a module's calls; no method may change what the module returns."""

    @property
    def callbacks(self) -> Callbacks:
        """The functions to call before and after each call of the module."""

    def traced(
        self,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        /,
    ) -> Any:
        """Run `forward` while `torch.compile` traces: record in tensors, return the output."""

    def recomputed(self, output: Any, /) -> None:
        """See what a call returned that gradient checkpointing repeated."""

    def check_capture(self) -> None:
        """Raise if `traced`, called next, could not record in the CUDA graph being captured."""


def watch(module: nn.Module, watcher: Watcher, *, passed_by: bool = False) -> Callable[[], None]:
    """Show each call of a module to a watcher.

    The watcher sees no calls of copies of the module (deep, shallow or unpickled). A call that
    gradient checkpointing repeats in the backward pass is shown as `recomputed`. One that a
    backward hook makes is a call like all others.

    Args:
        module: the module to watch.
        watcher: sees the calls.
        passed_by: whether a module around this one computes the output itself unless this one has a
            forward hook. If True, this one gets a hook, which does nothing.

    Returns:
        A function that stops the watching; calling it again does nothing.

    Raises:
        UnsupportedModelError: the module is scripted or traced, and runs no Python.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise UnsupportedModelError(
            f"a scripted or traced {type(module).__name__} runs no Python that could be "
            "recorded: record the model that it was made from"
        )
    with one_at_a_time():
        found = module.__dict__.get("forward")
        if isinstance(found, _WatchedForward):
            forward = found
        else:
            forward = _WatchedForward(module, module.forward, found)
            module.__dict__["forward"] = forward
            module.__dict__.setdefault("__getstate__", _UnwatchedState(forward))
        forward.watched_by(*forward.watchers, watcher)
        handle = module.register_forward_hook(_not_passed_by) if passed_by else None

    def undo() -> None:
        with one_at_a_time():
            if handle is not None:
                handle.remove()
            # At a second close, or one by a copy of the recording, there is nothing to take away.
            forward.watched_by(*(w for w in forward.watchers if w is not watcher))
            if not forward.watchers:
                forward.give_back()

    return undo


class _WatchedForward:
    # Stands in for a module's `forward` and shows its calls to watchers.
    # (A comment, since its __doc__ is the original's.)

    __slots__ = ("callbacks", "module", "original", "replaced", "watchers")

    def __init__(self, module: nn.Module, original: Callable[..., Any], replaced: Any) -> None:
        self.module = module
        self.original = original
        self.replaced = replaced  # `forward` in the module's __dict__ before; None if none
        self.watched_by()

    def __getattr__(self, name: str) -> Any:
        # Other attributes (`__code__`, `__self__`) are those of the original. Not `__dict__`:
        # `torch.compile` would check what is in it before each call.
        if name == "__dict__":
            raise AttributeError(name)
        return getattr(self.original, name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # of the object, not of the class
        return self.original.__doc__

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        # For code that inspects the signature: Norse looks for an argument `state`.
        return self.original

    @property
    def __globals__(self) -> dict[str, Any]:
        # The parts of PyTorch that ask for it compile the source of `forward` anew.
        if sys._getframe(1).f_globals.get("__name__", "").startswith("torch."):
            raise UnsupportedModelError(_NO_EXPORT.format("torch.export or torch.jit.script"))
        return self.original.__globals__

    def watched_by(self, *watchers: Watcher) -> None:
        """Show the calls to these watchers from now on, and to no others."""
        self.watchers = watchers
        # Most modules have one watcher: its callbacks are called directly. With none left, the
        # methods of this object would make it hold itself.
        several = (self._before_all, self._after_all) if watchers else NO_CALLBACKS
        self.callbacks = watchers[0].callbacks if len(watchers) == 1 else several

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if is_compiling():
            return self._traced(args, kwargs)
        if backward_pass() != -1 and is_recomputed():
            return self._recomputed(args, kwargs)
        if _tracing_state() is not None or (_cuda is not None and is_capturing()):
            return self._run_apart(args, kwargs)
        before, after = self.callbacks
        given = before(args, kwargs)
        # Without `*args`, a call of a Python function takes no frame in C. In some layers' steps
        # PyTorch walks through all C frames, which takes longer than counting a step.
        if kwargs or not 0 < len(args) < 3:
            output = self.original(*args, **kwargs)
        elif len(args) == 1:
            output = self.original(args[0])
        else:
            output = self.original(args[0], args[1])
        after(args, kwargs, output, given)
        return output

    def _recomputed(self, args: Arguments, kwargs: Keywords) -> Any:
        output = self.original(*args, **kwargs)
        for watcher in self.watchers:
            watcher.recomputed(output)
        return output

    def _before_all(self, args: Arguments, kwargs: Keywords) -> Any:
        callbacks = [watcher.callbacks for watcher in self.watchers]
        # The last watcher comes first before the call and last after it: it is the outermost.
        given = [before(args, kwargs) for before, _ in reversed(callbacks)]
        return [after for _, after in callbacks], given[::-1]

    def _after_all(self, args: Arguments, kwargs: Keywords, output: Any, given: Any) -> None:
        for after, each in zip(*given, strict=True):
            after(args, kwargs, output, each)

    def _run_apart(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if self.watchers and _tracing_state() is not None:
            raise UnsupportedModelError(_NO_EXPORT.format("torch.jit.trace"))
        # The call becomes a part of a CUDA graph, which repeats only what the device does.
        for watcher in self.watchers:
            watcher.check_capture()
        return self._traced(args, kwargs)

    def _traced(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if not self.watchers:
            return self.original(*args, **kwargs)
        if _is_exporting():
            # The compiler can only trace errors of simple classes.
            plain = torch.compiler.is_dynamo_compiling()
            raise (RuntimeError if plain else UnsupportedModelError)(_NO_EXPORT_BY_EXPORT)
        call = self.original
        # Most modules have one watcher: the last one needs no closure around it.
        *inner, last = self.watchers
        for watcher in inner:
            call = _within(watcher, call)
        return last.traced(call, args, kwargs)

    def give_back(self) -> None:
        """Take both entries out of the module's `__dict__`; leave what others put there since."""
        held = self.module.__dict__
        own = held.get("__getstate__")
        if isinstance(own, _UnwatchedState) and own.forward is self:
            del held["__getstate__"]
        if held.get("forward") is self:
            if self.replaced is None:
                del held["forward"]
            else:
                held["forward"] = self.replaced

    # These two, and the same of the next class, serve modules whose class copies their `__dict__`.

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., Any]:
        # The memo has the copied module before its attributes, so the method binds to the copy.
        forward: Callable[..., Any] = copy.deepcopy(self.original, memo)
        return forward

    def __reduce__(self) -> tuple[Any, ...]:
        if self.replaced is None:
            # Unpickled before the module has its attributes, so this finds its class's `forward`.
            return getattr, (self.module, "forward")
        return operator.getitem, ((self.replaced,), 0)  # `replaced` itself


class _UnwatchedState:
    """A watched module's `__getstate__`: its copies and pickles are unwatched."""

    __slots__ = ("forward",)

    def __init__(self, forward: _WatchedForward) -> None:
        self.forward = forward

    def __call__(self) -> Any:
        watched, module = self.forward, self.forward.module
        state: Any = type(module).__getstate__(module)  # type: ignore[no-untyped-call]
        if not isinstance(state, dict):
            return state
        kept = {k: v for k, v in state.items() if v is not watched and v is not self}
        if watched.replaced is not None and state.get("forward") is watched:
            kept["forward"] = watched.replaced
        hooks = kept.get("_forward_hooks", {})
        if _not_passed_by in hooks.values():
            theirs = ((key, hook) for key, hook in hooks.items() if hook is not _not_passed_by)
            kept["_forward_hooks"] = type(hooks)(theirs)
        return kept

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = memo.get(id(self.forward.module))
        return self if copied is None else copied.__getstate__

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.forward.module, "__getstate__")


def is_capturing() -> bool:
    """Whether a CUDA graph is being captured."""
    # Before CUDA is initialised there is no stream to ask, and perhaps no driver.
    used = _cuda is not None and _cuda.is_initialized()
    return bool(used and _cuda.is_current_stream_capturing())


def _not_passed_by(*_: object) -> None:
    """A forward hook that does nothing: see `passed_by`."""


def is_recomputed() -> bool:
    """Whether a call in a backward pass repeats one of the forward pass, as checkpoints do.

    A checkpoint repeats calls in the backward of an autograd function, or while it unpacks a saved
    tensor. A backward hook runs in neither.
    """
    frame = sys._getframe(2)
    while frame.f_back is not None:
        frame = frame.f_back
        name, module = frame.f_code.co_qualname, frame.f_globals.get("__name__")
        if module == "torch.autograd.graph" and name == "_engine_run_backward":
            return False  # the frames further out started this backward pass
        if module == "torch.autograd.function" and name == "BackwardCFunction.apply":
            return True
        if module == "torch.utils.checkpoint" and name.endswith("unpack_hook"):
            return True
    return False


NO_CALLBACKS: Callbacks = (lambda args, kwargs: None, lambda args, kwargs, output, given: None)
"""The callbacks if nobody watches."""


def _within(watcher: Watcher, call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: watcher.traced(call, args, kwargs)


_NO_EXPORT = (
    "a model that is being recorded cannot go through {}: the recording would become a part of "
    "the program. Close or pause the recording first; to record, run the model itself."
)
_NO_EXPORT_BY_EXPORT = _NO_EXPORT.format("torch.export")

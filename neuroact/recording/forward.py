"""The one place that knows how a layer's calls are seen: its `forward`, stood in for on the module.

A stand-in costs a tenth of a forward hook, has the state before and after a call in one frame,
sees a direct `layer.forward(x)`, and is seen by `torch.compile` also after the first compiled
call. Its price is an entry, `forward`, in the module's `__dict__` while it is watched, and another,
`__getstate__`, that keeps both out of copies and pickles.
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

# By a name of this module's own: by torch's, `torch.compile` would check before each call that it
# is torch still. Older releases have none.
_is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)
# Looked up once: they are asked at each call of each layer.
_tracing_state = torch._C._get_tracing_state
_backward_pass = torch._C._current_graph_task_id  # -1 outside of one
# A build without CUDA has no such thing, and need not be asked at each call. Whether there is a GPU
# is not asked here: processes forked after that question cannot use one any more.
_cuda: Any = torch.cuda if torch.backends.cuda.is_built() else None  # type: ignore[no-untyped-call]


Arguments = tuple[Any, ...]
Keywords = Mapping[str, Any]
Told = Sequence[Callable[..., Any]]
"""Two functions: of a call's arguments, before it runs; of these, what the call returned, and what
the first function gave, once it has run. In a list they may be replaced, from the next call on."""


class Watcher(Protocol):
    """Whoever is told of a module's calls; no verb may change what the module returns."""

    @property
    def told(self) -> Told:
        """What is called before a call of the module runs, and what after it."""

    def traced(
        self,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        /,
    ) -> Any:
        """`torch.compile` is tracing: run `forward`, return what it does, record by tensors."""

    def check_capture(self) -> None:
        """A CUDA graph is being captured: `traced` comes next. Raises where it would not do."""


def watch(module: nn.Module, watcher: Watcher, *, passed_by: bool = False) -> Callable[[], None]:
    """Have `watcher` told of each call of the module.

    Calls of copies, deep, shallow or unpickled, are not seen. A call that gradient checkpointing
    runs a second time, within the backward pass, is not either; one of a backward hook is.

    Args:
        module: whose calls.
        watcher: who is told.
        passed_by: a module around this one does its work itself, unless it sees that this one has a
            forward hook: give it one, which does nothing.

    Returns:
        The function that undoes it; calling it again does nothing.

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
            # Closed a second time, or by the copy of a recording: there is nothing to take away.
            forward.watched_by(*(w for w in forward.watchers if w is not watcher))
            if not forward.watchers:
                forward.give_back()

    return undo


class _WatchedForward:
    # Stands in for a module's `forward` and tells of its calls. (Its __doc__ is the original's.)

    __slots__ = ("module", "original", "replaced", "told", "watchers")

    def __init__(self, module: nn.Module, original: Callable[..., Any], replaced: Any) -> None:
        self.module = module
        self.original = original
        self.replaced = replaced  # what stood in for it before; None where the class's own did
        self.watched_by()

    def __getattr__(self, name: str) -> Any:
        # Whatever else is asked of a forward (`__code__`, `__self__`) is its own; but not the
        # attributes that `torch.compile` would have to look at before each call.
        if name == "__dict__":
            raise AttributeError(name)
        return getattr(self.original, name)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # of the object, not of the class
        return self.original.__doc__

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        # What looks at forward's signature, as Norse does for an argument `state`, sees its own.
        return self.original

    @property
    def __globals__(self) -> dict[str, Any]:
        # The parts of PyTorch that ask for them make another program of the forward's source.
        if sys._getframe(1).f_globals.get("__name__", "").startswith("torch."):
            raise UnsupportedModelError(_NO_EXPORT.format("torch.export or torch.jit.script"))
        return self.original.__globals__

    def watched_by(self, *watchers: Watcher) -> None:
        """Tell these of the calls from now on, and no others."""
        self.watchers = watchers
        # Looked up once: most modules have one watcher. With none left, this must not hold itself.
        several = (self._before_all, self._after_all) if watchers else UNTOLD
        self.told = watchers[0].told if len(watchers) == 1 else several

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if is_compiling():
            return self._traced(args, kwargs)
        if _backward_pass() != -1 and _is_recomputed():
            return self.original(*args, **kwargs)
        if _tracing_state() is not None or (_cuda is not None and is_capturing()):
            return self._run_apart(args, kwargs)
        before, after = self.told
        given = before(args, kwargs)
        # Called like this, a function of Python takes no frame in C. PyTorch walks through all of
        # these within some layers' steps, which takes longer than to count a step.
        if kwargs or not 0 < len(args) < 3:
            output = self.original(*args, **kwargs)
        elif len(args) == 1:
            output = self.original(args[0])
        else:
            output = self.original(args[0], args[1])
        after(args, kwargs, output, given)
        return output

    def _before_all(self, args: Arguments, kwargs: Keywords) -> Any:
        all_told = [watcher.told for watcher in self.watchers]
        # The last that came is told first, and after the call last, as if it were around the rest.
        given = [before(args, kwargs) for before, _ in reversed(all_told)]
        return [after for _, after in all_told], given[::-1]

    def _after_all(self, args: Arguments, kwargs: Keywords, output: Any, given: Any) -> None:
        for after, each in zip(*given, strict=True):
            after(args, kwargs, output, each)

    def _run_apart(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if self.watchers and _tracing_state() is not None:
            raise UnsupportedModelError(_NO_EXPORT.format("torch.jit.trace"))
        # It becomes a part of a CUDA graph, which repeats only what the device does.
        for watcher in self.watchers:
            watcher.check_capture()
        return self._traced(args, kwargs)

    def _traced(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if not self.watchers:
            return self.original(*args, **kwargs)
        if _is_exporting():
            # The compiler follows only errors whose classes are plain.
            plain = torch.compiler.is_dynamo_compiling()
            raise (RuntimeError if plain else UnsupportedModelError)(_NO_EXPORT_BY_EXPORT)
        call = self.original
        # The last one is asked without more ado: most modules have one watcher.
        *inner, last = self.watchers
        for watcher in inner:
            call = _within(watcher, call)
        return last.traced(call, args, kwargs)

    def give_back(self) -> None:
        """Leave the module's `__dict__` as it was, but for what came in after."""
        held = self.module.__dict__
        own = held.get("__getstate__")
        if isinstance(own, _UnwatchedState) and own.forward is self:
            del held["__getstate__"]
        if held.get("forward") is self:
            if self.replaced is None:
                del held["forward"]
            else:
                held["forward"] = self.replaced

    # These two, and the next class's, are for modules whose class makes copies of their `__dict__`.

    def __deepcopy__(self, memo: dict[int, Any]) -> Callable[..., Any]:
        # A copied module is in the memo before its attributes are: a method is bound to the copy.
        forward: Callable[..., Any] = copy.deepcopy(self.original, memo)
        return forward

    def __reduce__(self) -> tuple[Any, ...]:
        if self.replaced is None:
            # Unpickled before the module has its attributes, this gives its class's own forward.
            return getattr, (self.module, "forward")
        return operator.getitem, ((self.replaced,), 0)  # itself, by a name that every Python knows


class _UnwatchedState:
    """A watched module's `__getstate__`: copies and pickles are made of what it is unwatched."""

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
    """Whether what is called becomes a part of a CUDA graph."""
    # Before CUDA was used there is no stream, and without a driver there is nothing to ask.
    used = _cuda is not None and _cuda.is_initialized()
    return bool(used and _cuda.is_current_stream_capturing())


def _not_passed_by(*_: object) -> None:
    """A forward hook whose being there is all that it does."""


def _is_recomputed() -> bool:
    """Whether a call within a backward pass repeats one of the forward pass, as a checkpoint does.

    That is run by the backward of an autograd function, or where a saved tensor is unpacked. What
    a backward hook calls is not.
    """
    frame = sys._getframe(2)
    while frame.f_back is not None:
        frame = frame.f_back
        name, module = frame.f_code.co_qualname, frame.f_globals.get("__name__")
        if module == "torch.autograd.graph" and name == "_engine_run_backward":
            return False  # farther out is who started this pass
        if module == "torch.autograd.function" and name == "BackwardCFunction.apply":
            return True
        if module == "torch.utils.checkpoint" and name.endswith("unpack_hook"):
            return True
    return False


UNTOLD: Told = (lambda args, kwargs: None, lambda args, kwargs, output, given: None)
"""Of a call that nobody is told of."""


def _within(watcher: Watcher, call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: watcher.traced(call, args, kwargs)


_NO_EXPORT = (
    "a model that is being recorded cannot go through {}: what is recorded would become a part of "
    "the program. Close or pause the recording first; to record, run the model itself."
)
_NO_EXPORT_BY_EXPORT = _NO_EXPORT.format("torch.export")

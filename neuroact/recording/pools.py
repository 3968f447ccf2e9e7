"""Watches a model's average pools, and what its layers are called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from torch import Tensor, nn

from neuroact.layers.pools import Windows, pools_of
from neuroact.layers.synapses.one_weight import OneWeight
from neuroact.recording.connection import Connection
from neuroact.recording.forward import NO_CALLBACKS, Callbacks, watch
from neuroact.recording.pool import Pool


class WatchedCalls:
    """Has the calls of a module seen, once `watch` is called.

    Args:
        module: the module.
        callbacks: see its calls; as in `neuroact.recording.forward`.
        passed_by: as in `neuroact.recording.forward.watch`.
    """

    def __init__(self, module: nn.Module, callbacks: Callbacks, *, passed_by: bool = False) -> None:
        self.callbacks = callbacks
        self._start: Callable[[], Callable[[], None]] | None = partial(
            watch, module, self, passed_by=passed_by
        )
        self._undo: Callable[[], None] | None = None

    def watch(self) -> None:
        """Have the module's calls seen; does nothing if they are."""
        if self._undo is None and self._start is not None:
            self._undo = self._start()

    def unwatch(self) -> None:
        """Stop watching the module's calls."""
        if self._undo is not None:
            self._undo()
        self._undo = None

    refuse = unwatch  # in a forked process, where the layers refuse calls

    def let_go(self) -> None:
        """Stop watching for good, and hold the module no longer."""
        self.unwatch()
        self._start, self.callbacks = None, NO_CALLBACKS

    def recomputed(self, output: Any) -> None:
        """The call was seen in the forward pass."""

    def check_capture(self) -> None:
        """Let a CUDA graph be captured. Its replays are not seen, so nothing is folded."""

    @staticmethod
    def traced(
        forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], /
    ) -> Any:
        """Run a call that `torch.compile` traces. It is not seen, so nothing is folded."""
        return forward(*args, **kwargs)


def watched_pools(
    model: nn.Module, fed: Sequence[tuple[Connection, nn.Module]]
) -> tuple[dict[str, Pool], list[WatchedCalls]]:
    """The model's average pools by name, and what watches them and the layers they may feed.

    Args:
        model: the whole model.
        fed: the layers whose operations are counted, with their modules.
    """
    pools: dict[str, Pool] = {}
    watched: list[WatchedCalls] = []
    for info, module, passed_by in pools_of(model):
        pool = pools[info.name] = Pool(info, Windows.of(module))
        seen = _version_before, partial(_returned, pool, module)
        watched.append(WatchedCalls(module, seen, passed_by=passed_by))
    each = tuple(pools.values())
    for connection, module in fed if pools else ():
        # Of others, the first argument is not all that arrives.
        if type(connection.reader.synapses) is OneWeight:
            arrives = partial(_arrives, each, connection.layer.info.name)
            watched.append(WatchedCalls(module, (arrives, NO_CALLBACKS[1])))
    return pools, watched


def _version_before(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int | None:
    try:
        return int(_first(args, kwargs)._version)
    except (AttributeError, RuntimeError):  # no tensor, or one of inference mode
        return None


def _returned(
    pool: Pool, module: nn.Module, args: Any, kwargs: Mapping[str, Any], output: Any, given: Any
) -> None:
    pool.returned(module, _first(args, kwargs), given, output)


def _arrives(
    pools: tuple[Pool, ...], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    value = _first(args, kwargs)
    if type(value) is Tensor and not value.is_inference():
        with suppress(RuntimeError):  # a tensor without storage, which no pool returned
            for pool in pools:
                pool.meet(name, value)


def _first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    return args[0] if args else next(iter(kwargs.values()), None)

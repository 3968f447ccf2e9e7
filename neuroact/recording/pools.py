"""Watches a model's average pools, and what its layers are called with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from torch import Tensor, nn

from neuroact.layers.pools import Windows, pools_of
from neuroact.layers.synapses.one_weight import OneWeight
from neuroact.recording.connection import Connection
from neuroact.recording.forward import NO_CALLBACKS
from neuroact.recording.pool import Pool
from neuroact.recording.watched_calls import WatchedCalls


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

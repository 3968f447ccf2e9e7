"""The checks of a statistic: numbers that stay exact, memory that does not grow, no waiting."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import sys
import types
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuroact.errors import MergeError, NeuroactError
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.testing.same import assert_same_state
from neuroact.testing.statistic_checks import (
    LEVELS,
    StatisticCase,
    chunk,
    statistic_check,
)
from neuroact.testing.strategies import SPIKE_DTYPES
from neuroact.testing.syncs import HostSyncs

# Beyond float16, float32 and int32, each by no more than a step; far below int64.
DOUBLINGS = (12, 25, 33, 40)


@statistic_check()
def large_counts(case: StatisticCase) -> None:
    """Counts beyond 2^24 and 2^31 are exact: nothing small is lost beside something large."""
    ones = np.ones((1, 1, 2))
    for kind in case.kinds:
        large = case.fed([ones], kind)
        for doubling in range(1, DOUBLINGS[-1] + 1):
            before = large.state_dict()
            large.merge(case.resumed(large))
            _assert_no_less(large.state_dict(), before)
            if doubling in DOUBLINGS:
                _assert_adds(case, large, kind, f"2^{doubling}")


def _assert_adds(case: StatisticCase, large: Any, kind: SignalKind, count: str) -> None:
    """64 events added to it one by one are 64 events added at once."""
    one = np.ones((1, 1, 2))
    singly, at_once = case.resumed(large), case.resumed(large)
    for _ in range(64):
        singly.merge(case.fed([one], kind))
    at_once.merge(case.fed([one] * 64, kind))
    case.assert_same(singly, at_once, f"64 events merged into {count} one by one and at once")
    singly, at_once = case.resumed(large), case.resumed(large)
    for _ in range(64):
        singly.update(chunk(one, kind))
    at_once.update(chunk(np.ones((1, 64, 2)), kind))
    case.assert_same(singly, at_once, f"64 events beside {count} one by one and at once")


def _assert_no_less(after: dict[str, Tensor], before: dict[str, Tensor]) -> None:
    for name, tensor in before.items():
        grown = after[name][tuple(slice(0, size) for size in tensor.shape)]
        if tensor.dtype is torch.bool or tensor.shape != grown.shape:
            continue
        assert bool((grown >= tensor).all()), (
            f"the state's {name!r} fell when a statistic was merged into itself: {tensor.dtype} "
            "overflows. Count in int64."
        )


@statistic_check()
def long_sequences(case: StatisticCase) -> None:
    """Many steps one by one are counted as one long chunk of them."""
    steps = 300
    for kind in case.kinds:
        for value in (0.0, 1.0):
            values = torch.full((steps, 1, 2), value, dtype=torch.bfloat16)
            singly = case.build()
            for at, step in enumerate(values):
                singly.update(SpikeChunk.of_step(step, kind, starts_sequence=at == 0))
            at_once = case.fed([values], kind)
            case.assert_same(singly, at_once, f"{steps} steps of {value} one by one and at once")


@statistic_check()
def memory(case: StatisticCase) -> None:
    """Memory does not grow with the data."""
    for kind in case.kinds:
        values = np.random.default_rng(0).choice(LEVELS[kind], size=(6, 3, 4))
        statistic, sizes = case.build(), []
        for batches in (70, 210):
            for _ in range(batches):
                statistic.update(chunk(values, kind))
            sizes.append(_bytes_of(statistic))
        assert sizes[1] <= sizes[0] + 256, (
            f"after 70 equal batches it holds {sizes[0]} bytes, after 280 it holds {sizes[1]}. "
            "Keep totals per neuron, not what each batch gave."
        )


def _bytes_of(root: object) -> int:
    """Bytes of an object and of all that it alone leads to, tensors' memory included."""
    seen: set[int] = set()
    total, waiting = 0, [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, type | types.ModuleType | types.FunctionType):
            continue
        seen.add(id(value))
        total += sys.getsizeof(value)
        if isinstance(value, Tensor):
            total += value.untyped_storage().nbytes()
        elif isinstance(value, np.ndarray):
            total += value.nbytes
        else:
            waiting.extend(gc.get_referents(value))
    return total


@statistic_check()
def nothing_kept(case: StatisticCase) -> None:
    """Nothing is kept of a chunk's tensors or their graph; a state's tensors are its own."""
    for kind in case.kinds:
        weights = torch.ones(3, 2, 4, requires_grad=True)
        emitted = weights * 1.0
        statistic = case.build()
        statistic.update(SpikeChunk(emitted, kind, starts_sequence=True))
        storage = weakref.ref(emitted.untyped_storage())
        before = statistic.state_dict()
        assert not any(tensor.requires_grad for tensor in before.values()), (
            "a tensor of the state requires grad: it keeps the graph of every step alive"
        )
        with torch.no_grad():
            emitted.zero_()
        whole = case.fed([np.ones((3, 2, 4))], kind)
        assert_same_state(statistic, whole, "after the chunk's tensor was overwritten, and before")
        for tensor in statistic.state_dict().values():
            tensor.zero_()
        assert_same_state(
            statistic, whole, "after the state's tensors were overwritten, and before"
        )
        del emitted
        gc.collect()
        assert storage() is None, "the memory of a chunk's values is still held after update"


@statistic_check()
def no_host_sync(case: StatisticCase) -> None:
    """Nothing in `update` waits for a device."""
    mask = torch.tensor([[True, False], [True, True], [False, True]])
    for kind in case.kinds:
        values = torch.from_numpy(np.random.default_rng(0).choice(LEVELS[kind], size=(3, 2, 4)))
        for valid in (None, mask):
            statistic = case.build()
            for number in range(70):
                piece = SpikeChunk(values, kind, number % 3 == 0, valid)
                with HostSyncs() as syncs:
                    statistic.update(piece)
                assert not syncs.found, (
                    f"{', '.join(dict.fromkeys(syncs.found))} waits for the device on a GPU, in "
                    f"update {number + 1} of a {kind.value} layer"
                    f"{' with padding' * (valid is not None)}. Look for item(), `if` of a tensor, "
                    "tolist, cpu, numpy, nonzero, bincount, unique, indexing by a mask."
                )


@statistic_check()
def modes(case: StatisticCase) -> None:
    """Inference mode, no_grad and gradients may take turns."""
    for kind in case.kinds:
        around = itertools.cycle([torch.inference_mode, torch.enable_grad, torch.no_grad])
        statistic, plain = case.build(), case.build()
        rng = np.random.default_rng(1)
        for number, batch in enumerate((2, 2, 2, 3, 3, 3, 2, 2, 1)):
            values = rng.choice(LEVELS[kind], size=(3, batch, 5))
            valid = rng.random((3, batch)) < 0.7 if number % 2 else None
            with next(around)():
                statistic.update(chunk(values, kind, number % 4 == 0, valid))
                statistic = case.resumed(statistic) if number == 6 else statistic
                statistic.merge(case.resumed(statistic))
            plain.update(chunk(values, kind, number % 4 == 0, valid))
            plain.merge(case.resumed(plain))
        case.assert_same(statistic, plain, "in alternating modes and in one")


@statistic_check()
def layouts(case: StatisticCase) -> None:
    """Values are counted by value: their layout in memory, strides of 0 and type are no matter."""
    rng = np.random.default_rng(0)
    valid = torch.from_numpy(rng.random((4, 3)) < 0.7)
    for kind in case.kinds:
        raw = torch.from_numpy(rng.choice(LEVELS[kind], size=(4, 3, 2, 5, 6)))
        for dtype in SPIKE_DTYPES if kind is SignalKind.BINARY else (torch.float32, torch.float64):
            for name, values, plain in _laid_out(raw.to(dtype)):
                for mask in (None, valid):
                    came, whole = case.build(), case.build()
                    for at in (slice(0, 1), slice(1, 2), slice(2, 4)):  # as steps, and as a chunk
                        piece = None if mask is None else mask[at]
                        came.update(SpikeChunk(values[at], kind, at.start == 0, piece))
                        whole.update(SpikeChunk(plain[at], kind, at.start == 0, piece))
                    what = f"values of {dtype}, {name}, and contiguous ones"
                    assert_same_state(came, whole, what)


def _laid_out(values: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The same values `[time, batch, channels, height, width]` in other layouts, and contiguous."""
    for one, other in ((0, 1), (1, 2), (3, 4)):
        turned = values.transpose(one, other).contiguous().transpose(one, other)
        yield f"dimensions {one} and {other} turned round", turned, values
    last = values.flatten(0, 1).to(memory_format=torch.channels_last)
    yield "channels last", last.view(values.shape), values
    wide = torch.zeros_like(values).repeat_interleave(2, -1)[..., ::2].copy_(values)
    yield "every other one of a larger tensor", wide, values
    for dim in range(values.ndim):
        broadcast = values.narrow(dim, 0, 1).expand_as(values)
        yield f"dimension {dim} of stride 0", broadcast, broadcast.contiguous()


@statistic_check()
def other_neurons(case: StatisticCase) -> None:
    """Other neurons are refused, in update and in merge, and nothing is counted."""
    kind = case.kinds[0]
    statistic, other = case.fed([np.ones((2, 1, 3))], kind), case.fed([np.ones((2, 1, 4))], kind)
    untouched = case.resumed(statistic)
    attempts = {
        "update": (lambda: statistic.update(chunk(np.ones((2, 1, 4)), kind)), ValueError),
        "merge": (lambda: statistic.merge(other), MergeError),
    }
    for name, (attempt, error) in attempts.items():
        _assert_raises(error, attempt, f"`{name}` with neurons of shape [4] after [3]")
        assert_same_state(statistic, untouched, f"after a refused {name} and before it")


@statistic_check(applies=lambda case: len(case.kinds) < len(SignalKind))
def other_kinds(case: StatisticCase) -> None:
    """A kind it does not apply to is refused, and nothing is counted."""
    statistic = case.fed([np.ones((2, 1, 3))], case.kinds[0])
    untouched = case.resumed(statistic)
    for kind in SignalKind:
        if kind not in case.kinds:
            piece = chunk(np.ones((2, 1, 3)), kind)
            _assert_raises(
                NeuroactError, lambda p=piece: statistic.update(p), f"a chunk of kind {kind.value}"
            )
            assert_same_state(statistic, untouched, "after a refused chunk and before it")


def _assert_raises(error: type[Exception], attempt: Any, what: str) -> None:
    try:
        attempt()
    except error:
        return
    except Exception as other:
        raise AssertionError(
            f"{what}: expected {error.__name__}, came {type(other).__name__}: {other}"
        ) from other
    raise AssertionError(f"{what}: expected {error.__name__}, and it was taken")


@statistic_check()
def free_of_torch(case: StatisticCase) -> None:
    """A result is on the host and free of torch; counting on does not change it."""
    for kind in case.kinds:
        statistic = case.fed([np.ones((2, 1, 3))], kind)
        result = statistic.result()
        tensors = _tensors_of(result)
        assert not tensors, f"the result holds a tensor in {tensors[0]}"
        shown = repr(result)
        statistic.update(chunk(np.ones((2, 1, 3)), kind))
        statistic.result()
        assert repr(result) == shown, "a result changed when the statistic counted on: copy it"


def _tensors_of(result: Any, name: str = "it") -> list[str]:
    if isinstance(result, Tensor):
        return [name]
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        result = vars(result)
    if isinstance(result, dict):
        return [found for key in result for found in _tensors_of(result[key], str(key))]
    if isinstance(result, tuple | list):
        return [found for part in result for found in _tensors_of(part, name)]
    return []


CHECKS = (
    large_counts,
    long_sequences,
    memory,
    nothing_kept,
    no_host_sync,
    modes,
    layouts,
    other_neurons,
    other_kinds,
    free_of_torch,
)

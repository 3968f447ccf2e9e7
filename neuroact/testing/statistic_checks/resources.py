"""The checks of a statistic: memory does not grow, and nothing waits for a device."""

from __future__ import annotations

import gc
import sys
import types
import weakref

import numpy as np
import torch
from torch import Tensor

from neuroact.stream.chunk import SpikeChunk
from neuroact.testing.same import assert_same_state
from neuroact.testing.statistic_checks.case import LEVELS, StatisticCase, chunk, statistic_check
from neuroact.testing.syncs import HostSyncs


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
            "Keep totals per neuron, not the values of each batch."
        )


def _bytes_of(root: object) -> int:
    """Bytes of an object and of everything that it refers to, tensors' memory included."""
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
    """It keeps neither a chunk's tensors nor their graph; tensors of a state are copies."""
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
                    f"on a GPU {', '.join(dict.fromkeys(syncs.found))} waits for the device, in "
                    f"update {number + 1} of a {kind.value} layer"
                    f"{' with padding' * (valid is not None)}. Look for item(), `if` of a tensor, "
                    "tolist, cpu, numpy, nonzero, bincount, unique, indexing by a mask."
                )


CHECKS = (memory, nothing_kept, no_host_sync)

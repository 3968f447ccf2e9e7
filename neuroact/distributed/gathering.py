"""One recording from many ranks: what each counted, added up exactly, on every one of them.

::

    rank 0 ─┬───┬─── sum ── every rank       in each round rank r + d hands what it has to rank r,
    rank 1 ─┘   │                            d = 1, 2, 4, …; at last rank 0 hands the sum to all
    rank 2 ─┬───┘
    rank 3 ─┘
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler
from torch.utils.data.distributed import DistributedSampler

from neuroact.distributed.ranks import Ranks
from neuroact.errors import MergeError
from neuroact.recording.recording import Recording

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["merge", "valid_samples"]


def merge(recording: Recording, group: ProcessGroup | None = None) -> Recording:
    """Add up the recordings of all ranks; every rank gets the sum. A collective call.

    Equal, to the bit, to `Recording.merge` of all of them in the order of their ranks, and so to
    one process over all the data; only sums of real values, too long to be exact, are rounded as
    `Firing` says, alike on all ranks. A rank that saw no data, or has other layers, takes part like
    any other. What a rank recorded stays on it as it is, and recording may go on.

    With n ranks and a sum of s bytes (`len(merged.to_bytes())`; 8 a neuron where all is binary and
    `Firing` alone is kept), a rank sends or receives at most s·(log2(n) + 1) bytes, and holds at
    the worst moment about 7 s beside its own recording, however many ranks there are; of that, at
    most 128 MiB on the group's device.

    Args:
        recording: this rank's, open or closed.
        group: the ranks whose recordings are added; all ranks where None. With NCCL the rank's own
            GPU must be the current one: `torch.cuda.set_device(local_rank)`.

    Returns:
        A closed recording without a model, on the CPU: to report, save or merge.

    Raises:
        RankError: on every rank. One rank failed, and this is its message: recordings that do not
            fit together (other neurons, dt or statistics, the layer named), or one that cannot be
            sent. Or a rank ended, or did not come within the group's timeout.
        RuntimeError: there is no process group, or this process is not in it.

    >>> import torch, torch.distributed as dist
    >>> import neuroact
    >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    >>> recording = neuroact.Recording()
    >>> recording.observe("lif", torch.ones(5, 2, 3))
    >>> neuroact.distributed.merge(recording).report()["lif"].observations
    10
    >>> dist.destroy_process_group()
    """
    ranks = Ranks(group)
    merged = ranks.together(partial(_copy, recording))
    settings = _settings(merged).encode()
    ranks.together(partial(_check_same, settings, ranks.hand_out(settings, owner=0)))
    distance = 1
    while distance < ranks.size:
        _add_in_pairs(ranks, merged, distance)
        distance *= 2
    whole = ranks.together(merged.to_bytes if ranks.rank == 0 else bytes)
    del merged
    return ranks.together(partial(_read, ranks.hand_out(whole, owner=0), recording))


def valid_samples(
    samples: DistributedSampler[Any] | Sequence[int] | Tensor, group: ProcessGroup | None = None
) -> Tensor:
    """Which of this rank's samples to count, so that each is counted once over all ranks.

    A `DistributedSampler` without `drop_last` repeats samples until every rank has as many; what
    is repeated would be counted twice. Its last samples may be such padding: those at a place
    (`rank`, `rank + num_replicas`, …) behind the data set's length, whatever the seed and epoch.
    Other samplers' padding is found from the indices that each rank runs through: of an index that
    comes more than once, only the first counts, ranks taken in order.

    Args:
        samples: the rank's `DistributedSampler`; or the indices of the rank's samples in the order
            in which it runs them, and then this is a collective call.
        group: the ranks to compare indices with; all ranks where None. A sampler needs none.

    Returns:
        bool `[samples of this rank]`, on the CPU: False where one is padding. Split by batch, it
        goes to `recording.batch(valid=…)`.

    Raises:
        TypeError: a sampler of another kind, or indices that are none.
        RankError: a rank's indices are none; on every rank.

    >>> from torch.utils.data import DistributedSampler
    >>> from neuroact.distributed import valid_samples
    >>> sampler = DistributedSampler(range(5), num_replicas=2, rank=1)     # 2 of 5, and 1 padded in
    >>> valid_samples(sampler)
    tensor([ True,  True, False])
    """
    if isinstance(samples, Sampler):
        return _within_data(samples)
    ranks = Ranks(group)
    mine = ranks.together(partial(_indices, samples))
    indices = ranks.gather(mine)
    first = np.unique(torch.cat(indices).numpy(), return_index=True)[1]
    valid = torch.zeros(sum(map(len, indices)), dtype=torch.bool)
    valid[torch.from_numpy(first)] = True
    before = sum(map(len, indices[: ranks.rank]))
    return valid[before : before + len(mine)].clone()


def _copy(recording: Recording) -> Recording:
    if not isinstance(recording, Recording):
        raise TypeError(f"expected a Recording to merge, came {type(recording).__name__}")
    return _read(recording.to_bytes(), recording)


def _settings(recording: Recording) -> str:
    names = ", ".join(type(build()).__name__ for build in recording._factories)
    return f"dt={recording.dt} and statistics {names}"


def _check_same(mine: bytes, first: bytes) -> None:
    if mine != first:
        raise MergeError(
            f"this rank records with {mine.decode()}, and rank 0 with {first.decode()}: give "
            "neuroact.record the same arguments on every rank"
        )


def _add_in_pairs(ranks: Ranks, merged: Recording, distance: int) -> None:
    """Add what rank r + distance has to what rank r has, for every other r of those left."""
    gives = ranks.rank % (2 * distance) == distance
    sender = ranks.rank + distance
    takes = ranks.rank % (2 * distance) == 0 and sender < ranks.size
    came = ranks.pass_on(
        ranks.together(merged.to_bytes if gives else bytes),
        to=ranks.rank - distance if gives else None,
        sender=sender if takes else None,
    )
    theirs = ranks.together(partial(_read, came, merged) if takes else Recording)
    del came  # as large as what was read from it
    ranks.together(partial(_add, merged, theirs, sender) if takes else bytes)


def _read(data: bytes, like: Recording) -> Recording:
    return Recording.from_bytes(data, statistics=like._factories)


def _add(merged: Recording, theirs: Recording, sender: int) -> None:
    try:
        merged.merge(theirs)
    except MergeError as cause:
        message = f"adding what came from rank {sender}: {cause}"
        raise MergeError(message, layer=cause.layer) from cause


def _within_data(sampler: Sampler[Any]) -> Tensor:
    stock = type(sampler).__iter__ is DistributedSampler.__iter__
    if not stock or not isinstance(sampler, DistributedSampler):
        raise TypeError(
            f"{type(sampler).__name__} does not pad as DistributedSampler does: pass the indices "
            "that this rank runs through instead of the sampler"
        )
    places = sampler.rank + sampler.num_replicas * torch.arange(sampler.num_samples)
    within: Tensor = places < len(sampler.dataset)  # type: ignore[arg-type]  # the sampler asks too
    return within


def _indices(samples: Sequence[int] | Tensor) -> Tensor:
    given = samples.cpu() if isinstance(samples, Tensor) else samples
    indices = np.asarray(given)
    if indices.size == 0:
        return torch.zeros(0, dtype=torch.int64)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise TypeError(
            "expected a DistributedSampler, or the whole numbers of this rank's samples; came "
            f"{type(samples).__name__} of {indices.dtype}, shape {list(indices.shape)}"
        )
    return torch.from_numpy(indices.astype(np.int64))

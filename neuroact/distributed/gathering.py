"""`merge` adds up the recordings of all ranks exactly, and gives every rank the sum.

::

    rank 0 ─┬───┬─── sum ── every rank       in each round, d = 1, 2, 4, …, rank r + d sends its
    rank 1 ─┘   │                            counts to rank r; at last rank 0 sends the sum to all
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

    The sum is what `Recording.merge` makes of them in the order of their ranks. So it equals, to
    the bit, the recording of one process over all the data. Sums of real values that are too long
    to be exact are the exception: they are rounded as `Firing` says, alike on all ranks. A rank
    that ran no data, or has other layers, takes part like any other. Each rank's own recording
    stays as it is, and may continue.

    Let n be the number of ranks and s the bytes of the sum, `len(merged.to_bytes())` (8 for each
    neuron, if all layers are binary and keep `Firing` alone). Then a rank sends or receives at
    most s·(log2(n) + 1) bytes. Beside its own recording it holds at most about 7 s, for any n; at
    most 128 MiB of that are on the group's device.

    Args:
        recording: this rank's recording, open or closed.
        group: the ranks whose recordings are added; all ranks if None. With NCCL the rank's own
            GPU must be the current one: `torch.cuda.set_device(local_rank)`.

    Returns:
        A closed recording without a model, on the CPU: to report, save or merge.

    Raises:
        RankError: on every rank, with the message of the one that failed. Recordings do not fit
            together (other neurons, dt or statistics; the layer is named), or one cannot be sent.
            Or a rank ended, or did not make this call within the group's timeout.
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
    """Which of this rank's samples to count, so that all ranks together count each sample once.

    A `DistributedSampler` without `drop_last` repeats samples until every rank has equally many.
    The repeated ones, at a rank's end, are padding and would be counted twice. The rank's samples
    have the places `rank`, `rank + num_replicas`, …; a place beyond the data set's length is
    padding, for any seed and epoch.

    For other samplers, pass the indices that each rank runs through. If an index comes more than
    once, only the first counts, with the ranks taken in order.

    Args:
        samples: the rank's `DistributedSampler`. Or the indices of the rank's samples, in the order
            in which it runs them; then this is a collective call.
        group: the ranks to compare indices with; all ranks if None. A sampler needs no group.

    Returns:
        bool `[samples of this rank]`, on the CPU: False for padding. Split by batch, it goes to
        `recording.batch(valid=…)`.

    Raises:
        TypeError: `samples` is another sampler, or not whole numbers in one dimension.
        RankError: on every rank, if the indices of one are not whole numbers in one dimension.

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
    """Add the counts of rank r + distance to those of rank r, for r = 0, 2·distance and so on."""
    sends = ranks.rank % (2 * distance) == distance
    sender = ranks.rank + distance
    receives = ranks.rank % (2 * distance) == 0 and sender < ranks.size
    came = ranks.pass_on(
        ranks.together(merged.to_bytes if sends else bytes),
        to=ranks.rank - distance if sends else None,
        sender=sender if receives else None,
    )
    theirs = ranks.together(partial(_read, came, merged) if receives else Recording)
    del came  # as large as the recording read from it
    ranks.together(partial(_add, merged, theirs, sender) if receives else bytes)


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

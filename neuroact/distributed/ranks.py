"""The ranks of a process group: they work together, and send bytes to one another.

Only collectives are used, in the same order on every rank, so that any backend will do. If one rank
fails, all ranks learn of it, and none waits for a rank that gave up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from neuroact.errors import RankError

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

# Messages are cut into pieces of so many bytes. A GPU holds two pieces at a time, beside the
# user's model.
PIECE = 2**26
LONGEST_MESSAGE = 4000
_T = TypeVar("_T")


class Ranks:
    """The processes of a group, seen from one of them.

    Every method is a collective call: each rank makes the same ones in the same order.

    Attributes:
        rank: this process's place in the group.
        size: number of processes.

    Raises:
        RuntimeError: there is no process group, or this process is not in it.
    """

    def __init__(self, group: ProcessGroup | None = None) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise RuntimeError(
                "expected a process group, there is none: start the script with torchrun and call "
                "torch.distributed.init_process_group() first. A process on its own has nothing "
                "to merge: its recording is whole"
            )
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        if self.rank < 0:
            raise RuntimeError("this process is not a member of the group it was given")
        self._group = group
        self._device = device_of(group)

    def together(self, work: Callable[[], _T]) -> _T:
        """Do this rank's part of a common piece of work; all ranks succeed or all fail.

        Raises:
            RankError: on every rank, if the part of any failed; with the message of the first.
        """
        failure, result = None, None
        try:
            result = work()
        except Exception as cause:
            failure = cause
        failed = [rank for rank, no in enumerate(self._numbers(failure is not None)) if no]
        if failed:
            raise self._error(failed, failure) from failure
        return result  # type: ignore[return-value]  # no rank failed, so neither did this one

    def pass_on(self, data: bytes, *, to: int | None, sender: int | None) -> bytes:
        """Send bytes to one rank, and receive those that another sends to this one.

        Args:
            data: the bytes to send.
            to: the rank to send to; None to send nothing.
            sender: the rank to receive from; None to receive nothing.

        Returns:
            The bytes that `sender` sent; empty if that is None.
        """
        lengths = self._numbers(0 if to is None else len(data))
        came = bytearray()
        for start in range(0, max(lengths), PIECE):
            outgoing = self._piece(b"" if to is None else data, start)
            arriving = 0 if sender is None else min(max(lengths[sender] - start, 0), PIECE)
            incoming = torch.empty(arriving, dtype=torch.uint8, device=self._device)
            outs, ins = self._only(to, len(outgoing)), self._only(sender, arriving)
            with self._exchanging():
                dist.all_to_all_single(incoming, outgoing, ins, outs, group=self._group)
            came += incoming.cpu().numpy().tobytes()
        return bytes(came)

    def hand_out(self, data: bytes, *, owner: int) -> bytes:
        """Send the owner's bytes to every rank; `data` of the other ranks is ignored.

        Returns:
            The owner's bytes.
        """
        length = self._numbers(len(data))[owner]
        source = owner if self._group is None else dist.get_global_rank(self._group, owner)
        came = bytearray()
        for start in range(0, length, PIECE):
            if self.rank == owner:
                piece = self._piece(data, start)
            else:
                size = min(length - start, PIECE)
                piece = torch.empty(size, dtype=torch.uint8, device=self._device)
            with self._exchanging():
                dist.broadcast(piece, source, group=self._group)
            if self.rank != owner:
                came += piece.cpu().numpy().tobytes()
        return data if self.rank == owner else bytes(came)

    def gather(self, values: Tensor) -> list[Tensor]:
        """The values of every rank, in the order of the ranks: int64 `[n]`; n may differ."""
        lengths = self._numbers(len(values))
        padded = torch.zeros(max(lengths), dtype=torch.int64, device=self._device)
        padded[: len(values)] = values
        came = [torch.empty_like(padded) for _ in lengths]
        with self._exchanging():
            dist.all_gather(came, padded, group=self._group)
        return [row[:length].cpu() for row, length in zip(came, lengths, strict=True)]

    def _numbers(self, mine: int) -> list[int]:
        """One whole number from every rank."""
        given = torch.tensor([mine], dtype=torch.int64, device=self._device)
        came = [torch.empty_like(given) for _ in range(self.size)]
        with self._exchanging():
            dist.all_gather(came, given, group=self._group)
        return [int(number) for number in torch.cat(came).tolist()]

    def _error(self, failed: list[int], mine: Exception | None) -> RankError:
        """The error of the first rank that failed, the same on every rank."""
        said = b""
        if mine is not None:
            text = f"{type(mine).__name__}: {mine}"[:LONGEST_MESSAGE]
            said = json.dumps([text, getattr(mine, "layer", None)]).encode()
        text, layer = json.loads(self.hand_out(said, owner=failed[0]))
        more = f" Ranks that failed: {', '.join(map(str, failed))}." if len(failed) > 1 else ""
        return RankError(
            f"rank {failed[0]} of {self.size} failed, so no rank has a result. {text}{more}",
            layer=layer,
            rank=failed[0],
        )

    @contextmanager
    def _exchanging(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as cause:
            raise RankError(
                f"rank {self.rank} of {self.size} could not exchange data with the others: a rank "
                "ended, hangs, or never made the same call within the group's timeout. The output "
                f"of that rank, or torchrun's summary, says why. Here it showed as: {cause}"
            ) from cause

    def _piece(self, data: bytes, start: int) -> Tensor:
        piece = bytearray(memoryview(data)[start : start + PIECE])  # torch wants writable memory
        if not piece:
            return torch.empty(0, dtype=torch.uint8, device=self._device)
        return torch.frombuffer(piece, dtype=torch.uint8).to(self._device)

    def _only(self, rank: int | None, length: int) -> list[int]:
        return [length if other == rank else 0 for other in range(self.size)]


def device_of(group: ProcessGroup | None) -> torch.device:
    """The device for the tensors that the group exchanges: the CPU if its backend can use it."""
    # The configuration, such as "cpu:gloo,cuda:nccl", names a backend for each type of device.
    types = [pair.partition(":")[0] for pair in dist.get_backend_config(group).split(",")]
    if "cpu" in types:
        return torch.device("cpu")
    bound = getattr(dist.group.WORLD if group is None else group, "bound_device_id", None)
    if isinstance(bound, torch.device):
        return bound
    return torch.device(types[0], torch.get_device_module(types[0]).current_device())

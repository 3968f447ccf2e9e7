"""What the user states about a batch's samples, and which batches a layer is in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neuroact.errors import ChunkError
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording.open_block import OpenBlock
from neuroact.stream.chunk import SpikeChunk
from neuroact.stream.labels import labels_of
from neuroact.stream.padding import Validity


class KnownBatch:
    """What one `with recording.batch(...)` states; it has the same arguments and errors.

    Attributes:
        validity: which steps are valid; None if not given.
        labels: the class of each sample, int64 `[batch]`; None if not given.
    """

    def __init__(self, *, valid: Any = None, lengths: Any = None, labels: Any = None) -> None:
        if valid is None and lengths is None and labels is None:
            raise ValueError(
                "batch() says nothing of the batch: give valid= or lengths=, labels=, or both"
            )
        padded = valid is not None or lengths is not None
        self.validity = Validity(valid, lengths=lengths) if padded else None
        self.labels = None if labels is None else labels_of(labels)


class _UnderWay:
    """A batch, and how far a layer has come in it."""

    def __init__(self, batch: KnownBatch) -> None:
        self.batch = batch
        self.position = 0  # steps that came; with lengths= it only matters whether any did
        self.remaining: NDArray[np.int64] | None = None  # kept while an inner batch is open


class BatchesUnderWay:
    """The batches that one layer is in, one inside the other.

    Where the inner batch gives no validity or no labels, those of the outer one hold. After the
    inner batch, the outer one continues at the step where it was.

    Args:
        block: collects the layer's steps, and counts down the lengths of the samples.
    """

    def __init__(self, block: OpenBlock) -> None:
        self._block = block
        self._open: list[_UnderWay] = []
        self._padded: _UnderWay | None = None  # the innermost that says which steps are valid
        self._labels: Tensor | None = None

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def are_padded(self) -> bool:
        """Whether one of them says which steps are valid."""
        return self._padded is not None

    @property
    def needs_eager(self) -> bool:
        """Whether each call must be read in full, in Python."""
        masked = self._padded is not None and not self._block.is_limited
        return masked or self._labels is not None

    def enter(self, batch: KnownBatch) -> None:
        """Begin a batch, inside those under way."""
        self._open.append(_UnderWay(batch))
        self._look()

    def leave(self, batch: KnownBatch) -> None:
        """End a batch; does nothing if it is not under way."""
        self._open = [each for each in self._open if each.batch is not batch]
        self._look()

    def known(self, chunk: SpikeChunk, info: LayerInfo) -> tuple[Tensor | None, Tensor | None]:
        """Which of a chunk's steps are valid, and its samples' labels.

        Raises:
            ChunkError: the chunk has another number of samples than the batch, or more steps;
                names the layer.
        """
        labels = self._labels
        if labels is None:
            labels = chunk.labels
        elif len(labels) != chunk.batch:
            raise _unfit(info, f"labels= has {len(labels)} samples, but {chunk.batch} came")
        under_way = self._padded
        if under_way is None:
            return chunk.valid, labels
        validity = under_way.batch.validity
        assert validity is not None
        device = chunk.values.device
        if under_way.position == 0 and device.type == "cpu":
            self._block.limit(validity.lengths)
        try:
            valid = validity.of(
                steps=chunk.steps, batch=chunk.batch, first=under_way.position, device=device
            )
        except ValueError as cause:
            raise _unfit(info, str(cause)) from cause
        if self._block.is_limited:  # the block applies the lengths itself
            return chunk.valid, labels
        return valid if chunk.valid is None else chunk.valid & valid, labels

    def advance(self, steps: int) -> None:
        """Note that so many steps came."""
        if self._padded is not None:
            self._padded.position += steps

    def _look(self) -> None:
        """After a batch began or ended, find whose validity and whose labels apply now."""
        inner_first = self._open[::-1]
        labels = (each.batch.labels for each in inner_first)
        self._labels = next((given for given in labels if given is not None), None)
        padded = next((each for each in inner_first if each.batch.validity is not None), None)
        if padded is not self._padded:
            self._block.flush()
            if self._padded is not None:
                self._padded.remaining = self._block.remaining
            self._block.limit(None if padded is None else padded.remaining)
            self._padded = padded


def _unfit(info: LayerInfo, why: str) -> ChunkError:
    return ChunkError(
        f"{info}: what recording.batch was given does not fit what came: {why}. One "
        "`with recording.batch(...)` block holds the steps of one batch.",
        layer=info.name,
    )

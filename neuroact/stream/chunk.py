"""The spike-stream protocol: the one boundary between frameworks and statistics.

An adapter turns each call of a layer into a `SpikeChunk`. A `SpikeSink` (a statistic, for example)
takes chunks and knows no framework.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

from neuroact.card import Carded
from neuroact.errors import ChunkError


class SignalKind(enum.Enum):
    """What the values of a layer mean.

    >>> from neuroact import SignalKind
    >>> SignalKind("graded") is SignalKind.GRADED
    True
    """

    BINARY = "binary"
    """Every value is 0 (no spike) or 1 (a spike)."""
    GRADED = "graded"
    """Zero means no spike; other values are signed, scaled or multiple spikes, of few levels."""
    ANALOG = "analog"
    """Real values that are not spikes: membrane potentials, rates, ReLU outputs. Recorded only on
    request."""


@dataclass(frozen=True, slots=True, repr=False)
class SpikeChunk(Carded):
    """Consecutive time steps of one layer.

    Attributes:
        values: what the layer emitted, shape `[time, batch, *neurons]`, always in this order; any
            real dtype, bool included, on any device. They are stored dense and detached from the
            autograd graph, without a copy where a view is possible.
        kind: what the values mean.
        starts_sequence: True if step 0 begins a new sequence for every sample; False if the chunk
            continues the layer's last one.
        valid: bool, shape `[time, batch]`, False where a step is padding; None if no step is.
        labels: class of each sample, a whole number from 0, int64 `[batch]`; None if unknown.
            Always on the CPU, so that reading them never waits for a device.

    Raises:
        ChunkError: the values have fewer than two dimensions, are complex, are a nested tensor, or
            are absent (a fake tensor, or one on the device meta); or the mask or the labels have
            the wrong shape, dtype or device.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk
    >>> chunk = SpikeChunk(torch.zeros(5, 2, 3), SignalKind.BINARY, starts_sequence=True)
    >>> chunk.steps, chunk.batch, chunk.neurons
    (5, 2, torch.Size([3]))
    """

    values: Tensor
    kind: SignalKind
    starts_sequence: bool
    valid: Tensor | None = None
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        values = self.values
        if values.is_meta or isinstance(values, FakeTensor):
            raise ChunkError(
                f"came a tensor without values ({type(values).__name__} on the device "
                f"{values.device}), which would count as silence"
            )
        if values.ndim < 2 or values.is_complex():
            raise ChunkError(
                "expected real values of shape [time, batch, *neurons], came "
                f"{values.dtype} of shape {tuple(values.shape)}; use SpikeChunk.of_step or "
                "SpikeChunk.of_sequence to add a missing axis"
            )
        # With the graph, a statistic would keep every activation of the training step in memory.
        values = dense(values.detach() if values.requires_grad else values)
        object.__setattr__(self, "values", values)
        if self.valid is not None:
            _check_mask(self.valid, values)
        if self.labels is not None:
            _check_labels(self.labels, self.batch)

    @property
    def steps(self) -> int:
        """Number of time steps, `values.shape[0]`."""
        return self.values.shape[0]

    @property
    def batch(self) -> int:
        """Number of samples, `values.shape[1]`."""
        return self.values.shape[1]

    @property
    def neurons(self) -> torch.Size:
        """Shape of the layer's neurons, `values.shape[2:]`; `()` is a single neuron."""
        return self.values.shape[2:]

    @classmethod
    def of_step(cls, values: Tensor, kind: SignalKind, *, starts_sequence: bool) -> SpikeChunk:
        """A chunk of one time step, `[batch, *neurons]`.

        Without a batch, `[neurons]` or `[]` is a batch of one.

        >>> import torch
        >>> from neuroact import SignalKind, SpikeChunk
        >>> SpikeChunk.of_step(
        ...     torch.zeros(2, 3), SignalKind.BINARY, starts_sequence=False
        ... ).values.shape
        torch.Size([1, 2, 3])
        """
        return cls(as_stream(values.detach(), sequence=False), kind, starts_sequence)

    @classmethod
    def of_sequence(
        cls, values: Tensor, kind: SignalKind, *, starts_sequence: bool, batch_first: bool = False
    ) -> SpikeChunk:
        """A chunk of many steps, `[time, batch, *neurons]`; `batch_first` swaps the first two.

        Without a batch, `[time, neurons]` is a batch of one; `[time]` is a single neuron besides.

        >>> import torch
        >>> from neuroact import SignalKind, SpikeChunk
        >>> SpikeChunk.of_sequence(
        ...     torch.zeros(2, 9, 3), SignalKind.BINARY, starts_sequence=True, batch_first=True
        ... ).values.shape
        torch.Size([9, 2, 3])
        """
        if batch_first and values.ndim > 2:
            values = values.transpose(0, 1)
        return cls(as_stream(values.detach(), sequence=True), kind, starts_sequence)


class SpikeSink(Protocol):
    """Anything that takes the chunks of one layer, in order."""

    def update(self, chunk: SpikeChunk, /) -> None:
        """Take the layer's next chunk. Must keep no reference to its tensors."""


def dense(values: Tensor) -> Tensor:
    """The tensor as a dense one: converts sparse and quantised tensors.

    Raises:
        ChunkError: the tensor is nested.
    """
    if values.is_nested:
        raise ChunkError(
            "came a nested tensor, whose sequences have lengths of their own: pad it "
            "(nn.TransformerEncoder does with enable_nested_tensor=False), and pass valid=, False "
            "where a step is padding"
        )
    if values.is_quantized:
        return values.dequantize()
    return values if values.layout is torch.strided else values.to_dense()


def as_stream(values: Tensor, *, sequence: bool) -> Tensor:
    """A view of what a call returned, as `[time, batch, *neurons]`.

    Args:
        values: a sequence, `[time, batch, *neurons]` or `[time, neurons]`; or one step,
            `[batch, *neurons]` or `[neurons]`. Without a batch it is a batch of one.
        sequence: whether it is a sequence.
    """
    if sequence:
        return values.unsqueeze(1) if values.ndim in (1, 2) else values
    return (values if values.ndim > 1 else values.unsqueeze(0)).unsqueeze(0)


def _check_mask(valid: Tensor, values: Tensor) -> None:
    fits = valid.dtype is torch.bool and valid.shape == values.shape[:2]
    if not fits or valid.device != values.device:
        raise ChunkError(
            f"expected valid to be a bool tensor of shape {tuple(values.shape[:2])} "
            f"[time, batch] on {values.device}, came {valid.dtype} of shape {tuple(valid.shape)} "
            f"on {valid.device}"
        )


def _check_labels(labels: Tensor, batch: int) -> None:
    is_int64 = labels.dtype is torch.int64 and labels.device.type == "cpu"
    if not is_int64 or labels.shape != (batch,):
        raise ChunkError(
            f"expected labels to be an int64 tensor of shape [{batch}] on the CPU, came "
            f"{labels.dtype} of shape {list(labels.shape)} on {labels.device}"
        )
    if batch and int(labels.min()) < 0:
        raise ChunkError(f"expected labels from 0, came {int(labels.min())}")

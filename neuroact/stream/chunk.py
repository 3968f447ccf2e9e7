"""The spike-stream protocol: the one boundary between frameworks and statistics.

An adapter turns each call of a layer into a `SpikeChunk`; a `SpikeSink` (a statistic, a file, a
test's list) takes chunks and knows no framework.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._subclasses import FakeTensor

from neuroact.errors import ChunkError


class SignalKind(enum.Enum):
    """What the values of a layer mean.

    >>> from neuroact import SignalKind
    >>> SignalKind("graded") is SignalKind.GRADED
    True
    """

    BINARY = "binary"
    """Every value is 0 or 1: silent or a spike."""
    GRADED = "graded"
    """Few levels, zero means silent: signed, scaled or multi-spike values."""
    ANALOG = "analog"
    """Real values, no spikes: a membrane potential, a rate, a ReLU. Recorded only by request."""


@dataclass(frozen=True, slots=True)
class SpikeChunk:
    """Consecutive time steps of one layer.

    Attributes:
        values: what the layer emitted, shape `[time, batch, *neurons]`, in this order always; any
            real dtype (bool included) on any device. Kept dense, detached from the autograd graph,
            and a view of what came wherever a view can do.
        kind: what the values mean.
        starts_sequence: whether step 0 begins a new sequence for every sample, rather than going
            on from the last chunk of the same layer.
        valid: bool, shape `[time, batch]`, False where a step is padding; None where none is.
        labels: class of each sample, a whole number from 0, int64 `[batch]`; on the CPU, whatever
            the values are on, so that nothing need wait for a device; None where not known.

    Raises:
        ChunkError: fewer than two dimensions, complex values, a nested tensor or one without
            values (a fake one, or one on the device meta), or a mask or labels of the wrong shape
            or dtype.

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
        # A statistic that kept the graph would keep every activation of the training step.
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
        """One time step, `[batch, *neurons]`; an unbatched `[neurons]` or `[]` is a batch of one.

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
        """Many steps, `[time, batch, *neurons]`, or `[batch, time, *neurons]` if `batch_first`.

        An unbatched `[time, neurons]` is a batch of one, `[time]` that of a single neuron.

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
    """Whatever takes the chunks of one layer, in order."""

    def update(self, chunk: SpikeChunk, /) -> None:
        """Take the layer's next chunk; keep no reference to its tensors."""


def as_tensor(values: Any) -> Tensor:
    """A dense tensor as it is; of a sparse one, or an array or list of numbers, one of the same.

    Raises:
        ChunkError: it holds no numbers, or none that torch knows; or has no rectangular shape.
    """
    if isinstance(values, Tensor):
        return dense(values)
    if isinstance(values, np.ma.MaskedArray):
        raise ChunkError("came a masked array: pass its `.data`, and what is padding as valid=")
    try:
        array = np.asarray(values)  # torch reads lists as well, but no foreign arrays
        return torch.from_numpy(_of_torch(array))
    except Exception as cause:  # a foreign array may raise anything
        raise ChunkError(
            f"came {type(values).__name__}, which cannot be read as an array of numbers of one "
            f"shape: {cause}"
        ) from cause


def dense(values: Tensor) -> Tensor:
    """The values of a tensor, sparse or quantised ones too, as a plain one.

    Raises:
        ChunkError: it is nested.
    """
    if values.is_nested:
        raise ChunkError(
            "came a nested tensor, whose sequences have lengths of their own: pad it "
            "(nn.TransformerEncoder does with enable_nested_tensor=False), and say by valid which "
            "steps are padding"
        )
    if values.is_quantized:
        return values.dequantize()
    return values if values.layout is torch.strided else values.to_dense()


def _of_torch(array: NDArray[Any]) -> NDArray[Any]:
    """An array that torch takes without a copy or a word; a copy where it would not."""
    if array.dtype.kind == "V" and array.dtype.names is None:
        array = array.astype(np.float32)  # bfloat16 and its like, which NumPy does not know itself
    elif array.dtype.kind not in "biufc":
        raise TypeError(f"its dtype is {array.dtype}")
    plain = array.dtype.isnative and array.flags.writeable and min(array.strides, default=0) >= 0
    return array if plain else array.astype(array.dtype.newbyteorder("="))


def as_stream(values: Tensor, *, sequence: bool) -> Tensor:
    """What a call returned as `[time, batch, *neurons]`: a view.

    Args:
        values: `[time, batch, *neurons]` or `[time, neurons]` where it is a sequence, else
            `[batch, *neurons]` or `[neurons]`; without a batch it is a batch of one.
        sequence: whether it is one.
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
    told = labels.dtype is torch.int64 and labels.device.type == "cpu"
    if not told or labels.shape != (batch,):
        raise ChunkError(
            f"expected labels to be an int64 tensor of shape [{batch}] on the CPU, came "
            f"{labels.dtype} of shape {list(labels.shape)} on {labels.device}"
        )
    if batch and int(labels.min()) < 0:
        raise ChunkError(f"expected labels from 0, came {int(labels.min())}")

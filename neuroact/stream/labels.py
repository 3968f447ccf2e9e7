"""Of which class the samples of a batch are, as `recording.batch` is given it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuroact.stream.chunk import as_tensor

MOST_CLASSES = 2**20
"""Each class has a row of counts in every layer; what needs more of them is no class."""


def labels_of(labels: Any) -> Tensor:
    """The classes of a batch's samples as a chunk has them, int64 `[batch]` on the CPU.

    Args:
        labels: whole numbers from 0, `[batch]`; those on a device are waited for.

    Raises:
        ValueError: they are no whole numbers `[batch]`, or some are below 0 or not below
            `MOST_CLASSES`.

    >>> from neuroact.stream.labels import labels_of
    >>> labels_of([2, 0])
    tensor([2, 0])
    """
    told = as_tensor(labels)
    if told.ndim != 1 or told.is_floating_point() or told.is_complex():
        raise ValueError(
            "expected labels to be whole numbers [batch], came "
            f"{told.dtype} of shape {list(told.shape)}; take argmax of one-hot ones"
        )
    samples = told.to("cpu", torch.int64, copy=True)  # the caller's may be filled anew meanwhile
    if len(samples):
        least, most = (int(end) for end in samples.aminmax())
        if least < 0:
            raise ValueError(f"expected labels from 0, came {least}")
        if most >= MOST_CLASSES:
            raise ValueError(
                f"expected labels below {MOST_CLASSES:,}, came {most}: there are as many classes "
                "as the largest label and one, so number them from 0 on"
            )
    return samples

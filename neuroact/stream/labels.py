"""Checks the classes of a batch's samples that a user passes to `recording.batch`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuroact.stream.tensors import as_tensor

MOST_CLASSES = 2**20
"""Every layer has a row of counts for each class, so their number is bounded."""


def labels_of(labels: Any) -> Tensor:
    """The labels as a chunk wants them: int64 `[batch]` on the CPU.

    Args:
        labels: whole numbers from 0, `[batch]`. Copying them from a device waits for it.

    Raises:
        ValueError: the labels are not whole numbers `[batch]`, or one is below 0 or at least
            `MOST_CLASSES`.

    >>> from neuroact.stream.labels import labels_of
    >>> labels_of([2, 0])
    tensor([2, 0])
    """
    given = as_tensor(labels)
    if given.ndim != 1 or given.is_floating_point() or given.is_complex():
        raise ValueError(
            "expected labels to be whole numbers [batch], came "
            f"{given.dtype} of shape {list(given.shape)}; take argmax of one-hot labels"
        )
    # A copy, since the caller may fill its own tensor anew.
    samples = given.to("cpu", torch.int64, copy=True)
    if len(samples):
        least, most = (int(end) for end in samples.aminmax())
        if least < 0:
            raise ValueError(f"expected labels from 0, came {least}")
        if most >= MOST_CLASSES:
            raise ValueError(
                f"expected labels below {MOST_CLASSES:,}, came {most}: the largest label sets the "
                "number of classes, so number them from 0 on"
            )
    return samples

"""Of which class the samples of a batch are, as `recording.label` is told."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuroact.stream import as_tensor


class Labels:
    """The classes of a batch's samples.

    Args:
        labels: whole numbers from 0, `[batch]`.
        classes: how many classes there are; the largest label and one where None.

    Attributes:
        samples: the labels, int64 `[batch]`.
        classes: how many classes there are, as far as these labels tell.

    Raises:
        ValueError: they are no whole numbers `[batch]`, or some are outside of the classes.
    """

    def __init__(self, labels: Any, classes: int | None = None) -> None:
        told = as_tensor(labels)
        if told.ndim != 1 or told.is_floating_point() or told.is_complex():
            raise ValueError(
                "expected labels to be whole numbers [batch], came "
                f"{told.dtype} of shape {list(told.shape)}; take argmax of one-hot ones"
            )
        self.samples: Tensor = told.to(torch.int64)
        on_host = self.samples.cpu()
        largest = int(on_host.max()) if len(on_host) else -1
        if len(on_host) and int(on_host.min()) < 0:
            raise ValueError(f"expected labels from 0, came {int(on_host.min())}")
        if classes is not None and largest >= classes:
            raise ValueError(f"expected labels below classes={classes}, came {largest}")
        self.classes = largest + 1 if classes is None else classes

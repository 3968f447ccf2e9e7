"""Which steps of a batch are padding, as `recording.batch` is given it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.stream.chunk import as_tensor


class Validity:
    """Tells which of a batch's steps are valid, from a mask or from the samples' lengths.

    Args:
        mask: bool, `[time, batch]`, or `[batch]` where it holds for all steps.
        lengths: whole numbers `[batch]`: the steps from there on are padding.

    Raises:
        ValueError: both or neither of them, or of another shape or type.

    >>> from neuroact.stream.padding import Validity
    >>> Validity(lengths=[2, 0]).of(steps=3, batch=2, first=0, device="cpu").int().tolist()
    [[1, 0], [1, 0], [0, 0]]
    """

    def __init__(self, mask: Any = None, *, lengths: Any = None) -> None:
        if (mask is None) is (lengths is None):
            raise ValueError("expected either valid= or lengths=, came both or neither")
        self._told = as_tensor(mask if lengths is None else lengths)
        self._by_length = lengths is not None
        self._check()

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """How many steps of each sample are valid, int64 `[batch]`; None where a mask tells."""
        if not self._by_length:
            return None
        lengths: NDArray[np.int64] = self._told.cpu().numpy().astype(np.int64).clip(min=0)
        return lengths

    def of(self, *, steps: int, batch: int, first: int, device: torch.device | str) -> Tensor:
        """The mask of some steps, bool `[steps, batch]`.

        Args:
            steps: how many.
            batch: number of samples.
            first: number of the first of them, 0 where it is the first that was told of.
            device: where the mask is wanted.

        Raises:
            ValueError: it was told of other samples, or of fewer steps.
        """
        if self._told.shape[-1] != batch:
            raise ValueError(f"it is of {self._told.shape[-1]} samples, and {batch} came")
        if self._told.device != torch.device(device):
            # Kept: all chunks of a layer want it there. To a device goes a copy in pageable memory,
            # of which CUDA has one of its own before it returns, so that nothing need wait.
            to_device = self._told.device.type == "cpu"
            told = self._told.clone() if to_device else self._told
            self._told = told.to(device, non_blocking=to_device)
        told = self._told
        if self._by_length:
            return torch.arange(first, first + steps, device=device).unsqueeze(1) < told
        if told.ndim == 1:
            return told.expand(steps, batch)
        if first + steps > len(told):
            raise ValueError(f"it is of {len(told)} steps, and step {first + steps - 1} came")
        return told[first : first + steps]

    def _check(self) -> None:
        told = self._told
        kind = f"{told.dtype} of shape {list(told.shape)}"
        if self._by_length:
            whole = not (told.is_floating_point() or told.is_complex() or told.dtype is torch.bool)
            if told.ndim != 1 or not whole:
                raise ValueError(f"expected lengths= to be whole numbers [batch], came {kind}")
        elif told.dtype is not torch.bool or told.ndim not in (1, 2):
            raise ValueError(f"expected valid= to be bool, [time, batch] or [batch], came {kind}")

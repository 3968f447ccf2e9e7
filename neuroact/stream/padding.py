"""The mask of padding that a user passes to `recording.batch`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.stream.tensors import as_tensor


class Validity:
    """Says which steps of a batch are valid, by a mask or by the samples' lengths.

    Args:
        mask: bool, True where valid, `[time, batch]`; or `[batch]` for all steps alike.
        lengths: whole numbers `[batch]`: a sample's valid steps. All later steps are padding.

    Raises:
        ValueError: both or neither are given, or the shape or dtype is wrong.

    >>> from neuroact.stream.padding import Validity
    >>> Validity(lengths=[2, 0]).of(steps=3, batch=2, first=0, device="cpu").int().tolist()
    [[1, 0], [1, 0], [0, 0]]
    """

    def __init__(self, mask: Any = None, *, lengths: Any = None) -> None:
        if (mask is None) is (lengths is None):
            raise ValueError("expected either valid= or lengths=, came both or neither")
        self._given = as_tensor(mask if lengths is None else lengths)
        self._by_length = lengths is not None
        self._check()

    @property
    def batch(self) -> int:
        """Number of samples."""
        return self._given.shape[-1]

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """Valid steps of each sample, int64 `[batch]`; None if a mask was given."""
        if not self._by_length:
            return None
        lengths: NDArray[np.int64] = self._given.cpu().numpy().astype(np.int64).clip(min=0)
        return lengths

    def of(self, *, steps: int, batch: int, first: int, device: torch.device | str) -> Tensor:
        """The mask of consecutive steps, bool `[steps, batch]`.

        Args:
            steps: number of steps.
            batch: number of samples.
            first: the first step's number, counted from 0 at the start of what was given.
            device: where to put the mask.

        Raises:
            ValueError: the mask or the lengths have another number of samples, or the mask has
                fewer steps.
        """
        if self._given.shape[-1] != batch:
            raise ValueError(f"it has {self._given.shape[-1]} samples, but {batch} came")
        if self._given.device != torch.device(device):
            # The copy stays on the device, since the next chunks need it there too. The clone lies
            # in pageable memory. CUDA copies that into its own buffer before it returns, so there
            # is no need to wait.
            to_device = self._given.device.type == "cpu"
            given = self._given.clone() if to_device else self._given
            self._given = given.to(device, non_blocking=to_device)
        given = self._given
        if self._by_length:
            return torch.arange(first, first + steps, device=device).unsqueeze(1) < given
        if given.ndim == 1:
            return given.expand(steps, batch)
        if first + steps > len(given):
            raise ValueError(f"it has {len(given)} steps, but step {first + steps - 1} came")
        return given[first : first + steps]

    def _check(self) -> None:
        given = self._given
        kind = f"{given.dtype} of shape {list(given.shape)}"
        if self._by_length:
            real = given.is_floating_point() or given.is_complex()
            if real or given.dtype is torch.bool or given.ndim != 1:
                raise ValueError(f"expected lengths= to be whole numbers [batch], came {kind}")
        elif given.dtype is not torch.bool or given.ndim not in (1, 2):
            raise ValueError(f"expected valid= to be bool, [time, batch] or [batch], came {kind}")

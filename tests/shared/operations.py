"""Counts torch's operations. Other processes disturb a clock, but not this count."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Operations(TorchDispatchMode):
    """Counts operations, and the bytes of the tensors that they make.

    Attributes:
        count: number of operations.
        new_bytes: bytes of memory that no tensor given to an operation lies in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.new_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {id_of(x) for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)}
        made = [x for x in tree_leaves(result) if isinstance(x, torch.Tensor)]
        self.count += 1
        self.new_bytes += sum(x.untyped_storage().nbytes() for x in made if id_of(x) not in given)
        return result


def id_of(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata

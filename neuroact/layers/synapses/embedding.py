"""Bags of embeddings: an index adds up one row of the weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuroact.layers.adapter import argument
from neuroact.layers.fan_out import FanOut
from neuroact.layers.synapses.protocol import SynapsesByPart
from neuroact.layers.weights import Zeros, made_of, nonzero_of


def bag_synapses(module: Any) -> SynapsesByPart:
    """Of an `nn.EmbeddingBag`, which adds rows up unless its mode is "max"."""
    if module.mode == "max":
        return {"": "it takes the largest of the rows, which is not linear in what arrives"}
    return {"": Bag(module)}


class Bag:
    """Each index is one input, of which one element is not zero: that of its row.

    An index is an event of magnitude one, and one of the magnitude of its weight where the call is
    given weights per sample. The division of a mean comes after the sum; it is of the output and no
    synaptic operation. An index of padding is no input.

    >>> import torch
    >>> from torch import nn
    >>> bag = Bag(nn.EmbeddingBag(4, 3))
    >>> bag.arrivals((torch.tensor([[0, 2]]), None), None).to_dense().tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    >>> bag.fan_out((4,), bag.nonzero()).most
    3
    """

    dims = 1

    def __init__(self, module: Any) -> None:
        self._module = module
        self._rows, self._size = module.num_embeddings, module.embedding_dim
        self._padding: int | None = module.padding_idx
        self.weights = tuple(made_of("weight"))

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The indices and their weights."""
        return argument(args, kwargs, 0, "input"), argument(args, kwargs, 2, "per_sample_weights")

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """For each index a row of zeros but for one element, sparse `[indices, rows]`."""
        if not isinstance(given[0], Tensor) or given[0].is_nested:
            raise ValueError("its input was not one tensor of indices")
        indices = given[0].reshape(-1).to(torch.int64)
        values = torch.ones_like(indices, dtype=torch.float32)
        if given[1] is not None:
            values = given[1].reshape(-1)
        if self._padding is not None:
            kept = indices != self._padding
            indices, values = indices[kept], values[kept]
        number = len(indices)
        places = torch.stack([torch.arange(number, device=indices.device), indices])
        # The call has used the indices, so they are known to be rows.
        return torch.sparse_coo_tensor(
            places, values, (number, self._rows), check_invariants=False, is_coalesced=True
        )

    def nonzero(self) -> tuple[Zeros, ...]:
        """Of the rows, `[rows, size]`."""
        return (nonzero_of(self._module, "weight", (self._rows, self._size)),)

    def fan_out(self, shape: tuple[int, ...], nonzero: tuple[Zeros, ...]) -> FanOut:
        """The non-zero weights of each row; an input at once has one row."""
        connected = nonzero[0].sum(1, dtype=np.int64)
        dense = np.full_like(connected, self._size)
        if self._padding is not None:
            connected[self._padding] = dense[self._padding] = 0
        return FanOut(connected, dense, at_once=self._size)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One sum of rows, for the indices of a bag."""
        return (self._size,)

    def bias_additions(self, shape: tuple[int, ...]) -> int:
        """None."""
        return 0

    def parameters(self) -> int:
        """Numbers in all rows."""
        return int(self._rows * self._size)

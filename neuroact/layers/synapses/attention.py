"""Attention of torch: its projections of query, key and value are seen, the rest is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from neuroact.layers.adapter import argument
from neuroact.layers.synapses.matrices import Matrices
from neuroact.layers.synapses.protocol import SynapsesByPart, real

PRODUCTS = (
    "the products of its queries, keys and values cannot be seen: count them by "
    "recording.observe_product where the model has them"
)


def attention_synapses(module: Any) -> SynapsesByPart:
    """Of an `nn.MultiheadAttention`: one part for each of its three inputs.

    >>> from torch import nn
    >>> list(attention_synapses(nn.MultiheadAttention(4, 2)))
    ['query', 'key', 'value', 'products']
    """
    inputs = {"query": module.embed_dim, "key": module.kdim, "value": module.vdim}
    parts = {
        name: _Projection(module, at, name, size) for at, (name, size) in enumerate(inputs.items())
    }
    return {**parts, "products": PRODUCTS}


class _Projection(Matrices):
    """One of the three inputs: it meets rows of its own of a shared weight, or its own weight."""

    def __init__(self, module: Any, position: int, name: str, size: int) -> None:
        self._position, self._name = position, name
        outputs = module.embed_dim
        start = position * outputs
        biases = [] if module.in_proj_bias is None else ["in_proj_bias"]
        if module._qkv_same_embed_dim:
            weight, shape = "in_proj_weight", (3 * outputs, size)
            rows = range(start, start + outputs)
        else:
            weight, shape = f"{name[0]}_proj_weight", (outputs, size)
            rows = range(outputs)
        super().__init__(module, [{weight: shape}], biases, rows=rows)
        # These are another key and value, so their operations are products.
        self.weights = (*self.weights, "bias_k", "bias_v")

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The input."""
        return argument(args, kwargs, self._position, self._name)

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """The input, which is whole whatever a mask leaves out of the products."""
        return real(given, f"its {self._name}")

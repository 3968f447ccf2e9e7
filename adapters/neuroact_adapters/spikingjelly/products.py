"""Which activations SpikingJelly's attention multiplies, where what it calls shows them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from neuroact.layers.adapter import module_within
from neuroact.stream.product import SynapticProduct

_SHOWN = "SpikingSelfAttention"


def neurons_that_show(module: Any) -> nn.Module | None:
    """The neurons that emit the queries, keys and values of a `SpikingSelfAttention`.

    None for any other class, and for a subclass that multiplies in another way.
    """
    for base in type(module).__mro__:
        if base.__name__ == _SHOWN and module_within(base, "spikingjelly"):
            ours = (getattr(type(module), name, None) for name in ("forward", "_ssa_kernel_torch"))
            theirs = (vars(base).get(name) for name in ("forward", "_ssa_kernel_torch"))
            theirs = (getattr(each, "__func__", each) for each in theirs)
            same = all(a is not None and a is b for a, b in zip(ours, theirs, strict=True))
            return module.qkv_lif if same else None
    return None


def products_of(module: Any, spikes: Tensor) -> dict[str, SynapticProduct]:
    """What a `SpikingSelfAttention` multiplies: `(v kᵀ) q`.

    Args:
        module: the attention.
        spikes: of its neurons, `[time, batch, 3 channels, tokens]`.
    """
    time, batch, channels, tokens = spikes.shape
    heads = module.num_heads
    q, k, v = spikes.reshape(time, batch, 3, heads, channels // 3 // heads, tokens).unbind(2)
    keys = k.transpose(-2, -1)
    return {
        "value_key": SynapticProduct(v, keys),
        "value_key_query": SynapticProduct(v @ keys, q),
    }

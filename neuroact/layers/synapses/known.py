"""The modules of torch whose synapses neuroact knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import nn

from neuroact.layers.fan_out import CONNECTIONS
from neuroact.layers.synapses.attention import attention_synapses
from neuroact.layers.synapses.bilinear import Bilinear
from neuroact.layers.synapses.embedding import bag_synapses
from neuroact.layers.synapses.one_weight import OneWeight
from neuroact.layers.synapses.protocol import SynapsesByPart
from neuroact.layers.synapses.recurrent import (
    CELLS,
    SEQUENCES,
    cell_synapses,
    sequence_synapses,
)

_Maker: TypeAlias = Callable[[Any], SynapsesByPart]
_KNOWN: tuple[tuple[tuple[type[nn.Module], ...], _Maker], ...] = (
    (CONNECTIONS, lambda module: {"": OneWeight(module)}),
    (CELLS, cell_synapses),
    (SEQUENCES, sequence_synapses),
    ((nn.EmbeddingBag,), bag_synapses),
    ((nn.Bilinear,), lambda module: {"": Bilinear(module)}),
    ((nn.MultiheadAttention,), attention_synapses),
    ((nn.Embedding,), lambda module: {"": "a table that is read: no operation"}),
)
# Layers that use other weights than those they show: those of quantisation, and those of
# SpikingJelly that standardise their weight.
_OF_ANOTHER_WEIGHT = ("weight_fake_quant", "get_weight", "linear_Q")


def known_synapses(module: nn.Module) -> SynapsesByPart | None:
    """What neuroact knows of a module's weights; None where it knows nothing.

    A subclass is taken to use its weights as the class of torch does.

    >>> from torch import nn
    >>> list(known_synapses(nn.Linear(2, 3))), known_synapses(nn.LayerNorm(2))
    ([''], None)
    """
    scripted = isinstance(module, torch.jit.ScriptModule)
    if scripted or any(hasattr(module, name) for name in _OF_ANOTHER_WEIGHT):
        return None
    return next((make(module) for classes, make in _KNOWN if isinstance(module, classes)), None)

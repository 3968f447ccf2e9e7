"""The modules of torch whose synapses neuroact knows."""

from __future__ import annotations

import torch
from torch import nn

from neuroact.layers.fan_out import CONNECTIONS
from neuroact.layers.synapses.one_weight import OneWeight
from neuroact.layers.synapses.protocol import SynapsesByPart

# Layers that use another weight than the one they show: those of quantisation-aware training, and
# those of SpikingJelly that standardise their weight.
_OF_ANOTHER_WEIGHT = ("weight_fake_quant", "get_weight")


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
    if isinstance(module, CONNECTIONS):
        return {"": OneWeight(module)}
    return None

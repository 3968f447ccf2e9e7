"""How modules' weights work on what arrives at them: what synaptic operations follow from."""

from neuroact.layers.fan_out import FanOut
from neuroact.layers.synapses.attention import PRODUCTS
from neuroact.layers.synapses.feedback import Feedback
from neuroact.layers.synapses.matrices import Matrices
from neuroact.layers.synapses.one_to_one import OneToOne
from neuroact.layers.synapses.one_weight import OneWeight
from neuroact.layers.synapses.protocol import Synapses, SynapsesByPart

__all__ = [
    "PRODUCTS",
    "FanOut",
    "Feedback",
    "Matrices",
    "OneToOne",
    "OneWeight",
    "Synapses",
    "SynapsesByPart",
]

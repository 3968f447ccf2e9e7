"""How modules' weights work on what arrives at them: what synaptic operations follow from."""

from neuroact.layers.fan_out import FanOut
from neuroact.layers.synapses.matrices import Matrices
from neuroact.layers.synapses.protocol import Synapses

__all__ = ["FanOut", "Matrices", "Synapses"]

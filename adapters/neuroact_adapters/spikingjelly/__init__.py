"""SpikingJelly's neurons, of 0.0.0.0.12, 0.0.0.0.14 and 2.0."""

from neuroact_adapters.spikingjelly.adapter import SpikingJellyAdapter

__all__ = ["SpikingJellyAdapter"]

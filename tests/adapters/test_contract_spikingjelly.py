"""SpikingJelly's adapter passes the public suite."""

from neuroact.testing import AdapterContract
from neuroact_adapters.examples.spikingjelly import EXAMPLES
from neuroact_adapters.spikingjelly import SpikingJellyAdapter


class TestSpikingJellyAdapter(AdapterContract):
    adapter = SpikingJellyAdapter()
    examples = EXAMPLES

"""snnTorch's adapter passes the public suite."""

from neuroact.testing import AdapterContract
from neuroact_adapters.examples.snntorch import EXAMPLES
from neuroact_adapters.snntorch import SnnTorchAdapter


class TestSnnTorchAdapter(AdapterContract):
    adapter = SnnTorchAdapter()
    examples = EXAMPLES

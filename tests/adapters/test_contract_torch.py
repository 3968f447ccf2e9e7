"""The adapter of PyTorch's own layers passes the public suite."""

from neuroact.testing import AdapterContract
from neuroact_adapters.examples.torch import EXAMPLES
from neuroact_adapters.torch import TorchAdapter


class TestTorchAdapter(AdapterContract):
    adapter = TorchAdapter()
    examples = EXAMPLES

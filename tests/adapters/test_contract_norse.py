"""Norse's adapter passes the public suite."""

from neuroact.testing import AdapterContract
from neuroact_adapters.examples.norse import EXAMPLES
from neuroact_adapters.norse import NorseAdapter


class TestNorseAdapter(AdapterContract):
    adapter = NorseAdapter()
    examples = EXAMPLES

"""sinabs' adapter passes the public suite."""

from neuroact.testing import AdapterContract
from neuroact_adapters.examples.sinabs import EXAMPLES
from neuroact_adapters.sinabs import SinabsAdapter


class TestSinabsAdapter(AdapterContract):
    adapter = SinabsAdapter()
    examples = EXAMPLES

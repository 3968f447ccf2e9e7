"""The suite: every check of neuroact.testing, on every example."""

from tidepool.adapter import TidepoolAdapter
from tidepool.examples import EXAMPLES

from neuroact.testing import AdapterContract


class TestTidepoolAdapter(AdapterContract):
    """Reads tidepool right."""

    adapter = TidepoolAdapter()
    examples = EXAMPLES

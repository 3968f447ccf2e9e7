"""The table of sources says what those do that are in the environment apart."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from framework_table import distribution, stored
from source_rows import rows


@pytest.mark.filterwarnings("ignore")  # those of PyNN
@pytest.mark.parametrize("package", ["brian2", "nest", "pynn", "jax", "spyx", "brainstate"])
def test_the_table_of_sources_says_what_is_read_of_each(package: str) -> None:
    assert stored(package)[version(distribution(package))] == rows(package)

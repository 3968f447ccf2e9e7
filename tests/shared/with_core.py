"""A mark for tests of what only the compiled core does."""

from __future__ import annotations

import pytest

from neuroact.native import core, why_missing

with_core = pytest.mark.skipif(
    core() is None, reason=f"only the compiled core does it: {why_missing()}"
)

"""A mark for tests that count blocks, which only the compiled core does."""

from __future__ import annotations

import pytest

from neuroact.native import core, why_missing

with_core = pytest.mark.skipif(
    core() is None, reason=f"counting blocks needs the compiled core: {why_missing()}"
)

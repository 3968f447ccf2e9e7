"""Lets tests import this folder's helpers, raw.py and the case files; a package full of copies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def src(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package in which all installed ones lie once more, as repositories copy a framework.

    Its folders are those of all packages. A framework's relative imports then lead to the copy.
    """
    package = ModuleType("src")
    package.__path__ = list(sys.path)
    monkeypatch.setitem(sys.modules, "src", package)
    yield "src"
    for name in [name for name in sys.modules if name.startswith("src.")]:
        del sys.modules[name]

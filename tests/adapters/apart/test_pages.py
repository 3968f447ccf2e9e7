"""The blocks of pages about what needs this environment run, and print what stands below them."""

from __future__ import annotations

from pathlib import Path

import pytest
from snippets import APART, ROOT, run


@pytest.mark.parametrize("path", APART, ids=lambda path: str(path.relative_to(ROOT)))
def test_snippets_run_and_print_what_stands_below_them(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    run(path)

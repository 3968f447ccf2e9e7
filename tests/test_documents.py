"""Every Python block of the README and the docs runs, and prints what stands below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from snippets import APART, DOCUMENTS, ROOT, run

HERE = [path for path in DOCUMENTS if path not in APART]


@pytest.mark.parametrize("path", HERE, ids=lambda path: str(path.relative_to(ROOT)))
def test_snippets_run_and_print_what_stands_below_them(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    run(path)


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://")):
                assert (path.parent / target).exists(), f"{path.name} links to {target}"

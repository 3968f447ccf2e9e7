"""Every Python block of the README and the docs runs, and prints what stands below it."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
OUTSIDE_DOCS = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "adapters/README.md",
    "examples/custom_framework/README.md",
)
DOCUMENTS = sorted([*(ROOT / name for name in OUTSIDE_DOCS), *ROOT.glob("docs/**/*.md")])
# Pages whose packages are in the environment apart, and the tests there that run them.
APART = {ROOT / "docs/how-to/jax.md": ROOT / "tests/adapters/apart/test_jax.py"}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    """Lines of Python, and the output written below them; None where there is none."""

    line: int
    code: str
    output: str | None


def snippets(text: str) -> list[Snippet]:
    """The Python blocks of a Markdown text; a `text` block right below one is its output."""
    blocks = [(m.start(), m.group(1), m.group(2), m.end()) for m in FENCE.finditer(text)]
    found = []
    for number, (start, language, code, end) in enumerate(blocks):
        if language != "python":
            continue
        output = None
        if number + 1 < len(blocks):
            next_start, next_language, next_code, _ = blocks[number + 1]
            if next_language == "text" and not text[end:next_start].strip():
                output = next_code
        found.append(Snippet(text.count("\n", 0, start) + 2, code, output))
    return found


def same(expected: str, printed: str) -> bool:
    """Whether that was printed; `...` stands for any text, such as a version."""
    return doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)


@pytest.mark.parametrize(
    "path",
    [path for path in DOCUMENTS if path not in APART],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_snippets_run_and_print_what_stands_below_them(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for snippet in snippets(path.read_text(encoding="utf-8")):
        printed = io.StringIO()
        # Blank lines in front, so that a traceback shows the document's own line numbers.
        code = compile("\n" * (snippet.line - 1) + snippet.code, str(path), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        if snippet.output is not None:
            assert same(snippet.output, printed.getvalue()), printed.getvalue()


def test_pages_of_packages_apart_are_run_there() -> None:
    for page, test in APART.items():
        assert f'run(ROOT / "{page.relative_to(ROOT)}"' in test.read_text(encoding="utf-8")


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://")):
                assert (path.parent / target).exists(), f"{path.name} links to {target}"

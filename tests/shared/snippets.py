"""The Python blocks of the README and the docs: where they are, and what runs them."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
OUTSIDE_DOCS = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "adapters/README.md",
    "examples/custom_framework/README.md",
)
DOCUMENTS = sorted([*(ROOT / name for name in OUTSIDE_DOCS), *ROOT.glob("docs/**/*.md")])
# What needs another environment: the tests there run it.
APART = [ROOT / "docs/how-to/survive-the-trip.md", ROOT / "docs/how-to/jax.md"]
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


def run(path: Path) -> None:
    """Run a document's blocks one after the other, and compare what they print."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for snippet in snippets(path.read_text(encoding="utf-8")):
        printed = io.StringIO()
        # Blank lines in front, so that a traceback shows the document's own line numbers.
        code = compile("\n" * (snippet.line - 1) + snippet.code, str(path), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        if snippet.output is not None:
            assert same(snippet.output, printed.getvalue()), printed.getvalue()

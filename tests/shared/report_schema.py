"""Writes `docs/reference/report.schema.json` from the classes of `neuroact.files.layout`.

Run: python tests/shared/report_schema.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from msgspec.json import schema_components

from neuroact import LayerActivity
from neuroact.files import layout
from neuroact.results.definitions import definition
from neuroact.results.folded import FoldedOperations
from neuroact.results.operations import LayerOperations, OperationCounts
from neuroact.results.spread import OperationSpread

FILE = Path(__file__).parents[2] / "docs/reference/report.schema.json"
DECLARED = (layout.Report, layout.Origin, layout.Layer, layout.Figures)
# Where entries are described that their class does not describe; else in `LayerActivity`.
MEASURED = {
    "OperationsOfLayer": (LayerOperations, OperationCounts),
    "OperationsFolded": (FoldedOperations,),
    "SpreadOverSamples": (OperationSpread,),
}


def schema() -> dict[str, Any]:
    """The schema, with what the docstrings say of each entry."""
    _, parts = schema_components(DECLARED, ref_template="#/$defs/{name}")
    for name, part in parts.items():
        cls = layout.RESULTS.get(name) or getattr(layout, name)
        part["description"] = paragraph(part["description"])
        if "properties" in part:
            for entry, described in part["properties"].items():
                known = (cls, *MEASURED.get(name, (LayerActivity,)))
                text = next(filter(None, (definition(entry, each) for each in known)), "")
                described |= {"description": text} if text else {}
    report = parts.pop("Report")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **report,
        "title": "neuroact.report",
        "if": {"properties": {"schema_version": {"const": 2}}},
        "then": {"required": ["definitions"]},
        "$defs": parts,
    }


def paragraph(docstring: str) -> str:
    """A docstring as a line, up to its list of attributes or its example."""
    return " ".join(re.split("Attributes:|>>>", docstring)[0].split())


def laid_out(value: Any, depth: int = 0) -> str:
    """JSON in which an object is a line where it fits in one."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or len(line) + depth < 100:
        return line
    entries = [f'{" " * depth} "{name}": {laid_out(x, depth + 1)}' for name, x in value.items()]
    return "{\n" + ",\n".join(entries) + f"\n{' ' * depth}}}"


def text() -> str:
    """The schema as it lies in the file."""
    return laid_out(schema()) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

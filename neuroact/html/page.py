"""Fill a template to one self-contained page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroact.printable import printable
from neuroact.versions import installed_version

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_DEEPEST = 3


def rendered(template: str, **context: Any) -> str:
    """The page, with style and script inside. All values of `context` are escaped."""
    from markupsafe import Markup

    script = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup((_TEMPLATES / "page.css").read_text(encoding="utf-8")),
            script=Markup(script),
            script_hash=f"sha256-{digest}",
            version=installed_version("neuroact") or "",
            **context,
        )
    )


def facts_of(values: Mapping[Any, Any], depth: int = _DEEPEST) -> dict[str, Any]:
    """Names and values as printable text. Mappings inside stay mappings, down to `depth`."""
    return {printable(str(key)): _fact(value, depth) for key, value in values.items()}


def _fact(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping) and value and depth > 1:
        return facts_of(value, depth - 1)
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(printable(str(item)) for item in value) or "none"
    return printable(str(value))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

"""Read a JSON text as a document of a declared class, without trusting the text.

A file may be cut short, written by another program or a later neuroact, or made to do harm.
Whatever is in it, reading takes time and memory in proportion to its length. It returns what was
written, or raises a `ReportFileError` that says what is wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from msgspec import Struct, ValidationError, convert

from neuroact.atomic_file import checked_path
from neuroact.errors import ReportFileError
from neuroact.files.strict_json import short, strict_json

T = TypeVar("T")
D = TypeVar("D", bound="Document")


class Document(Struct, kw_only=True, tag_field="schema"):
    """The whole content of a JSON text. The tag of a subclass is the name of its schema."""

    oldest: ClassVar[int] = 1
    newest: ClassVar[int]


def read(source: str | os.PathLike[str], from_document: Callable[[Any], T]) -> T:
    """Parse a JSON file, or a JSON text that begins with `{`, and pass it to `from_document`.

    Raises:
        ReportFileError: the message names the file and says what is wrong with it.
    """
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return parse(source, "the text", from_document)
    return parse(Path(checked_path(source)).read_bytes(), str(source), from_document)


def parse(text: str | bytes, source: str, from_document: Callable[[Any], T]) -> T:
    """Parse a JSON text and pass it to `from_document`.

    Raises:
        ReportFileError: the message names `source` and says what is wrong with it.
    """
    try:
        document = strict_json(text)
    except (ValueError, RecursionError) as cause:
        raise ReportFileError(f"{source}: not JSON, or cut short: {cause}") from cause
    try:
        return from_document(document)
    except ReportFileError as cause:
        raise ReportFileError(f"{source}: {cause}", layer=cause.layer) from cause


def opened(document: Any, cls: type[D]) -> D:
    """Convert a document to an object of its class, which declares schema and versions.

    Raises:
        ReportFileError: it has another schema or an unreadable version, or is damaged.
    """
    schema, newest = str(cls.__struct_config__.tag), cls.newest
    what = schema.partition(".")[2]
    if not isinstance(document, Mapping) or document.get("schema") != schema:
        raise ReportFileError(
            f'expected a document with "schema": "{schema}"; this is something else'
        )
    version = document.get("schema_version")
    if type(version) is int and version > newest:
        raise ReportFileError(
            f"the {what} has schema version {short(version)}, this neuroact reads up to "
            f"{newest}: update neuroact"
        )
    if type(version) is int and 0 < version < cls.oldest:
        raise ReportFileError(
            f"the {what} has schema version {version}, this neuroact reads from {cls.oldest} on: "
            "make it again with this neuroact"
        )
    try:
        found: D = checked(document, cls)
    except ValueError as cause:
        raise ReportFileError(f"the {what} is damaged: {cause}") from cause
    return found


def checked(value: Any, cls: Any) -> Any:
    """Convert a JSON value to an object of a type.

    Raises:
        ValueError: the message says where in the value, what was expected, and what came.
    """
    try:
        return convert(value, cls)
    except ValidationError as cause:
        raise ValueError(_explained(str(cause), value)) from cause


def _explained(message: str, value: Any) -> str:
    """The message of msgspec, rearranged: the place first, the value that came last."""
    what, _, path = message.partition(" - at ")
    what = what[:1].lower() + what[1:200]
    what = re.sub("`str` matching regex.*", "a text of whole characters", what)
    for key, at in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        value = value[key] if key else value[int(at)]
    if what.startswith(("expected", "number")):
        what = f"{what.partition(', got')[0]}, came {short(value)}"
    place = path.strip("`").removeprefix("$").removeprefix(".")
    return f"{place}: {what}" if place else what

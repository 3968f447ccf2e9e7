"""Parse JSON as the standard defines it. Python's `json` also takes NaN, and a key twice."""

from __future__ import annotations

import json
from collections import Counter
from reprlib import Repr
from typing import Any

_REPR = Repr()
_REPR.maxlevel = 1
short = _REPR.repr
"""A value as a short text, however large it is."""


def strict_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, or an object has a key twice.
        RecursionError: it is nested too deep.
    """
    return json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number in JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = Counter(key for key, _ in pairs)
        twice = keys.most_common(1)[0][0]
        raise ValueError(f"the key {short(twice)} comes twice in one object")
    return found

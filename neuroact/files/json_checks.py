"""What a JSON value is expected to be; anything else is a ValueError in a few words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

MOST = 2**63 - 1
"""The largest count: that of an int64."""

_NAMES = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}


def required(entry: Mapping[str, Any], key: str) -> Any:
    """The value of a key that has to be there."""
    if key not in entry:
        raise ValueError(f'it has no "{key}"')
    return entry[key]


def expect_kind(value: Any, kind: type) -> Any:
    """The value, which has to be a dict, list, str or bool."""
    if not isinstance(value, kind):
        raise ValueError(f"expected {_NAMES[kind]}, came {short(value)}")
    return value


def value_of(entry: Mapping[str, Any], key: str, kind: type) -> Any:
    """The value of a key that has to be there, and of that kind."""
    value = required(entry, key)
    if not isinstance(value, kind):
        raise ValueError(f"{key}: expected {_NAMES[kind]}, came {short(value)}")
    return value


def expect_text(value: Any) -> str:
    """The value, which has to be a text that any file can hold."""
    text: str = expect_kind(value, str)
    text.encode()  # half a surrogate pair can be in JSON, but in no file of text
    return text


def expect_count(value: Any) -> int:
    """The value, which has to be a whole number from 0 to `MOST`."""
    if type(value) is not int or not 0 <= value <= MOST:
        raise ValueError(f"expected a count, came {short(value)}")
    return value


def expect_number(value: Any) -> float:
    """The value, which has to be a finite number."""
    if type(value) in (int, float):
        try:
            if math.isfinite(number := float(value)):
                return number
        except OverflowError:
            pass
    raise ValueError(f"expected a finite number, came {short(value)}")

"""Adapters that an entry point may name and that cannot be used."""

from __future__ import annotations


class Lacking:
    """An adapter without `kind` and `read`."""

    framework = "toy"


class Failing:
    """An adapter whose construction fails."""

    def __init__(self) -> None:
        raise OSError("no such device")

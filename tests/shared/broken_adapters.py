"""Adapters that an entry point may lead to, and that cannot be used."""

from __future__ import annotations


class Lacking:
    """It has neither `kind` nor `read`."""

    framework = "toy"


class Failing:
    """It cannot be made."""

    def __init__(self) -> None:
        raise OSError("no such device")

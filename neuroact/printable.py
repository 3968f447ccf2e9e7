"""Makes other people's text safe to show. Imports nothing, so that `errors` can use it."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""A name that is safe to show: characters that do not print, escape codes too, are escaped.

    The empty name is shown as two quotation marks.

    >>> from neuroact.printable import printable
    >>> print(printable("lif\x1b[31m\n"))
    lif\x1b[31m\n
    """
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped) or '""'


def printable_lines(text: str) -> str:
    r"""As `printable`, for a text of several lines: line breaks and empty lines stay.

    >>> from neuroact.printable import printable_lines
    >>> print(printable_lines("a\x1b\n\nb"))
    a\x1b
    <BLANKLINE>
    b
    """
    return "\n".join(printable(line) if line else "" for line in text.split("\n"))

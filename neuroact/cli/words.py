"""The library's messages in the command line's own words: `--layers lif` for `layers="lif"`.

The library speaks to people who write Python. What it says of an argument is true of the option
that the argument came from, so a command that shows a message puts the option in its place.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

_TEXT = r"""(?:"[^"]*"|'[^']*')"""
_ARGUMENT = (
    rf"(?<![-\w])(?P<name>[a-z]+)="
    rf"(?P<value>{_TEXT}|\[[^\]]*\]|\{{[^}}]*\}}|[-\w.]*\w(?:\([^()]*\))?|)"
)
_RECORDING = r"(?:neuroact\.)?\b(?:record|measure)\((?:model|…)(?P<arguments>[^()]*)\)"
_PAIR = rf"\{{({_TEXT}): ({_TEXT})\}}"
_TWICE = r"(neuroact run [-\w ]+) or \1"


def in_options(message: str, options: Mapping[str, str], recording: Mapping[str, str]) -> str:
    """The message with options in place of arguments.

    What no option can say stays Python, and is called so.

    Args:
        message: the text of an error or a warning of neuroact.
        options: the command's options by the names of their arguments: {"layers": "--layers"}.
        recording: the same of `neuroact run`, for advice to record something.

    >>> from neuroact.cli.words import in_options
    >>> run = {"axes": "--axes", "statistics": "--statistics"}
    >>> in_options('Say the order with axes=, such as axes="BTN".', run, run)
    'Say the order with --axes, such as --axes BTN.'
    >>> in_options("Record them: neuroact.record(model, statistics=[neuroact.Raster])", {}, run)
    'Record them: neuroact run TARGET --statistics Raster'
    >>> in_options('neuroact.record(model, of="input")', run, run)
    'in Python, neuroact.record(model, of="input")'
    """

    def said(found: re.Match[str]) -> str:
        if found["arguments"] is None:
            if found["name"] not in options:
                return found[0]
            return _option(options, found) or f"in Python, {found[0]}"
        given = [_option(recording, each) for each in re.finditer(_ARGUMENT, found["arguments"])]
        words = [word for word in given if word is not None]
        if len(words) < len(given):
            return f"in Python, {found[0]}"
        return " ".join(["neuroact run TARGET", *words])

    return re.sub(_TWICE, r"\1", re.sub(f"{_RECORDING}|{_ARGUMENT}", said, message))


def _option(options: Mapping[str, str], found: re.Match[str]) -> str | None:
    """An argument as an option and its value; None if no option can say it."""
    option, value = options.get(found["name"]), found["value"]
    if option is None:
        return None
    if value in ("", "True"):
        return option
    if pair := re.fullmatch(_PAIR, value):
        value = f"{pair[1][1:-1]}={pair[2][1:-1]}" if option == "--map" else value
    values = value[1:-1].split(", ") if value.startswith("[") else [value]
    texts = [text.strip("\"'").removeprefix("neuroact.") for text in values]
    if any(set(text) & set("{(") for text in texts):
        return None
    return " ".join(f"{option} {shlex.quote(text)}" for text in texts)

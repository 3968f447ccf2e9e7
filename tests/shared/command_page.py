"""Writes the reference in `docs/how-to/command-line.md` from the command's own help.

Run it after changing a command: python tests/shared/command_page.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from neuroact.cli import app

PAGE = Path(__file__).parents[2] / "docs/how-to/command-line.md"
HEADING = "## Every command and option\n"
NOTE = """
Written by `tests/shared/command_page.py` from what `--help` says; a test compares the two. Every
command has `-h` and `--help`, too.
"""


def page() -> str:
    """The whole page: what a person wrote, and the reference below it."""
    written = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    return f"{written}{HEADING}{NOTE}" + "".join(map(section, commands()))


def commands() -> list[Any]:
    """All commands, in the order of `neuroact --help`, which comes first itself."""
    whole: Any = typer.main.get_command(app)
    return [whole, *whole.commands.values()]


def section(command: Any) -> str:
    """A command's usage, what it does, and a table of its arguments and options."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join(["neuroact", command.name, *map(usage_of, arguments)])
    if command.name == app.info.name:
        usage = "neuroact"
    text = inspect.cleandoc(command.help)
    lines = [f"\n### {usage}\n", f"\n{text}\n", "\n| | what it is |\n|---|---|\n"]
    return "".join([*lines, *rows(command)])


def usage_of(argument: Any) -> str:
    return f"{argument.metavar}..." if argument.nargs == -1 else str(argument.metavar)


def rows(command: Any) -> Iterator[str]:
    """A row for each argument and option."""
    for param in command.params:
        name = ", ".join(f"`{opt}`" for opt in (*param.opts, *param.secondary_opts))
        if param.param_type_name == "argument":
            name = f"`{param.metavar}`"
        elif not param.is_flag:
            name = name.removesuffix("`") + f" {param.metavar}`"
        yield f"| {name} | {told(param)} |\n"


def told(param: Any) -> str:
    """The help of a parameter, with its default."""
    text = " ".join(param.help.split())
    if param.default is None or param.default is False or param.required:
        return text
    return f"{text} Default: `{param.default}`."


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""The application that the commands are added to, and its exit codes."""

from __future__ import annotations

import shutil
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from neuroact.cli.output_streams import output_streams_may_close
from neuroact.errors import NeuroactError
from neuroact.printable import printable

FOUND, BAD_USE, UNEXPECTED, INTERRUPTED = 1, 2, 70, 130
"""Exit codes other than 0. The last is the one that shells use for Ctrl-C."""

_NARROWEST, _WIDEST = 40, 80
"""Widths of the help. A narrower terminal breaks its lines."""


class Command(TyperCommand):
    """A command whose line in the list of commands is its whole first sentence."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first paragraph, which the list wraps."""
        return " ".join((self.help or "").partition("\n\n")[0].split())


class Commands(TyperGroup):
    """The commands, whose help fits a narrow terminal. typer's fits none below 50 characters."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """As inherited, with the terminal's width."""
        width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
        options.setdefault("terminal_width", width - 2)
        return super().make_context(*arguments, **options)


app = typer.Typer(
    name="neuroact",
    cls=Commands,
    help="What a spiking network's neurons do: who fires, how much, who is dead or saturated.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Help is plain text. As markup, `neuroact[demo]` would lose its `[demo]`.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line. The console script calls this."""
    with output_streams_may_close():
        _run()


def _run() -> None:
    try:
        app()
    except (NeuroactError, OSError) as error:
        for line in str(error).splitlines():
            typer.echo(f"neuroact: {printable(line)}", err=True)
        sys.exit(BAD_USE)
    except Exception:
        # Python's own exit code would be 1, which means a verdict here.
        traceback.print_exc()
        sys.exit(UNEXPECTED)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        from neuroact import __version__

        typer.echo(f"neuroact {__version__}")
        raise typer.Exit

"""The application that the commands are added to, and its exit codes."""

from __future__ import annotations

import shutil
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from neuroact.cli.output_streams import output_streams_may_close
from neuroact.cli.words import in_options
from neuroact.errors import NeuroactError, NeuroactWarning
from neuroact.printable import printable

FOUND, BAD_USE, UNEXPECTED, INTERRUPTED = 1, 2, 70, 130
"""Exit codes other than 0. The last is the one that shells use for Ctrl-C."""

_NARROWEST, _WIDEST = 40, 80
"""Widths of the help. A narrower terminal breaks its lines."""


class _Light:
    """Has typer load pydantic, which takes as long as all else, only for values that need it."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As inherited. typer converts a flag that is None, and lets one that is False be."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.default is None:
                param.default = False
        return params


class Command(_Light, TyperCommand):
    """A command whose line in the list of commands is its whole first sentence."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first paragraph, which the list wraps."""
        return " ".join((self.help or "").partition("\n\n")[0].split())

    def invoke(self, ctx: Any) -> Any:
        """As inherited. Errors and warnings of neuroact are shown in the words of its options."""
        run = ctx.find_root().command.commands["run"]

        def in_words(message: object) -> str:
            return in_options(str(message), _options_of(self), _options_of(run))

        def say(message: object) -> None:
            for line in in_words(message).splitlines():
                typer.echo(f"neuroact: {printable(line)}", err=True)

        def show(message: Warning | str, *where: Any, **to: Any) -> None:
            if isinstance(message, NeuroactWarning):
                say(message)
            else:
                others(message, *where, **to)

        try:
            with warnings.catch_warnings():
                others, warnings.showwarning = warnings.showwarning, show
                return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = in_words(error.message)
            raise
        except (NeuroactError, OSError) as error:
            say(error)
            raise typer.Exit(BAD_USE) from None


def _options_of(command: Any) -> dict[str, str]:
    return {p.name: max(p.opts, key=len) for p in command.params if p.opts[0].startswith("-")}


class Commands(_Light, TyperGroup):
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

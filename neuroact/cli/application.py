"""The application that the commands are added to, and its exit codes."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from neuroact.cli.output_streams import output_streams_may_close
from neuroact.errors import NeuroactError
from neuroact.printable import printable

FOUND, BAD_USE, UNEXPECTED, INTERRUPTED = 1, 2, 70, 130
"""Exit codes other than 0. The last is the one that shells use for Ctrl-C."""

app = typer.Typer(
    name="neuroact",
    help="What a spiking network's neurons do: who fires, how much, who is dead or saturated.",
    add_completion=False,
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

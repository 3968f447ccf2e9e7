"""The `neuroact` command, put together from one module for each subcommand.

A subcommand imports what it needs only when it runs. If the user can mend a failure, it is one line
on standard error. Any other failure keeps its traceback.

Exit codes:

- 0: success
- 1: `--fail-on` found a verdict, or a check of `--check` failed
- 2: bad use, or a file that cannot be read or written
- 70: an unexpected error in the user's code or in neuroact
- 130: Ctrl-C
"""

from __future__ import annotations

from neuroact.cli import adapters, compare, demo, export, html, merge, plot, run, show
from neuroact.cli.application import Command, app, main

__all__ = ["app", "main"]

for _module, _command in (
    (demo, demo.demo),
    (run, run.run),
    (show, show.show),
    (plot, plot.plot),
    (html, html.html),
    (compare, compare.compare),
    (merge, merge.merge),
    (export, export.export),
    (adapters, adapters.adapters),
):
    # The first line keeps typer from joining the others to one paragraph.
    _lines = ["\b", "Examples:", *(f"  {line}" for line in _module.EXAMPLES.strip().splitlines())]
    app.command(cls=Command, epilog="\n".join(_lines))(_command)

"""The `neuroact` command: a module a command, put together here.

What a command needs is imported when it runs. A failure that is the user's to mend is one line on
standard error and exit code 2; anything else keeps its traceback.

Exit codes: 0, or 1 where `--fail-on` or `--check` found what it looks for, 2 for bad use or a file
that cannot be read or written, 70 for an unexpected error, in the user's code or in neuroact, 130
after Ctrl-C.
"""

from __future__ import annotations

from neuroact.cli import adapters, compare, demo, export, html, merge, plot, run, show
from neuroact.cli.application import app, main

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
    # The first line keeps the others from being filled into one paragraph.
    _lines = ["\b", "Examples:", *(f"  {line}" for line in _module.EXAMPLES.strip().splitlines())]
    app.command(epilog="\n".join(_lines))(_command)

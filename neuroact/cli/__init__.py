"""The `neuroact` command: a module a command, put together here.

What a command needs is imported when it runs. A failure that is the user's to mend is one line on
standard error and exit code 2; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

from neuroact.cli import adapters, demo, show
from neuroact.cli.application import app, main

__all__ = ["app", "main"]

app.command()(demo.demo)
app.command()(show.show)
app.command()(adapters.adapters)

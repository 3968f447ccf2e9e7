"""Runs the console script as a shell would, but in the tests' own process."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import NamedTuple
from unittest import mock

from neuroact import cli

# SIGINT as in a terminal's foreground, however the tests were started.
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "sys.argv[0] = 'neuroact'; from neuroact.cli import main; main()"
)


class Ended(NamedTuple):
    """How a command ended, as a shell sees it."""

    code: int
    out: str
    err: str


def neuroact(*arguments: object) -> Ended:
    """Run the command, with an output that is not a terminal."""
    code, out, err = 0, io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["neuroact", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
    return Ended(code, out.getvalue(), err.getvalue())

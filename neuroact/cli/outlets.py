"""Standard output and error whose reader may go away, as `head` does: the command goes on.

What it found and wrote, and its exit code, do not depend on who reads how much of what it prints.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def outlets_may_close() -> Iterator[None]:
    """Within it, what is printed to a pipe that nobody reads any more is dropped."""
    before = sys.stdout, sys.stderr
    outlets: list[Any] = [stream and _Outlet(stream) for stream in before]  # None without a console
    sys.stdout, sys.stderr = outlets
    try:
        yield
    finally:
        for outlet in filter(None, outlets):
            outlet.flush()
        sys.stdout, sys.stderr = before


class _Outlet:
    """A text stream as it is, but for what a closed pipe raises."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except BrokenPipeError:
            self._close()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._close()

    def _close(self) -> None:
        # The descriptor goes on, to nowhere: what is still in a buffer is dropped there.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

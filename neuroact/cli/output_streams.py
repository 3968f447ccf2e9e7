"""Continue a command even if the reader of its output goes away, as `head` does.

So the files that a command writes, and its exit code, do not depend on who reads what it prints.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def output_streams_may_close() -> Iterator[None]:
    """Within this block, text printed to a closed pipe is dropped."""
    before = sys.stdout, sys.stderr
    # A stream is None if there is no console.
    streams: list[Any] = [stream and _OutputStream(stream) for stream in before]
    sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        for stream in filter(None, streams):
            stream.flush()
        sys.stdout, sys.stderr = before


class _OutputStream:
    """A text stream that does not raise an error if its pipe is closed."""

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
        # Point the descriptor at /dev/null, which also drops the text still in a buffer.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

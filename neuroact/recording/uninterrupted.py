"""Counting that is not cut short by a signal, such as a notebook's stop button."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

# Those that people have Python raise something for: a stop button, a timeout, a job's end.
_SIGNALS = tuple(
    int(number)
    for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGBREAK", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if (number := getattr(signal, name, None)) is not None
)

# What `signal` itself calls: its own functions make enumerations of all they give, which takes
# longer than the counting of a small layer.
_plain: Any = sys.modules.get("_signal", signal)


class Uninterrupted:
    """A `with` block that signals wait for: their handlers run when it has ended.

    Python runs a signal's handler between any two of its instructions. One that raises, as that of
    Ctrl-C does, would leave a call half counted. Handlers run in the main thread alone, so in every
    other one the block is as good as none.

    >>> from neuroact.recording.uninterrupted import Uninterrupted
    >>> with Uninterrupted():
    ...     pass    # whatever happens here happens whole
    """

    __slots__ = ("_came", "_handlers", "_restored")

    def __enter__(self) -> None:
        self._handlers: list[tuple[int, Any]] = []
        self._restored = 0
        self._came: list[tuple[int, FrameType | None]] = []
        if threading.get_ident() != threading.main_thread().ident:
            return
        try:
            for number in _SIGNALS:
                handler = _plain.getsignal(number)
                if callable(handler):
                    self._handlers.append((number, handler))
                    _plain.signal(number, self._note)
        except BaseException:
            self._restore()
            raise

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.append((number, frame))

    def _restore(self) -> None:
        try:
            while len(self._handlers) > self._restored:
                _plain.signal(*self._handlers[self._restored])
                self._restored += 1
            while self._came:
                number, frame = self._came.pop(0)
                dict(self._handlers)[number](number, frame)
        finally:  # each of them may raise, also one that is back in its place
            if len(self._handlers) > self._restored or self._came:
                self._restore()

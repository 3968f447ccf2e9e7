"""Keeps signals, such as that of a notebook's stop button, from interrupting the counting."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

# Signals whose handlers commonly raise: of a stop button, a timeout, a job's end.
_SIGNALS = tuple(
    int(number)
    for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGBREAK", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if (number := getattr(signal, name, None)) is not None
)

# The module under `signal`. The functions of `signal` make an enumeration of each number they
# return, which takes longer than counting a small layer.
_plain: Any = sys.modules.get("_signal", signal)


class Uninterrupted:
    """A `with` block that signals wait for: their handlers run when the block has ended.

    Python may run a signal's handler between any two of its instructions. A handler that raises, as
    that of Ctrl-C does, would leave a call half counted. Python runs handlers in the main thread
    alone, so in any other thread the block does nothing.

    >>> import signal
    >>> from neuroact.recording.uninterrupted import Uninterrupted
    >>> counted = 0
    >>> try:
    ...     with Uninterrupted():
    ...         signal.raise_signal(signal.SIGINT)    # Ctrl-C
    ...         counted += 1
    ... except KeyboardInterrupt:
    ...     print("interrupted after", counted)
    interrupted after 1
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
        finally:  # each handler may raise, also one that was restored just now
            if len(self._handlers) > self._restored or self._came:
                self._restore()

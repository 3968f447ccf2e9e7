"""Who may feed a recording: one thread at a time, in the process where it was made.

A layer's calls are one stream, in order: of two threads that take turns, each would break the
other's sequences, and of two at once, counts would be lost. A forked process has a copy of the
recording that nobody would ever read. Both are refused, by the layer's name.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol
from weakref import WeakSet

from neuroact.errors import OtherProcessError, OtherThreadError
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording.uninterrupted import Uninterrupted


class OneAtATime:
    """A lock, and what waits for it without blocking.

    A recording that nobody holds is let go of wherever Python happens to collect it, which may be
    in the midst of what the lock guards, in the very thread that holds it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.busy = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self.acquire, self.release = self._lock.acquire, self._lock.release

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the lock; signals wait meanwhile, so that it is always given back.

        One that raised right after the lock was taken would leave nobody to let go of it.
        """
        try:
            with Uninterrupted(), self._lock:
                self.busy += 1
                try:
                    yield
                finally:
                    self.busy -= 1
        finally:
            self.work_off()

    def when_free(self, work: Callable[[], None]) -> None:
        """Do it now or, where the lock is held, when it is not; the work may take it itself."""
        self._waiting.append(work)
        self.work_off()

    def work_off(self) -> None:
        """Do what waits, where the lock is free."""
        while not self.busy:
            try:
                work = self._waiting.popleft()
            except IndexError:
                return
            work()


# Held while a layer's watchers or its thread change: threads may record one model, each for itself.
one_at_a_time = OneAtATime()


class Refusing(Protocol):
    """A recording, which a forked process has a copy of."""

    def refuse(self) -> None:
        """Refuse all that is fed, in a process forked from the one that made it."""


_made_here: WeakSet[Any] = WeakSet()  # of `Refusing`


class OneThread:
    """The thread that feeds a layer: the first one that does, until it ends or lets go."""

    __slots__ = ("_thread",)

    def __init__(self) -> None:
        self._thread: int | None = None

    def check(self, info: LayerInfo) -> None:
        """Make the current thread the one, if there is no other.

        Raises:
            OtherThreadError: there is another, which has not ended.
        """
        current = threading.get_ident()
        if current != self._thread:
            with one_at_a_time():
                self._take_over(current, info)

    def let_go(self) -> None:
        """Whichever thread comes next is the one."""
        self._thread = None

    def _take_over(self, current: int, info: LayerInfo) -> None:
        running = {thread.ident: thread.name for thread in threading.enumerate()}
        # A thread that is just starting has no ident yet: None, as where no thread feeds the layer.
        if self._thread is not None and self._thread in running:
            raise OtherThreadError(
                f"{info} was called in the thread {threading.current_thread().name!r}, while the "
                f"same recording takes the calls of {running[self._thread]!r}. Give each thread a "
                "recording of its own and merge them; or, where one thread hands the model over "
                "to the other, call recording.new_sequence() in between. The call that was "
                "refused is not counted.",
                layer=info.name,
            )
        self._thread = current


class Refusal:
    """Watches a layer in a forked process: each call is an error."""

    __slots__ = ("_info",)

    def __init__(self, info: LayerInfo) -> None:
        self._info = info

    @property
    def callbacks(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Refuse a call before it runs."""
        return self.traced, self.traced

    def traced(self, *_: object) -> NoReturn:
        """Refuse it before it runs."""
        self.check_capture()

    def check_capture(self) -> NoReturn:
        """Refuse it, however it is run."""
        raise OtherProcessError(
            f"{self._info} was called in process {os.getpid()}, forked from process "
            f"{os.getppid()}, which records the layer and cannot see the call. Fork before "
            "recording, or call recording.close() in the forked process; there the model may be "
            "recorded anew, and files of both recordings merged.",
            layer=self._info.name,
        )


def refuse_when_forked(recording: Refusing) -> None:
    """Have a recording refuse what it is fed in processes forked from this one."""
    _made_here.add(recording)


def _refuse_in_forked_process() -> None:
    for recording in list(_made_here):
        recording.refuse()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_refuse_in_forked_process)
    # Else a forked process might wait for a thread that it has not.
    os.register_at_fork(
        before=one_at_a_time.acquire,
        after_in_parent=one_at_a_time.release,
        after_in_child=one_at_a_time.release,
    )

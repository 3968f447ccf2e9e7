"""Who may feed a recording: one thread at a time, in the process where it was made.

A layer's calls are one stream, in order. Two threads that take turns would break each other's
sequences, and two that run at once would lose counts. A forked process has a copy of the recording,
which nobody would ever read. So a call from a second thread or in a forked process is refused by an
error that names the layer.
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
    """A lock, and a queue of work to do when the lock is free.

    Python may free a recording that nobody holds at any point, even in the thread that holds the
    lock and in the midst of what the lock guards. So the work of letting go of it joins the queue.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.busy = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self.acquire, self.release = self._lock.acquire, self._lock.release

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the lock. Signals wait meanwhile.

        A signal's handler that raised right after the lock was taken would leave it locked.
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
        """Do some work now or, if the lock is held, once it is free; the work may take the lock."""
        self._waiting.append(work)
        self.work_off()

    def work_off(self) -> None:
        """Do the work that waits, if the lock is free."""
        while not self.busy:
            try:
                work = self._waiting.popleft()
            except IndexError:
                return
            work()


# Held while a layer's watchers or its thread change. Several threads may record one model, each in
# a recording of its own.
one_at_a_time = OneAtATime()


class Refusing(Protocol):
    """A recording, seen from a process forked from the one that made it."""

    def refuse(self) -> None:
        """Refuse from now on whatever the recording is fed."""


_made_here: WeakSet[Any] = WeakSet()  # of `Refusing`


class OneThread:
    """The one thread that may feed a layer: the first that does, until it ends or `let_go`."""

    __slots__ = ("_thread",)

    def __init__(self) -> None:
        self._thread: int | None = None

    def check(self, info: LayerInfo) -> None:
        """Check that the current thread may feed the layer; if no other does, it takes over.

        Raises:
            OtherThreadError: another thread feeds the layer, and has not ended.
        """
        current = threading.get_ident()
        if current != self._thread:
            with one_at_a_time():
                self._take_over(current, info)

    def let_go(self) -> None:
        """Let whichever thread comes next feed the layer."""
        self._thread = None

    def _take_over(self, current: int, info: LayerInfo) -> None:
        running = {thread.ident: thread.name for thread in threading.enumerate()}
        # A thread that is just starting has the ident None. Here, None means that no thread feeds.
        if self._thread is not None and self._thread in running:
            raise OtherThreadError(
                f"{info} was called in the thread {threading.current_thread().name!r}, while the "
                f"same recording takes the calls of {running[self._thread]!r}. Give each thread a "
                "recording of its own and merge them. Or, if one thread hands the model over to "
                "the other, call recording.new_sequence() in between. The refused call is not "
                "counted.",
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
        """Refuse a call before it runs."""
        self.check_capture()

    def recomputed(self, output: Any) -> None:
        """Repeated calls are not counted, so there is nothing to refuse."""

    def check_capture(self) -> NoReturn:
        """Refuse a call, however it is run."""
        raise OtherProcessError(
            f"{self._info} was called in process {os.getpid()}, forked from process "
            f"{os.getppid()}, which records the layer and cannot see the call. Fork before "
            "recording, or call recording.close() in the forked process. You can then record the "
            "model anew there, and merge the files of both recordings.",
            layer=self._info.name,
        )


def refuse_when_forked(recording: Refusing) -> None:
    """Have a recording refuse whatever it is fed in processes forked from this one."""
    _made_here.add(recording)


def _refuse_in_forked_process() -> None:
    for recording in list(_made_here):
        recording.refuse()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_refuse_in_forked_process)
    # Else a forked process might wait for a lock held by a thread that it does not have.
    os.register_at_fork(
        before=one_at_a_time.acquire,
        after_in_parent=one_at_a_time.release,
        after_in_child=one_at_a_time.release,
    )

"""Two threads meet at any line: one runs a recorded call, the other reports or resets."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor
from toy import Neuron, ToyAdapter

import neuroact
from neuroact import (
    ActivityReport,
    InterspikeIntervals,
    Recording,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import NothingRecordedError, OtherThreadError

ALL = [SpikeCounts, TimeCourse, InterspikeIntervals, Synchrony]
PACKAGE = neuroact.__name__ + "."


class Meeting:
    """Runs a call and, before one line of neuroact's code within it, other work in another thread.

    So the test can have two threads meet at any line, the same way in each run. If the work waits
    for the call to end, the call goes on.
    """

    def __init__(self, pool: ThreadPoolExecutor, work: Callable[[], Any], at: int) -> None:
        self.lines, self.done = 0, Future[Any]()
        self._pool, self._work, self._at = pool, work, at

    def run(self, call: Callable[[], Any]) -> None:
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            call()
        finally:
            sys.settrace(before)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_globals.get("__name__", "").startswith(PACKAGE):
            return None
        if event == "line":
            if self.lines == self._at:
                self.done = self._pool.submit(self._work)
                wait([self.done], timeout=0.02)
            self.lines += 1
        return self._trace


STEPS = [torch.randn(3, 4, generator=torch.Generator().manual_seed(n)) * 2 for n in range(6)]
MET = 4  # the step during which the other thread works


def recorded(statistics: Any) -> tuple[Neuron, Recording]:
    net = Neuron(hidden=True)
    return net, neuroact.record(net, adapters=[ToyAdapter()], statistics=statistics)


def after(statistics: Any, steps: list[Tensor], *, reset_at: int = -1) -> ActivityReport:
    net, recording = recorded(statistics)
    for number, step in enumerate(steps):
        if number == reset_at:
            recording.reset()
        net(step)
    return recording.report()


def meetings(statistics: Any, work: Callable[[Recording], Any]) -> list[tuple[Any, ActivityReport]]:
    """The work's result and the report at the end, for each line at which the two may meet."""
    found: list[tuple[Any, ActivityReport]] = []
    at, lines = 0, 1
    with ThreadPoolExecutor(1) as pool:
        while at < lines:
            net, recording = recorded(statistics)
            for step in STEPS[:MET]:
                net(step)
            meeting = Meeting(pool, lambda recording=recording: work(recording), at)
            meeting.run(lambda net=net: net(STEPS[MET]))
            if meeting.lines <= at:
                break  # this call had fewer lines, so the two did not meet
            try:
                given = meeting.done.result(timeout=60)
            except OtherThreadError:
                given = None  # refused
            for step in STEPS[MET + 1 :]:
                net(step)
            found.append((given, recording.report()))
            lines, at = meeting.lines, at + 1
    return found


def saved(recording: Recording) -> ActivityReport:
    return Recording.from_bytes(recording.to_bytes()).report()


def merged(recording: Recording) -> ActivityReport:
    total = Recording(statistics=recording._factories[1:])
    total.merge(recording)
    return total.report()


@pytest.mark.parametrize("statistics", [None, ALL], ids=["default", "all"])
@pytest.mark.parametrize("work", [Recording.report, saved, merged])
def test_a_report_from_another_thread_shows_whole_calls_and_changes_nothing(
    statistics: Any, work: Callable[[Recording], ActivityReport]
) -> None:
    whole = [after(statistics, STEPS[:MET]), after(statistics, STEPS[: MET + 1])]
    everything = after(statistics, STEPS)
    for given, in_the_end in meetings(statistics, work):
        assert given is None or given in whole
        assert in_the_end == everything


@pytest.mark.parametrize("statistics", [None, ALL], ids=["default", "all"])
def test_a_reset_by_another_thread_comes_before_a_call_or_after_it(statistics: Any) -> None:
    whole = [
        after(statistics, STEPS),
        after(statistics, STEPS, reset_at=MET),
        after(statistics, STEPS, reset_at=MET + 1),
    ]
    for _, in_the_end in meetings(statistics, Recording.reset):
        assert in_the_end in whole


def test_a_report_that_a_reset_meets_is_whole_or_says_that_nothing_was_recorded() -> None:
    whole = after(None, STEPS)
    at, lines, found = 0, 1, list[ActivityReport | None]()
    with ThreadPoolExecutor(1) as pool:
        while at < lines:
            net, recording = recorded(None)
            for step in STEPS:
                net(step)
            meeting, given = Meeting(pool, recording.reset, at), list[ActivityReport]()
            with contextlib.suppress(NothingRecordedError):
                meeting.run(lambda given=given, of=recording: given.append(of.report()))
            lines, at = meeting.lines, at + 1
            found.append(given[0] if given else None)
    assert None in found
    assert all(report in (None, whole) for report in found)

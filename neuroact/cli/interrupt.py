"""Run batches one after another until Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import typer

_END = object()


@dataclass(slots=True)
class Progress:
    """How far a run came.

    Attributes:
        batches: number of complete batches.
        interrupted: whether Ctrl-C came before the end.
    """

    batches: int = 0
    interrupted: bool = False


def run_each(batches: Iterable[Any], run: Callable[[Any], object]) -> Progress:
    """Run batch after batch. At Ctrl-C, finish the current batch and stop.

    So every layer has seen the same whole batches. While the next batch is being loaded, no batch
    is running, and Ctrl-C stops at once.

    Raises:
        KeyboardInterrupt: a second Ctrl-C came in the middle of a batch.
    """
    progress, waiting = Progress(), False

    def stop(number: int, frame: FrameType | None) -> None:
        if waiting or progress.interrupted:
            progress.interrupted = True
            raise KeyboardInterrupt
        progress.interrupted = True
        typer.echo(
            "Ctrl-C: finishing this batch. Press it again to end at once and drop everything.",
            err=True,
        )

    # A shell's background job ignores Ctrl-C, and must continue to do so.
    handled = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    before = signal.signal(signal.SIGINT, stop) if handled else None
    try:
        iterator = iter(batches)
        while not progress.interrupted:
            try:
                waiting = True
                batch = next(iterator, _END)
                waiting = False
            except KeyboardInterrupt:
                break
            if batch is _END:
                break
            run(batch)
            progress.batches += 1
    finally:
        if handled:
            signal.signal(signal.SIGINT, before)
    return progress

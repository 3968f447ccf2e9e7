"""Batches one after another, until Ctrl-C."""

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
    """How far it went.

    Attributes:
        batches: number of batches that were run to their end.
        interrupted: Ctrl-C came before the last of them.
    """

    batches: int = 0
    interrupted: bool = False


def run_each(batches: Iterable[Any], run: Callable[[Any], object]) -> Progress:
    """Run batch after batch; at Ctrl-C finish the one at hand and stop.

    So every layer has seen the same batches, each of them whole. While a batch is being waited
    for, none is at hand and it stops at once; at a second Ctrl-C too, and then by raising.

    Raises:
        KeyboardInterrupt: a second Ctrl-C, in the middle of a batch.
    """
    progress, waiting = Progress(), False

    def stop(number: int, frame: FrameType | None) -> None:
        if waiting or progress.interrupted:
            progress.interrupted = True
            raise KeyboardInterrupt
        progress.interrupted = True
        typer.echo("Ctrl-C: finishing this batch; once more drops all and ends.", err=True)

    # A shell's background job ignores it, and goes on doing so.
    heeded = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    before = signal.signal(signal.SIGINT, stop) if heeded else None
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
        if heeded:
            signal.signal(signal.SIGINT, before)
    return progress

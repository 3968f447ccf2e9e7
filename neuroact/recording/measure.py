"""`measure`: a model over a whole data set in one call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, TypeVar

import torch
from torch import nn

from neuroact.recording.start import record
from neuroact.report.activity_report import ActivityReport

Batch = TypeVar("Batch")


def measure(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    run: Callable[[nn.Module, Any], object] | None = None,
    progress: bool = True,
    **record_options: Any,
) -> ActivityReport:
    """Run a model over batches, without gradients, and report what its neurons did.

    The model stays in the mode, train or eval, that it is in.

    Args:
        model: any `torch.nn.Module`.
        batches: a DataLoader or any other iterable.
        run: `run(model, batch)` runs one batch, time steps, resets and all. Where None, the
            model is called once a batch, with its first member where a batch is a tuple or list.
        progress: show a progress bar on a terminal.
        **record_options: as in `record`.

    Returns:
        The report over all batches.

    Raises:
        NothingRecordedError: no layer was called, as when there are no batches.

    >>> import neuroact, torch
    >>> net = torch.nn.Sequential(torch.nn.ReLU())
    >>> report = neuroact.measure(net, [torch.eye(2), torch.zeros(2, 2)], layers="0")
    >>> report["0"].activity.tolist()
    [0.25, 0.25]
    """
    run_batch = call_with_first if run is None else run
    with record(model, **record_options) as recording, torch.no_grad():
        for batch in shown(batches) if progress else batches:
            run_batch(model, batch)
    return recording.report()


def call_with_first(model: nn.Module, batch: Any) -> object:
    """How a batch is run where nobody says otherwise: its first member goes through the model."""
    return model(batch[0] if isinstance(batch, tuple | list) else batch)


def shown(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches, with a progress bar on standard error while they are taken, on a terminal."""
    if not sys.stderr.isatty():
        yield from batches
        return
    from rich.console import Console
    from rich.progress import track

    total = len(batches) if isinstance(batches, Sized) else None
    console = Console(stderr=True)
    yield from track(batches, "recording", total=total, console=console, transient=True)

"""`measure` runs a model over a whole data set and reports on it, in one call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import nullcontext
from inspect import signature
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from neuroact.card import came
from neuroact.errors import NothingRecordedError
from neuroact.layers.names import nearest
from neuroact.recording.recording import Recording
from neuroact.recording.start import record
from neuroact.report.activity_report import ActivityReport

Batch = TypeVar("Batch")
Run = Callable[[nn.Module, Any], object]
"""Runs one batch, with all its time steps and resets: `run(model, batch)`."""


def measure(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    run: Run | None = None,
    progress: bool = True,
    **record_options: Any,
) -> ActivityReport:
    """Run a model over batches, without gradients, and report what its neurons did.

    The model stays in its mode, train or eval.

    Args:
        model: any `torch.nn.Module`.
        batches: a DataLoader or any other iterable.
        run: `run(model, batch)` runs one batch, with all its time steps and resets. If None,
            the model is called once a batch: with the batch or, if that is a tuple or list, with
            its first member. If `ClassActivity` is among the statistics and a batch is a pair whose
            second member is a tensor of whole numbers `[batch]`, these are its labels.
        progress: show a progress bar on a terminal.
        **record_options: as in `record`, `operations=True` among them.

    Returns:
        The report over all batches.

    Raises:
        NothingRecordedError: there is no batch, or no layer was called.
        TypeError: `batches` or `run` cannot be what they should; says what to pass. An error of the
            model on a batch has a note of how it was called.

    >>> import neuroact, torch
    >>> net = torch.nn.Sequential(torch.nn.ReLU())
    >>> report = neuroact.measure(net, [torch.eye(2), torch.zeros(2, 2)], layers="0")
    >>> report["0"].activity.tolist()
    [0.25, 0.25]
    """
    _check(batches, run, record_options)
    ran = False
    with record(model, **record_options) as recording, torch.no_grad():
        for batch in shown(batches) if progress else batches:
            run_batch(recording, model, batch, run)
            ran = True
    if not ran:
        raise NothingRecordedError(
            "nothing was recorded: there was no batch. An iterator gives each batch once, so one "
            "that has been looped over is empty: pass the DataLoader or a list. A DataLoader is "
            "empty if its data set is, or if drop_last=True leaves no whole batch."
        )
    return recording.report()


def run_batch(recording: Recording, model: nn.Module, batch: Any, run: Run | None) -> None:
    """Run one batch by `run`; if it is None, as described in `measure`."""
    if run is not None:
        with recording._one_batch():
            run(model, batch)
        return
    members = list(batch) if isinstance(batch, tuple | list) else [batch]
    if not members:
        raise ValueError(f"a batch is empty, came {batch!r}: expected the model's input in front")
    known = len(members) == 2 and recording._counts_classes and _are_labels(members[1])
    with recording.batch(labels=members[1]) if known else nullcontext():
        try:
            model(members[0])
        except Exception as error:
            if not isinstance(members[0], Tensor):
                error.add_note(
                    f"neuroact called model(batch) with a {type(members[0]).__name__}. To call it "
                    "otherwise, pass run=, such as "
                    'run=lambda model, batch: model(batch["input"])'
                )
            raise


def _check(batches: Any, run: Any, options: Mapping[str, Any]) -> None:
    known = list(signature(record).parameters)[1:]
    for name in options:
        if name not in known:
            raise TypeError(
                f"measure has no option {name}=.{nearest(name, known)} There are those of record: "
                f"{', '.join(known)}"
            )
    if isinstance(batches, str | bytes | Mapping) or not isinstance(batches, Iterable):
        raise TypeError(
            "batches= takes a DataLoader, a list or another iterable of batches, came "
            f"{came(batches)}"
        )
    if run is None:
        return
    if not callable(run):
        raise TypeError(f"run= takes a function run(model, batch), came {came(run)}")
    try:
        takes = signature(run)
    except ValueError:  # a function in C may tell nothing of its arguments: its call will
        return
    try:
        takes.bind("model", "batch")
    except TypeError as cause:
        raise TypeError(
            f"run= is called as run(model, batch), which {run!r:.100} does not take: {cause}"
        ) from cause


def _are_labels(member: Any) -> bool:
    """Whether a batch's member is a whole number for each sample."""
    if not isinstance(member, Tensor) or member.ndim != 1:
        return False
    return not (member.is_floating_point() or member.is_complex() or member.dtype is torch.bool)


def shown(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches. If standard error is a terminal, it shows a progress bar meanwhile."""
    if not sys.stderr.isatty():
        yield from batches
        return
    from rich.console import Console
    from rich.progress import track

    total = len(batches) if isinstance(batches, Sized) else None
    console = Console(stderr=True)
    yield from track(batches, "recording", total=total, console=console, transient=True)

"""Monitors a model in your own training loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from torch import nn

from neuroact.report.activity_report import ActivityReport
from neuroact.report.history import History, Label
from neuroact.training.figures import Log
from neuroact.training.sampling import StepSampler


class TrainingMonitor:
    """Records every nth training step, logs its figures, and keeps a report per epoch.

    In between the model is not watched, so those steps cost nothing. Losses, gradients and random
    numbers stay the same to the bit. Everything the model runs inside `step()` is recorded: keep
    validation out of it.

    Args:
        model: the model in training.
        log: called with the report of each recorded step and the step's number, from 0; see
            `neuroact.training.tensorboard`. None to keep only the history.
        every: number of steps from one recorded step to the next; the first step is recorded.
        over_ranks: log the sum over all ranks of a distributed training, instead of this rank's own
            counts. All ranks must then run the same steps, and each logs the same.
        **record_options: as in `neuroact.record`: `layers`, `statistics`, `dt`,
            `operations` and the others.

    Raises:
        ValueError: `every` is less than 1.
        What `neuroact.record` raises.

    >>> import torch
    >>> from neuroact.training import TrainingMonitor
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    >>> seen = []
    >>> monitor = TrainingMonitor(net, lambda report, step: seen.append(step), every=2, layers="1")
    >>> for epoch in range(2):
    ...     for batch in torch.rand(5, 8, 3):
    ...         with monitor.step():
    ...             loss = net(batch).sum()
    ...     report = monitor.end_epoch()
    >>> monitor.close()
    >>> seen
    [0, 2, 4, 6, 8]
    >>> [(label, report["1"].observations) for label, report in monitor.history]
    [(0, 24), (1, 16)]
    """

    def __init__(
        self,
        model: nn.Module,
        log: Log | None = None,
        *,
        every: int = 100,
        over_ranks: bool = False,
        **record_options: Any,
    ) -> None:
        if every < 1:
            raise ValueError(f"expected every= to be 1 or more, came {every!r}")
        self.every = every
        self.steps = self.epochs = 0
        self._log = log
        self._sampler = StepSampler(model, over_ranks=over_ranks, **record_options)

    @property
    def history(self) -> History:
        """A report per finished epoch, over the recorded steps of that epoch."""
        return self._sampler.history

    @contextmanager
    def step(self) -> Iterator[None]:
        """Put one training step inside this `with` block; it is recorded if due.

        Raises:
            NothingRecordedError: the first recorded step called no layer. A later one that calls
                none is left out, with a warning.
        """
        due = self.steps % self.every == 0
        try:
            if due:
                self._sampler.begin()
            yield
            report = self._sampler.end() if due else None
        except BaseException:
            self._sampler.cancel()
            raise
        if report is not None and self._log is not None:
            self._log(report, self.steps)
        self.steps += 1

    def end_epoch(self, label: Label | None = None) -> ActivityReport | None:
        """Add a report to the history, over the steps recorded since the last `end_epoch`.

        Args:
            label: the report's label in the history; if None, the epoch's number, from 0.

        Returns:
            The report. If no step was recorded, None, and the history gets no entry.
        """
        report = self._sampler.end_epoch(self.epochs if label is None else label)
        self.epochs += 1
        return report

    def close(self) -> None:
        """Stop watching and let go of the model; the history stays."""
        self._sampler.close()

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: the history, this epoch's counts, the numbers of steps and epochs."""
        return {"steps": self.steps, "epochs": self.epochs, **self._sampler.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, as if the training had not stopped.

        Raises:
            ReportFileError, RecordingFileError: the state is damaged or of a newer neuroact.
            MergeError: it has other layers, other neurons or other statistics.
        """
        self._sampler.load_state_dict(state)
        self.steps, self.epochs = int(state["steps"]), int(state["epochs"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

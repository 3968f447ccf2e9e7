"""Monitors a model in your own training loop."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from torch import nn

from neuroact.card import Card, Carded, card_of, several
from neuroact.errors import NoStepWarning, NothingRecordedError, TrainingStoppedError
from neuroact.report.activity_report import ActivityReport
from neuroact.report.history import History, Label
from neuroact.results.diagnosis import Verdict
from neuroact.training.figures import EpochLog, Log
from neuroact.training.sampling import StepSampler
from neuroact.training.verdicts import OnVerdict, VerdictWatch


class TrainingMonitor(Carded):
    """Records every nth training step, logs its figures, and keeps a report per epoch.

    In between the model is not watched, so those steps cost nothing. Losses, gradients and random
    numbers stay the same to the bit. Everything the model runs inside `step()` is recorded: keep
    validation out of it.

    Args:
        model: the model in training.
        log: called with the report of each recorded step and the step's number, from 0. If it is an
            `EpochLog`, such as `neuroact.training.tensorboard(writer)`, it is told of each epoch
            too. None to keep only the history.
        every: number of steps from one recorded step to the next. The first step of each epoch is
            recorded, so no epoch is without a report.
        on_verdict: what to do when a layer has a verdict for the first time: "warn", "stop", or a
            function of the verdict and the number of the step. Each layer and kind of verdict is
            told once. After each recorded step it looks for verdicts on a layer as a whole, such as
            that it is silent: they count if the layer did not have them before, and has them in two
            recorded steps in a row. For verdicts on its neurons, such as that many are dead, one
            batch is too little: it looks for all verdicts when an epoch ends. Those of severity
            "note" are told to a function alone. None to look for none.
        over_ranks: log the sum over all ranks of a distributed training, instead of this rank's own
            counts. All ranks must then run the same steps, and each logs the same.
        **record_options: as in `neuroact.record`: `layers`, `statistics`, `dt`,
            `operations` and the others.

    Raises:
        ValueError: `every` is less than 1, or `on_verdict` is none of these.
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
    [0, 2, 4, 5, 7, 9]
    >>> [(label, report["1"].observations) for label, report in monitor.history]
    [(0, 24), (1, 24)]
    """

    def __init__(
        self,
        model: nn.Module,
        log: Log | None = None,
        *,
        every: int = 100,
        on_verdict: OnVerdict | None = None,
        over_ranks: bool = False,
        **record_options: Any,
    ) -> None:
        if every < 1:
            raise ValueError(f"expected every= to be 1 or more, came {every!r}")
        self.every = every
        self.steps = self.epochs = 0
        self._closed = False
        self._in_epoch = 0  # steps since the last epoch ended
        self._log = log
        self._watch = VerdictWatch(on_verdict)
        self._sampler = StepSampler(model, over_ranks=over_ranks, **record_options)

    @property
    def history(self) -> History:
        """A report per epoch, over its recorded steps.

        Until an epoch has ended, its report is the last one, over the steps recorded so far.
        """
        return self._sampler.history_so_far(self.epochs)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Put one training step inside this `with` block; it is recorded if due.

        Raises:
            NothingRecordedError: the first recorded step called no layer. A later one that calls
                none is left out, with a warning.
            TrainingStoppedError: a layer has a verdict for the first time, and `on_verdict` is
                "stop".
        """
        due = self._in_epoch % self.every == 0
        try:
            if due:
                self._sampler.begin()
            yield
            report = self._sampler.end(self.steps) if due else None
        except BaseException:
            self._sampler.cancel()
            raise
        if report is not None and self._log is not None:
            self._log(report, self.steps)
        self.steps += 1
        self._in_epoch += 1
        if report is not None:
            self._stop_at(self._watch.of_step(report, self.steps - 1))

    def end_epoch(self, label: Label | None = None) -> ActivityReport | None:
        """Add a report to the history, over the steps recorded since the last `end_epoch`.

        Args:
            label: the report's label in the history; if None, the epoch's number, from 0.

        Returns:
            The report; None if no recorded step called a layer, of which each step warned.

        Raises:
            NothingRecordedError: no step was run since the last `end_epoch`.
            TrainingStoppedError: as in `step`.
        """
        if not self._in_epoch:
            raise NothingRecordedError(
                "expected training steps in this epoch, came none: put each of them inside "
                "`with monitor.step():`, and call end_epoch() once after them"
            )
        report = self._ended(label)
        if report is not None:
            self._stop_at(self._watch.of_epoch(report, self.steps - 1))
        return report

    def close(self) -> None:
        """Stop watching and let go of the model; the history stays.

        An epoch that has not ended ends here, so its steps are in the history and logged. A monitor
        in which no step was run gives a `NoStepWarning`.
        """
        if self._in_epoch:
            self._ended(None)
        elif not (self.steps or self._closed):
            warnings.warn(
                "the monitor recorded nothing: put each training step inside "
                "`with monitor.step():`",
                NoStepWarning,
                stacklevel=2,
            )
        self._release()

    def _release(self) -> None:
        self._closed = True
        self._sampler.close()

    def _ended(self, label: Label | None) -> ActivityReport | None:
        report = self._sampler.end_epoch(self.epochs if label is None else label)
        self.epochs += 1
        self._in_epoch = 0
        if report is not None and isinstance(self._log, EpochLog):
            self._log.end_epoch(report, self.steps - 1)
        return report

    def _stop_at(self, verdicts: Sequence[Verdict]) -> None:
        if verdicts:
            first, step = verdicts[0], self.steps - 1
            found = "; ".join(map(str, verdicts))
            raise TrainingStoppedError(
                f"training stopped at step {step}: {found}", layer=first.layer, step=step
            )

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: the history, this epoch's counts, numbers of steps, told verdicts.

        Take it before `close`, which ends the epoch.
        """
        return {
            "steps": self.steps,
            "epochs": self.epochs,
            "in_epoch": self._in_epoch,
            "verdicts": self._watch.state(),
            **self._sampler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, as if the training had not stopped.

        Raises:
            ReportFileError, RecordingFileError: the state is damaged or of a newer neuroact.
            MergeError: it has other layers, other neurons or other statistics.
        """
        self._sampler.load_state_dict(state)
        self.steps, self.epochs = int(state["steps"]), int(state["epochs"])
        self._in_epoch = int(state["in_epoch"])
        self._watch.load(state["verdicts"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or self._in_epoch:
            self.close()
        else:
            self._release()


@card_of.register
def _(monitor: TrainingMonitor) -> Card:
    return Card(
        f"TrainingMonitor: {several(monitor.steps, 'step')}, {several(monitor.epochs, 'epoch')}",
        {
            "records": f"of each epoch the first step, and then one in {monitor.every:,}",
            "more": "with monitor.step(), .end_epoch(), .history, .close()",
        },
    )

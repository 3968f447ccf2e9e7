"""Monitors a model that Lightning trains; needs the extra `lightning`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neuroact.errors import MissingExtraError, UnfitPackageError, VerdictWarning
from neuroact.report.activity_report import ActivityReport
from neuroact.report.history import History
from neuroact.report.provenance import selection_text
from neuroact.results.diagnosis import Verdict
from neuroact.training.figures import (
    histograms,
    of_epoch,
    quartiles,
    scalars,
    write_histograms,
)
from neuroact.training.sampling import StepSampler
from neuroact.training.verdicts import OnVerdict, VerdictWatch

_VISION = (
    "It loads torchvision if that is there, and its build has to fit the installed torch: "
    "pip uninstall torchvision, then install it from where torch came from, such as the index of "
    "CPU builds"
)

try:
    from lightning.pytorch import Callback
except ModuleNotFoundError as cause:
    raise MissingExtraError("lightning", extra="lightning", purpose=__name__) from cause
except RuntimeError as cause:
    # torchmetrics, which Lightning loads, loads torchvision if it is there. Its build has to fit.
    raise UnfitPackageError("lightning", cause, advice=_VISION) from cause

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

__all__ = ["ActivityCallback"]


class ActivityCallback(Callback):
    """Records every nth training batch, logs its figures, and keeps a report per epoch.

    Every logger gets `neuroact.training.scalars`. TensorBoard and Weights & Biases get the
    histograms too; the others (MLflow, CSV files) get the quartiles instead. The step of a logged
    number is the trainer's `global_step`, as for what the module logs itself. When an epoch ends,
    the same figures of all its recorded batches are logged by tags that begin with `epoch_`. In
    between, the model is not watched; validation and tests are never recorded. Losses stay the same
    to the bit.

    In a distributed training the counts of all ranks are added up. The trainer's checkpoints hold
    the callback's state, so a resumed training continues it.

    Args:
        every_n_steps: number of training batches from one recorded batch to the next. The first
            batch of each epoch is recorded, so no epoch is without a report.
        on_verdict: what to do when a layer has a verdict for the first time, as in
            `neuroact.training.TrainingMonitor`: "warn", "stop", or a function of the verdict and
            the trainer's `global_step`. "stop" warns and sets `trainer.should_stop`.
        **record_options: as in `neuroact.record`: `layers`, `statistics`, `dt`,
            `operations` and the others.

    Raises:
        ValueError: `every_n_steps` is less than 1, or `on_verdict` is none of these.
        NothingRecordedError: after the first batch, if it calls no layer. A later batch that calls
            none is left out, with a warning.
        What `neuroact.record` raises, when training begins.

    >>> from neuroact.training.lightning import ActivityCallback
    >>> callback = ActivityCallback(every_n_steps=50, layers="encoder.*")
    >>> # Now Trainer(callbacks=[callback], ...).fit(...) fills:
    >>> len(callback.history)
    0
    """

    def __init__(
        self,
        *,
        every_n_steps: int = 100,
        on_verdict: OnVerdict | None = None,
        **record_options: Any,
    ) -> None:
        if every_n_steps < 1:
            raise ValueError(f"expected every_n_steps= to be 1 or more, came {every_n_steps!r}")
        self.every_n_steps = every_n_steps
        self._options = record_options
        self._watch = VerdictWatch(on_verdict)
        self._batches = self._step = self._epoch = 0  # batches of this epoch
        self._sampler: StepSampler | None = None
        # Lightning may read a checkpoint before there is a model to record, and write one after.
        self._state: dict[str, Any] | None = None
        self._history = History()

    @property
    def history(self) -> History:
        """A report per training epoch, over its recorded batches.

        The label is the epoch's number, from 0. Until an epoch has ended, its report is the last
        one, over the batches recorded so far; also after an exception.
        """
        if self._sampler is not None:
            return self._sampler.history_so_far(self._epoch)
        return self._history

    @property
    def state_key(self) -> str:
        """Tells the callbacks of one trainer apart, by the layers that they record."""
        return self._generate_state_key(layers=repr(selection_text(self._options.get("layers"))))

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: plain values and one tensor."""
        state = self._state if self._sampler is None else self._sampler.state_dict()
        return (
            {}
            if state is None
            else {
                **state,
                "batches": self._batches,
                "epoch_number": self._epoch,
                "verdicts": self._watch.state(),
            }
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state from a checkpoint; it is used when training begins."""
        self._state = state_dict or None
        self._batches = int(state_dict.get("batches", 0))
        self._epoch = int(state_dict.get("epoch_number", 0))
        self._watch.load(state_dict.get("verdicts", {}))
        self._history = History() if not state_dict else History.from_json(state_dict["history"])

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the layers."""
        sampler = StepSampler(pl_module, over_ranks=trainer.world_size > 1, **self._options)
        if self._state is not None:
            sampler.load_state_dict(self._state)
        self._sampler = sampler

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Record this batch if it is due."""
        assert self._sampler is not None
        self._sampler.cancel()  # in case the module's own hook skipped the last batch
        if self._epoch != trainer.current_epoch:
            # Lightning resumed from a checkpoint of an epoch's last batch, and ran no epoch end.
            self._end_epoch(trainer, self._epoch)
        self._step, self._epoch = trainer.global_step, trainer.current_epoch
        if self._batches % self.every_n_steps == 0:
            self._sampler.begin()
        self._batches += 1

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log what was recorded."""
        assert self._sampler is not None
        report = self._sampler.end(self._step) if self._sampler.active else None
        if report is not None:
            _log(trainer, report, self._step)
            _stop_at(trainer, self._watch.of_step(report, self._step), self._step)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch to the history, and log its figures."""
        assert self._sampler is not None
        self._sampler.cancel()
        self._end_epoch(trainer, trainer.current_epoch)

    def _end_epoch(self, trainer: Trainer, epoch: int) -> None:
        assert self._sampler is not None
        report = self._sampler.end_epoch(epoch)
        self._batches = 0
        if report is not None:
            _log(trainer, report, self._step, epoch=True)
            _stop_at(trainer, self._watch.of_epoch(report, self._step), self._step)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave the model as it was."""
        self._release()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the model as it was."""
        self._release()

    def _release(self) -> None:
        if self._sampler is not None:
            self._state = self._sampler.state_dict()
            self._history = self._sampler.history_so_far(self._epoch)
            self._sampler.close()
            self._sampler = None


def _stop_at(trainer: Trainer, verdicts: Sequence[Verdict], step: int) -> None:
    if verdicts and not trainer.should_stop:
        found = "; ".join(map(str, verdicts))
        warnings.warn(
            f"the training stops after step {step}: {found}", VerdictWarning, stacklevel=4
        )
        trainer.should_stop = True


def _log(trainer: Trainer, report: ActivityReport, step: int, *, epoch: bool = False) -> None:
    """Log a report's figures to each logger; those of an epoch by tags of their own."""
    numbers = scalars(report)

    def tagged(figures: Mapping[str, Any]) -> dict[str, Any]:
        return of_epoch(figures) if epoch else dict(figures)

    loggers: list[Any] = trainer.loggers
    for logger in loggers:
        # By name, since `pytorch_lightning` has classes of its own of these names.
        kinds = {cls.__name__ for cls in type(logger).__mro__}
        if "TensorBoardLogger" in kinds:
            logger.log_metrics(tagged(numbers), step)
            write_histograms(logger.experiment, report, step, prefix="epoch_" if epoch else "")
        elif "WandbLogger" in kinds:
            logger.log_metrics(tagged({**numbers, **_for_wandb(report)}), step)
        else:
            logger.log_metrics(tagged({**numbers, **quartiles(report)}), step)


def _for_wandb(report: ActivityReport) -> Mapping[str, Any]:
    import wandb

    return {
        tag: wandb.Histogram(np_histogram=histogram)
        for tag, histogram in histograms(report).items()
    }

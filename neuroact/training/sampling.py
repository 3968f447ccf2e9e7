"""Records single steps of a training, and adds them up over an epoch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from neuroact import distributed
from neuroact.errors import (
    LayerNotCalledWarning,
    MergeError,
    NeuroactWarning,
    NothingRecordedError,
)
from neuroact.recording.recording import Recording
from neuroact.recording.start import record
from neuroact.report.activity_report import ActivityReport
from neuroact.report.history import History, Label, Steps


class StepSampler:
    """Records what the model does between `begin` and `end`; watches it at no other time.

    Args:
        model: the model in training.
        over_ranks: add up the counts of all ranks at the end of each recorded step.
        **record_options: as in `neuroact.record`.
    """

    def __init__(
        self, model: nn.Module, *, over_ranks: bool = False, **record_options: Any
    ) -> None:
        self.active = False
        self._over_ranks = over_ranks
        self.history = History()
        self._step = record(model, **record_options)
        self._step.pause()
        # The steps' counts are merged into this one. It has its layers and origin from the model.
        self._epoch = record(model, **record_options)
        self._epoch.close()
        self._steps: Steps | None = None  # that the epoch's counts are of
        self._ever_called = False

    def begin(self) -> None:
        """Watch the model, for one step."""
        self.active = True
        self._step.resume()

    def end(self, number: int) -> ActivityReport | None:
        """Stop watching, and add the step's counts to the epoch's.

        Args:
            number: the number of the training step.

        Returns:
            The step's report; None, with a warning, if a step after the first called no layer, as
            when a training loop skips a batch.

        Raises:
            NothingRecordedError: the first recorded step called no layer.
        """
        try:
            self._step.pause()
            step = self._whole_step()
            report = step.report()
            self._ever_called = True
            self._epoch.merge(step)
            steps = _steps_of(report, number)
            self._steps = steps if self._steps is None else self._steps.and_then(steps)
        except NothingRecordedError as error:
            if not self._ever_called:
                raise
            warnings.warn(f"a step was left out: {error}", LayerNotCalledWarning, stacklevel=3)
            return None
        finally:
            self.cancel()
        return report

    def _whole_step(self) -> Recording:
        if not self._over_ranks:
            return self._step
        return distributed.merge(self._step)

    def cancel(self) -> None:
        """Stop watching and forget the step, if there is one."""
        self.active = False
        self._step.pause()
        self._step.reset()

    def end_epoch(self, label: Label) -> ActivityReport | None:
        """Add the epoch's report to the history and return it; None if no step was recorded."""
        try:
            report = self._epoch.report()
        except NothingRecordedError:
            return None
        self._epoch.reset()
        self.history.append(label, report, steps=self._steps)
        self._steps = None
        return report

    def history_so_far(self, label: Label) -> History:
        """The history, and the epoch that has not ended as its last report."""
        if self._steps is None:
            return self.history
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuroactWarning)  # each step's report gave them
            report = self._epoch.report()
        history = self.history[:]
        history.append(label, report, steps=self._steps)
        return history

    def close(self) -> None:
        """Stop watching for good, and let go of the model."""
        self.cancel()
        self._step.close()

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: the history as text, and this epoch's counts as a tensor of bytes."""
        counts = bytearray(self._epoch.to_bytes())
        return {
            "history": self.history.to_json(),
            "epoch": torch.frombuffer(counts, dtype=torch.uint8),
            "steps_of_epoch": None if self._steps is None else _plain(self._steps),
            "ever_called": self._ever_called,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; what was recorded since is dropped.

        Raises:
            ReportFileError, RecordingFileError: the state is damaged or of a newer neuroact.
            MergeError: it has other layers or other statistics.
        """
        history = History.from_json(state["history"])
        counts = Recording.from_bytes(
            state["epoch"].numpy().tobytes(), statistics=self._epoch._factories
        )
        if list(counts.layers) != list(self._epoch.layers):
            raise MergeError(
                f"expected a state of the layers {', '.join(self._epoch.layers)}, came one of "
                f"{', '.join(counts.layers)}: it belongs to another model, or to other layers="
            )
        self._epoch.reset()
        self._epoch.merge(counts)
        self.history = history
        found = state["steps_of_epoch"]
        self._steps = None if found is None else Steps(**found)
        self._ever_called = bool(state["ever_called"])


def _steps_of(report: ActivityReport, number: int) -> Steps:
    fired = [name for name, layer in report.items() if layer.events.any()]
    return Steps(number, number, dict.fromkeys(fired, (number, number)))


def _plain(steps: Steps) -> dict[str, Any]:
    return {"first": steps.first, "last": steps.last, "fired": dict(steps.fired)}

"""All errors and warnings of neuroact.

::

    NeuroactError
    ├── NoSpikingLayersError  (LookupError)   no installed adapter knows a layer of the model
    ├── UnsupportedModelError (RuntimeError)  a model of a form that cannot be recorded
    ├── UnknownLayerError     (LookupError)   a `layers=` name or pattern matches nothing
    ├── NoSuchStateError      (ValueError)    `of=` names a state that a layer does not have
    ├── LayerNameError        (ValueError)    two layers would be reported under one name
    ├── ChunkError            (ValueError)    a SpikeChunk whose tensors do not fit together
    ├── EventError            (ValueError)    a list of events that cannot be counted
    ├── AdapterReadError      (ValueError)    an adapter could not read a layer's call
    ├── LayerShapeError       (ValueError)    a layer emitted neurons of another shape than before
    ├── NothingRecordedError  (RuntimeError)  a report before any layer was called
    ├── RecordingClosedError  (RuntimeError)  a closed recording was asked to record
    ├── OtherThreadError      (RuntimeError)  two threads call recorded layers at the same time
    ├── OtherProcessError     (RuntimeError)  a forked process calls a layer that its parent records
    ├── MergeError            (ValueError)    two recordings that cannot be added up
    ├── ComparisonError       (ValueError)    reports that cannot be compared
    ├── ThresholdError        (ValueError)    a verdict's threshold outside its range
    ├── StatisticKindError    (ValueError)    a statistic does not apply to a layer's kind
    ├── MissingStatisticError (KeyError)      results of a statistic that was not recorded
    ├── MissingOperationsError (LookupError)  synaptic operations that were not recorded
    ├── SamplesUnknownError   (ValueError)    figures per sample where layers disagree on samples
    ├── NoTimeStepError       (ValueError)    seconds or Hz were requested without a dt
    ├── TrainingStoppedError  (RuntimeError)  `on_verdict="stop"` saw a verdict
    ├── RankError             (RuntimeError)  a rank failed or was lost in work that all ranks share
    ├── ReportFileError       (ValueError)    a report's file that is damaged, foreign or newer
    ├── RecordingFileError    (ValueError)    a recording's file that is damaged, foreign or newer
    ├── UnknownAdapterError   (LookupError)   no installed adapter has that name, or examples
    ├── CheckFailedError      (AssertionError) a check of neuroact.testing does not hold
    ├── MissingExtraError     (ImportError)   an optional dependency is not installed
    └── UnfitPackageError     (ImportError)   an installed one cannot be imported beside another

    NeuroactWarning (UserWarning)
    ├── AssumedAxesWarning      an order of dimensions that nobody stated was assumed
    ├── BrokenAdapterWarning    an installed adapter could not be loaded
    ├── LayerNotCalledWarning   a recorded layer was never called
    ├── NoStepWarning           a training monitor was closed, and no step was run in it
    ├── VerdictWarning          `on_verdict="warn"` saw a verdict
    └── UnreliableLayerWarning  a layer's values are not what its kind promises

A message says what was expected, what came and what to do. An error about one layer keeps its name
in `layer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroact.printable import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable


RECORD_WITH = "Record them: neuroact.record(model, statistics=[{}])"


class NeuroactError(Exception):
    """Base of every error raised by neuroact.

    A message is safe to show: the names in it come from models and files of others, so characters
    that do not print, escape codes among them, are escaped.

    Attributes:
        layer: reported name of the layer that the error is about; None if it is not about one.
    """

    def __init__(self, message: str, *, layer: str | None = None) -> None:
        super().__init__(printable_lines(message))
        self.layer = layer


class NoSpikingLayersError(NeuroactError, LookupError):
    """No layer of the model is known to any adapter as a spiking layer."""


class UnsupportedModelError(NeuroactError, RuntimeError):
    """A model runs in a form that cannot be recorded: scripted, exported, replicated."""


class UnknownLayerError(NeuroactError, LookupError):
    """A name or pattern in `layers=`, or a key of a report, matches no layer."""


class NoSuchStateError(NeuroactError, ValueError):
    """`of=` names a state that a layer does not have, or that its adapter cannot read."""


class LayerNameError(NeuroactError, ValueError):
    """Two different modules would be reported under the same name."""


class ChunkError(NeuroactError, ValueError):
    """The tensors given to a `SpikeChunk` have the wrong shape or type."""


class EventError(NeuroactError, ValueError):
    """A list of events that cannot be counted: unknown neurons, times outside, mixed units."""


class AdapterReadError(NeuroactError, ValueError):
    """An adapter could not turn a layer's call into a `SpikeChunk`."""


class LayerShapeError(NeuroactError, ValueError):
    """A layer emitted neurons of another shape than before."""


class NothingRecordedError(NeuroactError, RuntimeError):
    """A report was asked for before any recorded layer was called."""


class RecordingClosedError(NeuroactError, RuntimeError):
    """A closed recording was asked to record again."""


class OtherThreadError(NeuroactError, RuntimeError):
    """A thread called a recorded layer while the recording took another thread's calls."""


class OtherProcessError(NeuroactError, RuntimeError):
    """A recorded layer was called in a process forked from the one that records it."""


class MergeError(NeuroactError, ValueError):
    """Two recordings or statistics that cannot be added up."""


class ComparisonError(NeuroactError, ValueError):
    """Reports, labels or a map of layers that cannot be compared."""


class ThresholdError(NeuroactError, ValueError):
    """A threshold of a verdict is outside its range.

    Attributes:
        verdict: the kind of verdict, which is also the option's name.
    """

    def __init__(self, message: str, *, verdict: str) -> None:
        super().__init__(message)
        self.verdict = verdict


class StatisticKindError(NeuroactError, ValueError):
    """A statistic of spikes was requested for a layer whose values are not spikes.

    Attributes:
        layer: reported name of the layer, or None if a statistic was fed directly.
        statistic: name of the statistic.
    """

    def __init__(
        self, statistic: str, kind: object, applies: Iterable[object], *, layer: str | None = None
    ) -> None:
        kinds = " and ".join(sorted(str(getattr(k, "value", k)) for k in applies))
        what = f'layer "{layer}" is' if layer is not None else "the values are"
        super().__init__(
            f"{statistic} applies to {kinds} layers; {what} {getattr(kind, 'value', kind)}. Real "
            "values are hardly ever exactly 0, so nearly every step would count as a spike. Leave "
            "out the layer with layers=, or the statistic; or, if its values are spikes after all, "
            'say so, with kind="binary".',
            layer=layer,
        )
        self.statistic = statistic


class MissingStatisticError(NeuroactError, KeyError):
    """The results of a statistic are needed, but it was not recorded.

    Attributes:
        layer: reported name of the layer, or None if no layer has them.
        statistic: name of the statistic's class.
    """

    def __init__(
        self,
        statistic: str,
        *,
        layer: str | None = None,
        recorded: Iterable[str] = (),
        advice: str | None = None,
    ) -> None:
        where = "no layer of the report has" if layer is None else f'the layer "{layer}" has not'
        had = ", ".join(recorded)
        super().__init__(
            f"this needs the results of {statistic}, which {where}"
            + (f"; it has {had}" if had else "")
            + f". {advice or RECORD_WITH.format(f'neuroact.{statistic}')}",
            layer=layer,
        )
        self.statistic = statistic

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted


class MissingOperationsError(NeuroactError, LookupError):
    """Synaptic operations, or what stands beside them, were requested but not recorded."""

    def __init__(
        self,
        message: str = "this report has no synaptic operations: record them by "
        "neuroact.record(model, operations=True) or neuroact.measure(…, operations=True)",
    ) -> None:
        super().__init__(message)


class SamplesUnknownError(NeuroactError, ValueError):
    """A figure per sample or step was requested, and layers disagree on how many there were."""


class NoTimeStepError(NeuroactError, ValueError):
    """A value in ms or Hz was requested from a recording without `dt`."""


class TrainingStoppedError(NeuroactError, RuntimeError):
    """A training has a verdict for the first time, and `on_verdict="stop"` asks to stop then.

    The step is done: its figures are logged and in the history, and the weights are updated.

    Attributes:
        step: number of the training step.
    """

    def __init__(self, message: str, *, layer: str, step: int) -> None:
        super().__init__(message, layer=layer)
        self.step = step


class RankError(NeuroactError, RuntimeError):
    """A rank of a process group failed or was lost, so no rank has the common result.

    Attributes:
        rank: the first rank that failed; None if some rank stopped answering, unknown which.
    """

    def __init__(self, message: str, *, layer: str | None = None, rank: int | None = None) -> None:
        super().__init__(message, layer=layer)
        self.rank = rank


class ReportFileError(NeuroactError, ValueError):
    """A file or mapping is not a report, or this version cannot read it."""


class RecordingFileError(NeuroactError, ValueError):
    """A file or bytes are not a recording, or this version cannot read or write it."""


class UnknownAdapterError(NeuroactError, LookupError):
    """No adapter of that name is installed, or it brings no examples to check it with."""


class CheckFailedError(NeuroactError, AssertionError):
    """A named check of `neuroact.testing` failed, or passed although it was expected to fail.

    Attributes:
        check: the check's name.
    """

    def __init__(self, message: str, *, check: str) -> None:
        super().__init__(message)
        self.check = check


class MissingExtraError(NeuroactError, ImportError):
    """An optional dependency is missing.

    Attributes:
        extra: the extra of the `neuroact` distribution that brings it.
    """

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(
            f'{purpose} needs the package "{package}", which is not installed. '
            f'Install it with: pip install "neuroact[{extra}]"'
        )
        self.extra = extra


class UnfitPackageError(NeuroactError, ImportError):
    """A package is installed, but cannot be imported beside another one."""

    def __init__(self, package: str, cause: Exception, *, advice: str) -> None:
        super().__init__(f"{package} is installed, but its import ends in {cause!r}. {advice}")


class NeuroactWarning(UserWarning):
    """Base of every warning of neuroact. Its message is as safe to show as an error's."""

    def __init__(self, message: str) -> None:
        super().__init__(printable_lines(message))


class AssumedAxesWarning(NeuroactWarning):
    """A value of three or more dimensions was read as one step, since nobody stated its order."""


class BrokenAdapterWarning(NeuroactWarning):
    """An installed adapter could not be loaded; the other adapters still work."""


class LayerNotCalledWarning(NeuroactWarning):
    """A recorded layer was never called, so the report has no figures for it."""


class UnreliableLayerWarning(NeuroactWarning):
    """A layer emitted NaN, infinities, or values that its kind excludes, so its figures are NaN."""


class NoStepWarning(NeuroactWarning):
    """A training monitor was closed, and no training step was run inside its `step()`."""


class VerdictWarning(NeuroactWarning):
    """A training has a verdict for the first time, and `on_verdict="warn"` asks to be told."""

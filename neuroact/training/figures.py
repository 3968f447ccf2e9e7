"""Turns a report into numbers and histograms by tag, for experiment trackers.

A tag is `<metric>/<layer>`, so that a tracker draws one metric of all layers side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from neuroact.errors import SamplesUnknownError
from neuroact.report.activity_report import ActivityReport
from neuroact.results.layer_activity import Floats, Integers, LayerActivity
from neuroact.results.operations import OperationCounts, Operations

Log = Callable[[ActivityReport, int], object]
"""Called as `log(report of the recorded step, number of the step)`."""


@runtime_checkable
class EpochLog(Protocol):
    """A `Log` that is told of each epoch too, such as that of `tensorboard`."""

    def __call__(self, report: ActivityReport, step: int) -> object:
        """Log one recorded step."""

    def end_epoch(self, report: ActivityReport, step: int) -> object:
        """Log an epoch: the report of all its recorded steps, and the number of its last step."""


T = TypeVar("T")

BINS = 32
_OPERATIONS = ("dense", "effective", "macs", "acs", "share")
_QUARTILES = ("min", "q1", "median", "q3", "max")


def scalars(report: ActivityReport) -> dict[str, float]:
    """Four numbers for each layer, NaN if it has no figures; and operations if they were recorded.

    - `activity_mean`: mean activity over neurons.
    - `activity_sparsity`: share of values that are 0.
    - `activity_dead_share`: share of the layer's neurons without any event.
    - `activity_saturated_share`: share of its neurons with an event at every observation.

    With `operations=True` there are also, for each layer that was counted, its synaptic operations:

    - `operations_dense`, `operations_effective`, `operations_macs` and `operations_acs`;
    - `operations_share`: share of the dense operations that is effective; NaN without any.

    The same of all these layers are `operations_total/dense` and so on, and for a sample
    `operations_per_sample/dense` and so on: NaN if the number of samples is not known.
    `operations_total/not_counted` is how many modules with weights are in no total.

    >>> from neuroact import Recording
    >>> from neuroact.training import scalars
    >>> recording = Recording()
    >>> recording.observe("lif", [[[0, 0, 0, 1]], [[0, 0, 1, 1]]])
    >>> for tag, value in scalars(recording.report()).items():
    ...     print(tag, value)
    activity_mean/lif 0.375
    activity_sparsity/lif 0.625
    activity_dead_share/lif 0.5
    activity_saturated_share/lif 0.25
    """
    return {
        f"activity_{metric}/{name}": getattr(layer, metric)
        for name, layer in report.items()
        for metric in ("mean", "sparsity", "dead_share", "saturated_share")
    } | _of_operations(report.recorded_operations)


def _of_operations(operations: Operations | None) -> dict[str, float]:
    if operations is None:
        return {}

    def figures(counts: OperationCounts[Any]) -> dict[str, float]:
        return {figure: getattr(counts, figure) for figure in _OPERATIONS}

    try:
        per_sample = figures(operations.per_sample.total)
    except SamplesUnknownError:
        per_sample = dict.fromkeys(_OPERATIONS, math.nan)
    found: dict[str, float] = {
        f"operations_{figure}/{name}": value
        for name, layer in operations.items()
        for figure, value in figures(layer).items()
    }
    totals = {**figures(operations.total), "not_counted": len(operations.not_counted)}
    found |= {f"operations_total/{figure}": value for figure, value in totals.items()}
    return found | {f"operations_per_sample/{figure}": v for figure, v in per_sample.items()}


def quartiles(report: ActivityReport) -> dict[str, float]:
    """Five numbers for each layer, for trackers without histograms: min, q1, median, q3, max."""
    return {
        f"activity_{metric}/{name}": getattr(layer, metric)
        for name, layer in report.items()
        for metric in _QUARTILES
    }


def histograms(report: ActivityReport) -> dict[str, tuple[Integers, Floats]]:
    """A histogram of each layer's activity over neurons, by `activity/<layer>`: counts and edges.

    `BINS` equal bins go from the layer's smallest to its largest activity. Layers without figures
    are left out.
    """
    return {f"activity/{layer.name}": layer.histogram(BINS) for layer in _measured(report)}


def of_epoch(figures: Mapping[str, T]) -> dict[str, T]:
    """Figures of an epoch by tags of their own: `epoch_activity_mean/<layer>` and so on.

    >>> from neuroact.training import of_epoch
    >>> of_epoch({"activity_mean/lif": 0.25})
    {'epoch_activity_mean/lif': 0.25}
    """
    return {f"epoch_{tag}": figure for tag, figure in figures.items()}


def tensorboard(writer: Any) -> EpochLog:
    """A log that writes `scalars` and `histograms` of steps and of epochs to TensorBoard.

    Args:
        writer: a `SummaryWriter` of `torch.utils.tensorboard` or tensorboardX. You close it.
    """
    return _TensorBoard(writer)


class _TensorBoard:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def __call__(self, report: ActivityReport, step: int) -> None:
        self._write(scalars(report), step)
        write_histograms(self._writer, report, step)

    def end_epoch(self, report: ActivityReport, step: int) -> None:
        self._write(of_epoch(scalars(report)), step)
        write_histograms(self._writer, report, step, prefix="epoch_")

    def _write(self, numbers: Mapping[str, float], step: int) -> None:
        for tag, value in numbers.items():
            self._writer.add_scalar(tag, value, step)


def write_histograms(writer: Any, report: ActivityReport, step: int, *, prefix: str = "") -> None:
    """Write each layer's histogram and its exact sums to a `SummaryWriter`."""
    for layer in _measured(report):
        counts, edges = layer.histogram(BINS)
        with np.errstate(over="ignore"):  # a sum beyond float64 becomes infinite
            sums = float(layer.activity.sum()), float(np.square(layer.activity).sum())
        writer.add_histogram_raw(
            f"{prefix}activity/{layer.name}",
            min=layer.min,
            max=layer.max,
            num=layer.neurons,
            sum=sums[0],
            sum_squares=sums[1],
            # A bucket reaches up to its limit. The first, empty one sets the start of the second.
            bucket_limits=edges.tolist(),
            bucket_counts=[0, *counts.tolist()],
            global_step=step,
        )


def _measured(report: ActivityReport) -> Iterator[LayerActivity]:
    return (layer for layer in report.values() if layer.problem is None)

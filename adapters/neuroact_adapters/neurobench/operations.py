"""`SynapticOperationsMetric`: NeuroBench's synaptic operations, counted exactly."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any, ClassVar, get_args

from neurobench.metrics.abstract.workload_metric import AccumulatedMetric

from neuroact.errors import NeuroactWarning, NothingRecordedError
from neuroact.report.operations_report import OperationsReport
from neuroact_adapters.neurobench.hooks import running
from neuroact_adapters.neurobench.metric import named_class
from neuroact_adapters.neurobench.operations_run import OperationsRun, Split
from neuroact_adapters.neurobench.results import Figures


class SynapticOperationsMetric(AccumulatedMetric):  # type: ignore[misc]  # NeuroBench has no types
    """Synaptic operations per sample, in place of NeuroBench's `SynapticOperations`.

    Put the class into a Benchmark's list of workload metrics. Its result is a dict:

    ==================  ==========================================================================
    `Effective_MACs`    operations of inputs of any other magnitude than one, with weights that
                        are not zero, divided by the number of samples
    `Effective_ACs`     operations of inputs of 1 and -1, with weights that are not zero, divided
                        by the number of samples
    `Dense`             operations if no input and no weight were zero, divided by the number of
                        samples; padding of zeros takes part in none
    `not_counted`       only where weights are not counted: the reason, by the module's name
    `error`             only where there are no figures: the reason; the figures are then None
    ==================  ==========================================================================

    Samples are counted as NeuroBench does: the length of the first dimension of each batch's input.
    With no operation at all figures are 0.0.

    What is not counted also warns, by name. Nothing raises, since NeuroBench would replace an
    exception by the number 0.0.

    Counts are integers. Their memory does not grow with the data. From the start of a Benchmark's
    run until its last batch, layers have the stand-in of `neuroact.record`; NeuroBench's hooks are
    not needed. If a run breaks off, or its data loader has more batches than it gives, they keep it
    until the next run, or until the Benchmark is gone.

    Source: NeuroBench (arXiv:2304.04640). Its own metric splits by calls, see `configured`.
    """

    split: ClassVar[Split] = "event"
    batch_dim: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__(requires_hooks=False)
        self._run = OperationsRun(self.split, self.batch_dim)
        self._warned = set[str]()

    @classmethod
    def configured(
        cls, *, name: str, split: Split = "event", batch_dim: int = 0
    ) -> type[SynapticOperationsMetric]:
        """A metric class with these options, since NeuroBench builds metrics without arguments.

        Args:
            name: the class's `__name__`, under which its figures are in the results. Two metrics of
                one run need different names.
            split: "event" looks at each value by itself, so that the split does not depend on the
                batch. "call" splits as NeuroBench does: if one value of a call of a layer is
                neither 0, 1 nor -1, all operations of that call are MACs. Then `weighted` of
                `operations` is None where such a call came.
            batch_dim: the dimension of a batch's input that is its samples; 1 for `[time, batch,
                *features]`.

        Raises:
            ValueError: `name` or `split` is not valid.
            TypeError: `batch_dim` is no whole number.
        """
        if split not in get_args(Split):
            raise ValueError(f'expected split= to be "event" or "call", came {split!r}')
        if type(batch_dim) is not int:
            raise TypeError(f"expected batch_dim= to be a dimension's number, came {batch_dim!r}")
        return named_class(cls, name, split=split, batch_dim=batch_dim)

    @property
    def operations(self) -> OperationsReport:
        """The whole numbers of each layer, as in `report.operations`; `per_sample` divides them.

        A Benchmark has its metrics by name in `benchmark.workload_metric_manager.metrics`.

        Raises:
            NothingRecordedError: there are no figures; says why.
        """
        if self._run.problem is not None:
            raise NothingRecordedError(f"no operations: {self._run.problem}")
        return self._run.operations()

    def watch(self, model: Any) -> None:
        """Forget all counts, and count what a model runs until the next `reset` or `watch`.

        A Benchmark's run does so by itself. Without one, call it before the model's first batch,
        and the metric after each.

        Args:
            model: the NeuroBenchModel.
        """
        self.reset()
        self._run.watch(model, None)

    def __call__(self, model: Any, preds: Any, data: Any) -> dict[str, Any]:
        """Say that the model has just run a batch.

        Args:
            model: ignored.
            preds: ignored.
            data: the data loader's batch, input first.

        Returns:
            The figures of the run so far. Between two batches of a Benchmark's run they are
            computed when they are first read, from what was counted until then.

        Warns:
            NeuroactWarning: some weights, or the whole run, are not counted.
        """
        self._run.end_batch(data)
        self._warn()
        return _Late(self._run) if self._run.goes_on else self._run.figures()

    def compute(self) -> dict[str, Any]:
        """The figures of the run so far, as plain Python."""
        return self._run.figures()

    def reset(self) -> None:
        """Forget all counts. NeuroBench calls this before each run's first batch.

        If a Benchmark's `run` calls it, counting begins. Results returned earlier keep their
        figures.
        """
        self._run.close()
        self._run = OperationsRun(self.split, self.batch_dim)
        self._warned.clear()
        found = running()
        if found is not None:
            self._run.watch(found.model, found.batches)

    def _warn(self) -> None:
        new = [problem for problem in self._run.problems() if problem not in self._warned]
        self._warned.update(new)
        if new:
            # If warnings are errors, NeuroBench would swallow this one. The results say it anyway.
            with contextlib.suppress(NeuroactWarning):
                text = f"{type(self).__name__} does not count {'; '.join(new)}"
                warnings.warn(text, NeuroactWarning, stacklevel=3)


class _Late(Figures):
    """Figures whose keys are not all known before they are computed."""

    def __repr__(self) -> str:
        return repr(dict(self))

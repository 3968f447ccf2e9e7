"""`AverageActivityMetric`, and `add_spiking_layers`, which makes NeuroBench hook spiking layers."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from torch import nn

from neuroact import Adapter, Reading, SignalKind
from neuroact.errors import MissingExtraError, NeuroactWarning
from neuroact.layers.choose import choose_layers
from neuroact.layers.names import ROOT_NAME, LayerSelection
from neuroact.layers.reading import Values
from neuroact.statistics.choice import StatisticSelection, builders

try:
    from neurobench.metrics.abstract.workload_metric import AccumulatedMetric

    from neuroact_adapters.neurobench.hooks import prepare, running
    from neuroact_adapters.neurobench.layers import Options, Run
except ModuleNotFoundError as cause:
    if cause.name != "neurobench":
        raise
    purpose = "AverageActivityMetric"
    raise MissingExtraError("neurobench", extra="neurobench", purpose=purpose) from cause
from neuroact_adapters.neurobench.plot import plot
from neuroact_adapters.neurobench.results import Figures, Tally
from neuroact_adapters.result_files.neurobench import Results, own_entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Metric = TypeVar("Metric")


class AverageActivityMetric(AccumulatedMetric):  # type: ignore[misc]  # NeuroBench has no types
    """How much each neuron of each hooked layer fires, over all samples and time steps.

    Put the class into a Benchmark's list of workload metrics. Its result is a dict with an entry
    for each layer, under the layer's full name in the network. An entry has:

    ================================  ============================================================
    `histogram`                       list of each neuron's average activity, the neurons' shape
                                      flattened: sum of its values / `timesteps`
    `min max mean std median q1 q3`   of `histogram`; std divides by the number of neurons,
                                      quartiles are type 7 (NumPy's "linear")
    `neurons`, `shape`                number and shape of the neurons, without time and batch
    `samples`                         sequences begun: one per sample of each batch
    `timesteps`                       time steps of all samples together: the number of
                                      observations of each neuron
    `sparsity`                        share of values that are 0
    `dead`, `saturated`               number of neurons that were always 0, and that never were
    `kind`                            "binary", "graded" or "analog", as in `SignalKind`
    `framework layer_type aliases`    what the layer is, and its other names
    ================================  ============================================================

    Figures that cannot be trusted are None, and `error` then says why. A layer that cannot be read
    has only an `error`. A run without any figures is `{"error": why}`. Both also warn. They never
    raise, since NeuroBench would replace an exception by the number 0.0.

    Counts are integers. Their memory does not grow with the data. Every batch is taken for new
    samples, since NeuroBench keeps nothing that tells whether a layer's state continues.
    """

    options: ClassVar[Options] = Options()

    def __init__(self) -> None:
        super().__init__(requires_hooks=True)
        self._run = Run(self.options)
        self._warned_of = 0

    @classmethod
    def configured(
        cls,
        *,
        name: str,
        layers: LayerSelection = None,
        statistics: StatisticSelection = None,
        per_neuron: bool = True,
        dt: float | None = None,
        axes: str | None = None,
        kind: SignalKind | str | None = None,
        values: Values | None = None,
        adapters: Sequence[Adapter] | None = None,
    ) -> type[AverageActivityMetric]:
        """A metric class with these options, since NeuroBench builds metrics without arguments.

        Args:
            name: the class's `__name__`, under which its figures are in the results. Two metrics of
                one run need different names.
            layers: as in `neuroact.record`, among the layers that NeuroBench hooks. The `state` of
                a `Reading` has no use here: each batch begins sequences.
            statistics: as in `neuroact.record`. Each statistic's result is in the layer's entry, as
                plain Python, under its class's name.
            per_neuron: whether to include `histogram`. Without it results stay small, but plots
                have no outliers, and no report can be made.
            dt: seconds per time step, kept with the figures.
            axes: as in `neuroact.record`; None means "BN", one step, batch first.
            kind: as in `neuroact.record`.
            values: as in `neuroact.record`.
            adapters: as in `neuroact.record`.

        Raises:
            TypeError: a statistic or an adapter is not one; or `values` is no place.
            ValueError: `name`, `dt`, `axes` or `kind` is not valid.
        """
        options = Options(
            layers=layers,
            statistics=builders(statistics),
            per_neuron=per_neuron,
            dt=dt,
            reading=Reading(axes, kind, values),
            adapters=tuple(adapters or ()),
        )
        options.check()
        return named_class(cls, name, options=options)

    def __call__(self, model: Any, preds: Any, data: Any) -> dict[str, Any]:
        """Count the batch that the model has just run.

        Args:
            model: the NeuroBenchModel; its hooks hold the batch.
            preds: ignored.
            data: the data loader's batch, input first.

        Returns:
            The figures of the run so far: a dict that is computed when it is first read, from what
            was counted until then.

        Warns:
            NeuroactWarning: a layer, or the whole run, has no figures.
        """
        self._run.read(model, data)
        self._warn()
        return Figures(self._tally())

    def compute(self) -> dict[str, Any]:
        """The figures of the run so far, as plain Python."""
        return self._tally().figures()

    def reset(self) -> None:
        """Forget all counts. NeuroBench calls this before each run's first batch.

        If a Benchmark's `run` calls it, it also makes sure that each of the model's activation
        layers has an empty hook. Results returned earlier keep their figures.
        """
        self._run = Run(self.options)
        self._warned_of = 0
        found = running()
        if found is not None:
            prepare(found.model)

    @classmethod
    def plot_activity_distributions(cls, results: Results, ax: Axes | None = None) -> Axes:
        """A box per layer of its neurons' average activity, from the results alone.

        Args:
            results: as in `report`. If they hold several metrics, the one of this class is drawn.
            ax: axes to draw into; None makes a pyplot figure, which `plt.show()` shows.

        Returns:
            The axes. Nothing is shown.

        Raises:
            MissingExtraError: matplotlib is not installed.
            NothingRecordedError: as `report`.
            ReportFileError: the results are damaged.
        """
        return plot(own_entry(results, cls.__name__), ax)

    def _tally(self) -> Tally:
        return Tally(self._run.layers, self._run.problem, self.options)

    def _warn(self) -> None:
        problems = self._run.problems()
        if len(problems) == self._warned_of:
            return
        self._warned_of = len(problems)
        # If warnings are errors, NeuroBench would swallow this one. The results say it anyway.
        with contextlib.suppress(NeuroactWarning):
            text = f"{type(self).__name__} has no figures of {'; '.join(problems)}"
            warnings.warn(text, NeuroactWarning, stacklevel=3)


def named_class(cls: type[Metric], name: str, **members: Any) -> type[Metric]:
    """A subclass with these members, under a name that NeuroBench's results will have.

    Raises:
        ValueError: that is no name.
    """
    if not name or not isinstance(name, str):
        raise ValueError(f"expected name= to be a name for the results, came {name!r}")
    return type(name, (cls,), members | {"__module__": cls.__module__, "__doc__": cls.__doc__})


def add_spiking_layers(model: Any) -> tuple[str, ...]:
    """Make NeuroBench hook every spiking layer of the model's network. Call it before `Benchmark`.

    Layers that emit real values (leaky integrators, membrane potentials) are left out, even if they
    are subclasses of spiking ones. If the network gets more layers later, call it again.

    Args:
        model: a `TorchModel` or any other NeuroBenchModel.

    Returns:
        The layers' names in the network.

    Raises:
        NoSpikingLayersError: no installed adapter knows a spiking layer of the network.
        ValueError: the network itself is a spiking layer. NeuroBench hooks only what is inside it.
    """
    net = model.__net__()
    chosen = choose_layers(net)
    if any(layer.info.name == ROOT_NAME and layer.module is net for layer in chosen):
        raise ValueError(
            f"the network itself, a {type(net).__name__}, is a spiking layer, and NeuroBench "
            "hooks only what is inside a network: wrap it, as in "
            f"{type(model).__name__}(torch.nn.Sequential(net))"
        )
    model.add_activation_module(SpikingLayers([layer.module for layer in chosen]))
    return tuple(layer.info.name for layer in chosen)


class SpikingLayers:
    """Stands in for a class: `isinstance` is true for the given modules, and for no others.

    NeuroBench recognises activation layers by their class. But whether a layer spikes may depend on
    how it was built, and some classes that do not spike derive from others that do.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        # Not a set of weak references: its deep copy would refer to the original's modules.
        self._modules = tuple(modules)

    def __instancecheck__(self, module: object) -> bool:
        return any(module is spiking for spiking in self._modules)

"""`AverageActivityMetric`, and what NeuroBench's hooks must be told before it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

from neuroact import Adapter
from neuroact.errors import MissingExtraError, NeuroactWarning
from neuroact.layers.choose import choose_layers
from neuroact.layers.names import ROOT_NAME, LayerSelection
from neuroact.statistics.choice import StatisticSelection, builders

try:
    from neurobench.metrics.abstract.workload_metric import AccumulatedMetric

    from neuroact_adapters.neurobench.hooks import prepare, running_model
    from neuroact_adapters.neurobench.layers import Options, Run
except ModuleNotFoundError as cause:
    if cause.name != "neurobench":
        raise
    purpose = "AverageActivityMetric"
    raise MissingExtraError("neurobench", extra="neurobench", purpose=purpose) from cause
from neuroact_adapters.neurobench.from_results import Results, own_entry
from neuroact_adapters.neurobench.plot import plot
from neuroact_adapters.neurobench.results import Figures, Tally

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class AverageActivityMetric(AccumulatedMetric):  # type: ignore[misc]  # NeuroBench has no types
    """How much each neuron of each hooked layer fires, over all samples and time steps.

    Goes, as a class, into a Benchmark's list of workload metrics. Its result is a dict by the
    layers' full names in the network. Of each layer:

    ================================  ============================================================
    `histogram`                       list of each neuron's average activity, the neurons' shape
                                      flattened: sum of its values / `timesteps`
    `min max mean std median q1 q3`   of `histogram`; std divides by the number of neurons,
                                      quartiles are type 7 (NumPy's "linear")
    `neurons`, `shape`                how many, and in which shape, without time and batch
    `samples`                         sequences begun: one per sample of each batch
    `timesteps`                       time steps of all samples together: how often each neuron
                                      was looked at
    `sparsity`                        share of values that are 0
    `dead`, `saturated`               number of neurons without an event, and with one every time
    `kind`                            "binary", "graded" or "analog", as in `SignalKind`
    `framework layer_type aliases`    what the layer is, and its other names
    ================================  ============================================================

    Figures are None where they cannot be trusted, and `error` then says why. A layer that cannot
    be read has an `error` alone; a run without any figures is `{"error": why}`. Both warn, too,
    and never raise: NeuroBench would put the number 0.0 in the place of an exception.

    Counts are integers in memory that does not grow with the data. Every batch is taken for new
    samples: NeuroBench keeps nothing that would tell whether a layer's state goes on.
    """

    options: ClassVar[Options] = Options()

    def __init__(self) -> None:
        super().__init__(requires_hooks=True)
        self._run = Run(self.options)
        self._told = 0

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
        adapters: Sequence[Adapter] | None = None,
    ) -> type[AverageActivityMetric]:
        """A metric class of its own name, for NeuroBench builds metrics without arguments.

        Args:
            name: the class's `__name__`, under which its figures stand in the results; two
                metrics of one run need two names.
            layers: as in `neuroact.record`, among the layers that NeuroBench hooks.
            statistics: as in `neuroact.record`; each one's result stands, as plain Python, under
                its class's name beside the other figures.
            per_neuron: with `histogram`; without it results stay small, are drawn without outliers
                and make no report.
            dt: seconds per time step, kept with the figures.
            axes: as in `neuroact.record`; "BN", one step, batch first, where None.
            adapters: as in `neuroact.record`.

        Raises:
            TypeError: a statistic or an adapter that is none.
            ValueError: `name`, `dt` or `axes` is none that there is.
        """
        if not name or not isinstance(name, str):
            raise ValueError(f"expected name= to be a name for the results, came {name!r}")
        options = Options(layers, builders(statistics), per_neuron, dt, axes, tuple(adapters or ()))
        options.check()
        members = {"options": options, "__module__": cls.__module__, "__doc__": cls.__doc__}
        return type(name, (cls,), members)

    def __call__(self, model: Any, preds: Any, data: Any) -> dict[str, Any]:
        """Count the batch that the model has just run.

        Args:
            model: the NeuroBenchModel; its hooks hold the batch.
            preds: not looked at.
            data: the data loader's batch, input first.

        Returns:
            The figures of the run so far, a dict that is worked out when it is first looked at,
            from what was counted until then.

        Warns:
            NeuroactWarning: a layer, or the whole run, has no figures.
        """
        self._run.read(model, data)
        self._tell()
        return Figures(self._tally())

    def compute(self) -> dict[str, Any]:
        """The figures of the run so far, as plain Python."""
        return self._tally().figures()

    def reset(self) -> None:
        """Start from nothing; NeuroBench calls it before each run's first batch.

        Called by a Benchmark's `run`, it also sees to it that each of the model's activation
        layers has a hook with nothing in it. Results given before keep their figures.
        """
        self._run = Run(self.options)
        self._told = 0
        model = running_model()
        if model is not None:
            prepare(model)

    @classmethod
    def plot_activity_distributions(cls, results: Results, ax: Axes | None = None) -> Axes:
        """A box per layer of its neurons' average activity, from the results alone.

        Args:
            results: as in `report`; of several metrics' figures, those of this class are drawn.
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

    def _tell(self) -> None:
        problems = self._run.problems()
        if len(problems) == self._told:
            return
        self._told = len(problems)
        # Where warnings are errors NeuroBench would swallow it; the results say it all the same.
        with contextlib.suppress(NeuroactWarning):
            text = f"{type(self).__name__} has no figures of {'; '.join(problems)}"
            warnings.warn(text, NeuroactWarning, stacklevel=3)


def add_spiking_layers(model: Any) -> tuple[str, ...]:
    """Make NeuroBench hook every spiking layer of the model's network; call it before `Benchmark`.

    Layers that only emit real values (leaky integrators, membranes) are left out, subclasses of
    spiking ones included. A model whose network gets more layers later needs another call.

    Args:
        model: a `TorchModel` or any other NeuroBenchModel.

    Returns:
        The layers' names in the network.

    Raises:
        NoSpikingLayersError: no installed adapter knows a spiking layer of the network.
        ValueError: the network itself is one, and NeuroBench hooks only what is inside it.
    """
    net = model.__net__()
    chosen = choose_layers(net, layers=None, of="output", axes=None, adapters=None)
    if any(layer.info.name == ROOT_NAME and layer.module is net for layer in chosen):
        raise ValueError(
            f"the network itself, a {type(net).__name__}, is a spiking layer, and NeuroBench "
            "hooks only what is inside a network: wrap it, as in "
            f"{type(model).__name__}(torch.nn.Sequential(net))"
        )
    model.add_activation_module(SpikingLayers([layer.module for layer in chosen]))
    return tuple(layer.info.name for layer in chosen)


class SpikingLayers:
    """What `isinstance` takes for the class of the given modules, and of no others.

    NeuroBench tells activation layers by their class; but whether a layer spikes may depend on
    how it was built, and some classes that do not derive from others that do.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        # No set of weak references: a deep copy of that would hold the original's modules.
        self._modules = tuple(modules)

    def __instancecheck__(self, module: object) -> bool:
        return any(module is spiking for spiking in self._modules)

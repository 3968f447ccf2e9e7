"""What one layer did: its metrics, each with its formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from neuroact.card import Carded
from neuroact.errors import RECORD_WITH, MissingStatisticError
from neuroact.layers.names import nearest
from neuroact.quantiles import tally
from neuroact.results.binning import binned
from neuroact.statistics import BUILT_IN
from neuroact.statistics.firing import Firing, FiringResult, SumOfValues
from neuroact.statistics.results import (
    NONFINITE,
    LayerResult,
    quantile_or_nan,
    ratio,
    seconds_per_step,
)
from neuroact.statistics.signal_result import SignalResult
from neuroact.stream.chunk import SignalKind

OBSERVED = "observed"
"""The framework of a layer whose values were given to `observe`."""
SPREAD = ("mean", "std", "min", "q1", "median", "q3", "max")
"""The metrics that say how activity, or a counted number, spreads; in the order to show them."""

_OF_SPIKES = ("sparsity", "dead", "saturated")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_Result = TypeVar("_Result", covariant=True)


class _Gives(Protocol[_Result]):
    def result(self) -> _Result | None: ...


@dataclass(frozen=True, eq=False, repr=False)
class LayerActivity(Carded):
    """What the neurons of one layer did.

    A neuron's *activity* is the mean of its values over all observed (time step, sample) pairs. In
    a binary layer, it is spikes per step, in [0, 1]. The layer's figures describe how activity
    spreads over the neurons. They are NaN if nothing was observed, if the layer has no neurons, or
    if `unreliable` says why its values cannot be trusted.

    Attributes:
        name: qualified name of the module in the model.
        aliases: other names of the same module, or of the NIR graph's node that it is in.
        framework: import name of the module's framework.
        layer_type: the module's class name.
        kind: what the layer's values mean.
        of: what of the layer was recorded: "output", "input", "grad" for the gradient at its
            output, or the name of a state, such as "mem".
        observations: number of valid (time step, sample) pairs: how often each neuron was observed.
        sequences: number of sequences begun, over all samples.
        events: non-zero values per neuron, int64 `[*shape]`.
        total: sum of values per neuron, float64 `[*shape]`; equals `events` in a binary layer.
        nonfinite: whether a NaN or an infinity was among the values.
        not_binary: whether values other than 0 and 1 were found although the kind is binary.
        dt: seconds per time step, or None.
        results: results of the statistics beside `Firing`, by class name. `layer[SpikeCounts]`
            gives the result of a class, with its type.

    Source of the definitions: activity is NeuroBench's custom-metric "average activity per
    neuron"; quantiles are type 7 of Hyndman and Fan (1996); std divides by the number of neurons.

    >>> import numpy as np
    >>> from neuroact import LayerActivity, SignalKind
    >>> layer = LayerActivity(
    ...     name="lif", framework="snntorch", layer_type="Leaky", kind=SignalKind.BINARY,
    ...     observations=10, sequences=2, events=np.array([0, 5, 10, 5]),
    ... )
    >>> layer.mean, layer.median, layer.dead, layer.saturated, layer.sparsity
    (0.5, 0.5, 1, 1, 0.5)
    """

    name: str
    framework: str
    layer_type: str
    kind: SignalKind
    observations: int
    sequences: int
    events: Integers
    total: SumOfValues = SumOfValues()  # noqa: RUF009  # a descriptor, made to be shared
    nonfinite: bool = False
    not_binary: bool = False
    aliases: tuple[str, ...] = ()
    dt: float | None = None
    results: Mapping[str, Any] = field(default_factory=dict)
    of: str = "output"

    def __post_init__(self) -> None:
        self._own("events", self.events, np.int64)
        if self.kind is SignalKind.BINARY:
            object.__setattr__(self, "total", None)
        else:
            given = vars(self)["total"]
            self._own("total", () if given is None else given, np.float64)
            if self.total.shape != self.events.shape:
                raise ValueError(
                    f'layer "{self.name}": expected a total of shape {self.events.shape} like its '
                    f"events, came {self.total.shape}"
                )
        results = {name: self._placed(result) for name, result in self.results.items()}
        object.__setattr__(self, "results", results)

    @overload
    def __getitem__(self, statistic: type[_Gives[_Result]]) -> _Result: ...
    @overload
    def __getitem__(self, statistic: str) -> Any: ...
    def __getitem__(self, statistic: type[_Gives[Any]] | str) -> Any:
        """The result of a statistic.

        Args:
            statistic: the statistic's class, or the class's name.

        Raises:
            MissingStatisticError: a KeyError; the layer was not recorded with this statistic.
            TypeError: neither a class nor a name, such as a configured statistic.
        """
        if not isinstance(statistic, (str, type)):
            raise TypeError(
                f'layer "{self.name}": results are had by a statistic\'s class, such as '
                f"layer[neuroact.TimeCourse], or by its name; came {statistic!r}"
            )
        name = statistic if isinstance(statistic, str) else statistic.__name__
        if name in self.results:
            return self.results[name]
        if name == Firing.__name__:
            return self._firing
        raise MissingStatisticError(
            name,
            layer=self.name,
            recorded=(Firing.__name__, *self.results),
            advice=_advice(statistic),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LayerActivity):
            return NotImplemented
        plain = [f.name for f in fields(self) if f.name not in ("events", "total", "results")]
        return all(getattr(self, n) == getattr(other, n) for n in plain) and (
            np.array_equal(self.events, other.events)
            and (
                self.kind is SignalKind.BINARY  # its total is its events
                or np.array_equal(self.total, other.total, equal_nan=True)
            )
            and self._own_results == other._own_results
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, which is too large to hash

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the layer's neurons, without time and batch."""
        return self.events.shape

    @property
    def neurons(self) -> int:
        """Number of neurons, the product of `shape`."""
        return self.events.size

    @property
    def rectified(self) -> bool:
        """Whether the values are real, and a zero means that a neuron is silent, as after a ReLU.

        So it is if the module is an `nn.ReLU` or `nn.ReLU6` and its output was recorded; or if an
        output or input was recorded with `Signal` and its smallest value is exactly 0.
        """
        if self.kind is not SignalKind.ANALOG or self.of not in ("output", "input"):
            return False
        if self.of == "output" and self.layer_type in ("ReLU", "ReLU6"):
            return True
        signal = self.results.get("Signal")
        return isinstance(signal, SignalResult) and signal.min == 0

    def has_meaning(self, metric: str) -> bool:
        """Whether a metric says something of this layer. Tables show a dash where it does not.

        Real values are no spikes: the `sparsity` and the `dead` neurons of an analog layer say
        something only if it is `rectified`, and the `saturated` ones never do. All other metrics
        say something of any layer.
        """
        if self.kind is not SignalKind.ANALOG or not metric.startswith(_OF_SPIKES):
            return True
        return self.rectified and not metric.startswith("saturated")

    @property
    def unreliable(self) -> str | None:
        """Why the figures cannot be trusted; None if they can."""
        if self.nonfinite:
            return NONFINITE
        if self.not_binary:
            return (
                "values other than 0 and 1 were observed in a layer that is said to be binary: "
                'pass kind="graded" or kind="analog" to observe'
                if self.framework == OBSERVED
                else "values other than 0 and 1 were emitted by a layer that its adapter calls "
                "binary, or one sequence had 2**31 compiled steps"
            )
        return None

    @property
    def problem(self) -> str | None:
        """Why the layer has no figures; None if it has. Without figures, they are NaN."""
        if self.unreliable is not None:
            return self.unreliable
        if self.neurons == 0:
            return "it has no neurons"
        return "no step of it was observed" if self.observations == 0 else None

    @cached_property
    def activity(self) -> Floats:
        """Average activity per neuron, `total / observations`, float64 `[*shape]`.

        In spikes per neuron and time step. Zeros if nothing fired; NaN if nothing was observed, or
        if the layer is `unreliable`.
        """
        values = self._activity()
        values.flags.writeable = False
        return values

    @property
    def rate(self) -> Floats:
        """Firing rate per neuron in Hz, `events / (observations · dt)`, float64 `[*shape]`.

        In a binary layer, it equals `activity / dt`. If all samples are equally long, this is the
        mean over samples of `elephant.statistics.mean_firing_rate`. In a graded layer, each spike
        counts once, whatever its size. Zeros if nothing fired. NaN if nothing was observed, if the
        layer is `unreliable`, or if it is analog, because real values are not spikes.

        Raises:
            NoTimeStepError: the recording has no time step `dt`.
        """
        seconds = self.observations * seconds_per_step(self.dt, "rate")
        spikes = seconds > 0 and self.unreliable is None and self.kind is not SignalKind.ANALOG
        return ratio(self.events, seconds if spikes else 0.0)

    @property
    def min(self) -> float:
        """Smallest activity of a neuron."""
        return self.quantile(0.0)

    @property
    def max(self) -> float:
        """Largest activity of a neuron."""
        return self.quantile(1.0)

    @property
    def mean(self) -> float:
        """Mean activity over neurons, `Σ activity / neurons`."""
        return self._mean_and_std[0]

    @property
    def std(self) -> float:
        """Standard deviation over neurons, `sqrt(Σ (activity - mean)² / neurons)` (ddof 0)."""
        return self._mean_and_std[1]

    @property
    def median(self) -> float:
        """Median activity over neurons, quantile 0.5 of type 7."""
        return self.quantile(0.5)

    @property
    def q1(self) -> float:
        """First quartile of activity over neurons, quantile 0.25 of type 7."""
        return self.quantile(0.25)

    @property
    def q3(self) -> float:
        """Third quartile of activity over neurons, quantile 0.75 of type 7."""
        return self.quantile(0.75)

    def quantile(self, q: float, method: str = "linear") -> float:
        """Quantile of activity over neurons.

        Args:
            q: level in [0, 1].
            method: one of the thirteen names of `numpy.quantile`; "linear" is type 7.

        Returns:
            The value of `numpy.quantile(activity, q, method=method)`, to the bit.

        Raises:
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return quantile_or_nan(*self.activity_distribution, q, method)

    def histogram(
        self, bins: int | NDArray[Any] = 10, range: tuple[float, float] | None = None
    ) -> tuple[Integers, Floats]:
        """Histogram of neurons by activity. The arguments are those of `numpy.histogram`.

        Args:
            bins: number of bins of equal width, or their edges.
            range: lower and upper edge. None: the smallest and largest activity. The range is
                widened if the bins do not fit into it.

        Returns:
            Counts int64 `[bins]` and edges float64 `[bins + 1]`. The last bin includes its upper
            edge. If the layer has no figures, counts are zeros and edges go from 0 to 1.
        """
        values = self._activity() if self.problem is None else np.empty(0)
        counts, edges = binned(values, bins, range)
        return counts.astype(np.int64), edges.astype(np.float64)

    @cached_property
    def activity_distribution(self) -> tuple[Floats, Integers]:
        """The distinct activities, ascending, and the number of neurons that have each.

        Float64 and int64 of the same length; both empty if the layer has no figures. Quantiles need
        no more than this, and it is short even for a million neurons.
        """
        # Counting a million integers and dividing the few distinct ones is several times faster
        # than sorting a million quotients. The bits are the same, because division keeps the order.
        if self.problem is not None:
            return np.empty(0), np.empty(0, np.int64)
        if self.kind is not SignalKind.BINARY:
            return tally(self._activity())
        events, neurons = tally(self.events)
        return events / self.observations, neurons

    @cached_property
    def sparsity(self) -> float:
        """Share of values that are zero, `1 - Σ events / (neurons · observations)`.

        1 if nothing fired. It is NeuroBench's activation sparsity of this layer alone. Elephant's
        `BinnedSpikeTrain.sparsity` is the opposite: the share of values that are not zero.
        """
        if self.problem is not None:
            return np.nan
        observed = self.neurons * self.observations
        return (observed - int(self.events.sum())) / observed

    @property
    def dead(self) -> int:
        """Number of neurons without a single event; 0 if nothing was observed."""
        return int(np.count_nonzero(self.events == 0)) if self.problem is None else 0

    @property
    def saturated(self) -> int:
        """Number of neurons with an event at every observation; 0 if nothing was observed."""
        return (
            int(np.count_nonzero(self.events == self.observations)) if self.problem is None else 0
        )

    @property
    def dead_share(self) -> float:
        """Share of neurons without a single event, `dead / neurons`; NaN without figures."""
        return self.dead / self.neurons if self.problem is None else math.nan

    @property
    def saturated_share(self) -> float:
        """Share of neurons with an event at every observation, `saturated / neurons`.

        NaN without figures.
        """
        return self.saturated / self.neurons if self.problem is None else math.nan

    @property
    def dead_neurons(self) -> Integers:
        """Indices of the dead neurons, int64 `[dead, len(shape)]`."""
        return self._where(self.events == 0)

    @property
    def saturated_neurons(self) -> Integers:
        """Indices of the saturated neurons, int64 `[saturated, len(shape)]`."""
        return self._where(self.events == self.observations)

    def _activity(self) -> Floats:
        """The activity. Unlike the property, this does not make the layer keep the array."""
        if "activity" in vars(self):
            return self.activity
        if self.observations == 0 or self.unreliable is not None:
            return np.full(self.shape, np.nan)
        sums = self.events if self.kind is SignalKind.BINARY else self.total
        return np.asarray(sums / self.observations)  # for the shape (), NumPy gives a scalar

    @cached_property
    def _mean_and_std(self) -> tuple[float, float]:
        if self.problem is not None:
            return math.nan, math.nan
        values = self._activity()
        scale = 1.0
        if self.kind is not SignalKind.BINARY:
            largest = float(np.abs(values).max())
            if largest > 2.0**500:  # its square would overflow
                scale = 2.0 ** (math.frexp(largest)[1] - 1)
                values = values / scale
        return float(values.mean()) * scale, float(values.std()) * scale

    def _own(self, name: str, array: Any, dtype: type) -> None:
        """Keep a read-only copy."""
        copy: NDArray[Any] = np.array(array, dtype=dtype)
        copy.flags.writeable = False
        object.__setattr__(self, name, copy)

    @property
    def _firing(self) -> FiringResult:
        kept = vars(self)  # here a total of None stands for the events
        return FiringResult(**{f.name: kept[f.name] for f in fields(FiringResult)})

    @property
    def _own_results(self) -> dict[str, LayerResult]:
        """The results of neuroact's own statistics, which can be compared."""
        return {n: r for n, r in self.results.items() if isinstance(r, LayerResult)}

    def _placed(self, result: Any) -> Any:
        """The result with the layer's time step, and why its values cannot be trusted."""
        if not isinstance(result, LayerResult):
            return result
        known: dict[str, Any] = {"unreliable": self.unreliable, "dt": self.dt}
        theirs = {f.name for f in fields(result)} & known.keys()
        return replace(result, **{name: known[name] for name in theirs})

    def _where(self, mask: NDArray[np.bool_]) -> Integers:
        if self.problem is not None:
            mask = np.zeros_like(mask)
        return np.argwhere(mask).astype(np.int64)


def _advice(statistic: type | str) -> str | None:
    """What to do about a missing statistic; None for neuroact's own (the error says it)."""
    if isinstance(statistic, type) and hasattr(statistic, "update"):
        return None if statistic in BUILT_IN.values() else RECORD_WITH.format(statistic.__name__)
    name = statistic.__name__ if isinstance(statistic, type) else statistic
    if name in BUILT_IN:
        return None
    if isinstance(getattr(LayerActivity, name, None), property | cached_property):
        return f"It is a figure of the layer: write layer.{name}"
    return f"No statistic of neuroact is called so.{nearest(name, BUILT_IN)}"

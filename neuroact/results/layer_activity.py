"""The figures of one layer, each with its formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from neuroact.errors import RECORD_WITH, MissingStatisticError
from neuroact.layers.names import nearest
from neuroact.quantiles import tally
from neuroact.results.binning import binned
from neuroact.statistics import BUILT_IN
from neuroact.statistics.firing import Firing, FiringResult, SumOfValues
from neuroact.statistics.results import LayerResult, quantile_or_nan, ratio, seconds_per_step
from neuroact.stream.chunk import SignalKind

OBSERVED = "observed"
"""The framework of a layer whose values were fed by hand."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_Result = TypeVar("_Result", covariant=True)


class _Gives(Protocol[_Result]):
    def result(self) -> _Result | None: ...


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """What the neurons of one layer did.

    A neuron's *activity* is the mean of its values over all (time step, sample) pairs looked at:
    spikes per step, in [0, 1] where the layer is binary. The layer's figures describe how that
    number spreads over its neurons. Figures are NaN where nothing was observed, where the layer
    has no neurons, and where `unreliable` says why its values cannot be trusted.

    Attributes:
        name: qualified name of the module in the model.
        aliases: other names of the same module.
        framework: import name of the module's framework.
        layer_type: the module's class name.
        kind: what its values mean.
        observations: number of valid (time step, sample) pairs: how often each neuron was seen.
        sequences: number of samples' sequences begun.
        events: non-zero values per neuron, int64 `[*shape]`.
        total: sum of values per neuron, float64 `[*shape]`; equals `events` where binary.
        nonfinite: a NaN or an infinity was among the values.
        not_binary: values other than 0 and 1 were found although the kind is binary.
        dt: seconds per time step, or None.
        results: results of statistics kept beside `Firing`, by class name; `layer[SpikeCounts]`
            gives the one of a class, with its type.

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
        """What a statistic found in the layer.

        Args:
            statistic: its class, or the class's name.

        Raises:
            MissingStatisticError: a KeyError; the layer was not recorded with it.
        """
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
                self.kind is SignalKind.BINARY  # whose total is its events
                or np.array_equal(self.total, other.total, equal_nan=True)
            )
            and self._own_results == other._own_results
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content is large

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the layer's neurons, without time and batch."""
        return self.events.shape

    @property
    def neurons(self) -> int:
        """Number of neurons, the product of `shape`."""
        return self.events.size

    @property
    def unreliable(self) -> str | None:
        """Why the figures cannot be trusted; None where they can."""
        if self.nonfinite:
            return "NaN or infinite values were emitted"
        if self.not_binary:
            return (
                "values other than 0 and 1 were observed of a layer that is said to be binary: "
                'pass kind="graded" or kind="analog" to observe'
                if self.framework == OBSERVED
                else "values other than 0 and 1 were emitted by a layer that its adapter calls "
                "binary, or one sequence had 2**31 compiled steps"
            )
        return None

    @property
    def problem(self) -> str | None:
        """Why the layer has no figures, which are NaN then; None where it has."""
        if self.unreliable is not None:
            return self.unreliable
        if self.neurons == 0:
            return "it has no neurons"
        return "no step of it was looked at" if self.observations == 0 else None

    @cached_property
    def activity(self) -> Floats:
        """Average activity per neuron, `total / observations`, float64 `[*shape]`.

        In spikes per neuron and time step. Zeros where nothing fired; NaN where nothing was
        observed or the layer is `unreliable`.
        """
        values = self._activity()
        values.flags.writeable = False
        return values

    @property
    def rate(self) -> Floats:
        """Firing rate per neuron in Hz, `events / (observations · dt)`, float64 `[*shape]`.

        Where binary that is `activity / dt`: the mean over samples of what
        `elephant.statistics.mean_firing_rate` gives for each, where they are of equal length. A
        graded layer's spikes count once each, whatever their size. Zeros where nothing fired; NaN
        where nothing was observed, where the layer is `unreliable`, and where it is analog: real
        values are no spikes.

        Raises:
            NoTimeStepError: the recording was not told the time step.
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
            The same, to the bit, as `numpy.quantile(activity, q, method=method)`.

        Raises:
            ValueError: a level outside [0, 1] or an unknown method.
        """
        return quantile_or_nan(*self.activity_distribution, q, method)

    def histogram(
        self, bins: int | NDArray[Any] = 10, range: tuple[float, float] | None = None
    ) -> tuple[Integers, Floats]:
        """How many neurons have how much activity; arguments as in `numpy.histogram`.

        Args:
            bins: number of bins of equal width, or their edges.
            range: lower and upper edge; the smallest and largest activity where None. Widened where
                so many bins do not fit into it.

        Returns:
            Counts int64 `[bins]` and edges float64 `[bins + 1]`. The last bin holds its upper
            edge. Counts are all zero where the figures are NaN, and the edges then from 0 to 1.
        """
        values = self._activity() if self.problem is None else np.empty(0)
        counts, edges = binned(values, bins, range)
        return counts.astype(np.int64), edges.astype(np.float64)

    @cached_property
    def activity_distribution(self) -> tuple[Floats, Integers]:
        """The different activities, ascending, and the number of neurons that have each.

        All that the layer's figures need: few numbers even of a million neurons. Float64 and int64
        of the same length; both empty where the figures are NaN.
        """
        # Counting a million integers and dividing the few distinct ones is several times faster
        # than sorting a million quotients, and gives the same bits: division keeps the order.
        if self.problem is not None:
            return np.empty(0), np.empty(0, np.int64)
        if self.kind is not SignalKind.BINARY:
            return tally(self._activity())
        events, neurons = tally(self.events)
        return events / self.observations, neurons

    @cached_property
    def sparsity(self) -> float:
        """Share of values that are zero, `1 - Σ events / (neurons · observations)`.

        1 where nothing fired. NeuroBench's activation sparsity, of this layer alone. What elephant
        calls so, `BinnedSpikeTrain.sparsity`, is the share that is not zero.
        """
        if self.problem is not None:
            return np.nan
        looked_at = self.neurons * self.observations
        return (looked_at - int(self.events.sum())) / looked_at

    @property
    def dead(self) -> int:
        """Number of neurons without a single event; 0 where nothing was observed."""
        return int(np.count_nonzero(self.events == 0)) if self.problem is None else 0

    @property
    def saturated(self) -> int:
        """Number of neurons with an event at every observation; 0 where nothing was observed."""
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
        """Where the dead neurons are, int64 `[dead, len(shape)]`."""
        return self._where(self.events == 0)

    @property
    def saturated_neurons(self) -> Integers:
        """Where the saturated neurons are, int64 `[saturated, len(shape)]`."""
        return self._where(self.events == self.observations)

    def _activity(self) -> Floats:
        """The activity, which only who asks for it by its name makes the layer keep."""
        if "activity" in vars(self):
            return self.activity
        if self.observations == 0 or self.unreliable is not None:
            return np.full(self.shape, np.nan)
        sums = self.events if self.kind is SignalKind.BINARY else self.total
        return np.asarray(sums / self.observations)  # a scalar for one neuron `()`

    @cached_property
    def _mean_and_std(self) -> tuple[float, float]:
        if self.problem is not None:
            return math.nan, math.nan
        values = self._activity()
        scale = 1.0
        if self.kind is not SignalKind.BINARY:
            largest = float(np.abs(values).max())
            if largest > 2.0**500:  # the square of which would overflow
                scale = 2.0 ** (math.frexp(largest)[1] - 1)
                values = values / scale
        return float(values.mean()) * scale, float(values.std()) * scale

    def _own(self, name: str, array: Any, dtype: type) -> None:
        """Keep a copy that does not change."""
        copy: NDArray[Any] = np.array(array, dtype=dtype)
        copy.flags.writeable = False
        object.__setattr__(self, name, copy)

    @property
    def _firing(self) -> FiringResult:
        kept = vars(self)  # where a total of None stands for the events
        return FiringResult(**{f.name: kept[f.name] for f in fields(FiringResult)})

    @property
    def _own_results(self) -> dict[str, LayerResult]:
        """The results whose form is known: those of neuroact's own statistics."""
        return {n: r for n, r in self.results.items() if isinstance(r, LayerResult)}

    def _placed(self, result: Any) -> Any:
        """The result, told what the layer knows: its time step, and why not to trust it."""
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
    """What to do for the results of a statistic that is not there; None where it is neuroact's."""
    if isinstance(statistic, type) and hasattr(statistic, "update"):
        return None if statistic in BUILT_IN.values() else RECORD_WITH.format(statistic.__name__)
    name = statistic.__name__ if isinstance(statistic, type) else statistic
    if name in BUILT_IN:
        return None
    return f"No statistic of neuroact is called so.{nearest(name, BUILT_IN)}"

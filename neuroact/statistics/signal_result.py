"""The figures of a layer's real values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from neuroact.statistics.counting.real_bins import edges_of, middles_of
from neuroact.statistics.results import Floats, Integers, LayerResult, quantile_or_nan, ratio


@dataclass(frozen=True, eq=False, repr=False)
class SignalResult(LayerResult):
    """Real values of one layer: per neuron, per step, and all of them together.

    Figures without `per_neuron` or `by_step` in their name are of all values of the layer: of every
    neuron, sample and step. All figures are in the unit of the values. They are NaN if nothing was
    observed, if the layer has no neurons, or if `unreliable` says why the values cannot be trusted.

    Attributes:
        mean_per_neuron: mean of each neuron's values, float64 `[*neurons]`.
        std_per_neuron: standard deviation of each neuron's values over samples and steps (ddof 0),
            float64 `[*neurons]`.
        min_per_neuron: smallest value of each neuron, float64 `[*neurons]`.
        max_per_neuron: largest value of each neuron, float64 `[*neurons]`.
        zeros: how many values of each neuron are 0, int64 `[*neurons]`.
        above: how many values of each neuron are at or above `threshold`, int64 `[*neurons]`; zeros
            without a threshold.
        step_observations: samples observed at each step of a sequence, int64 `[steps]`.
        mean_by_step: mean over samples and neurons at each step, float64 `[steps]`.
        std_by_step: standard deviation over samples and neurons at each step (ddof 0), float64
            `[steps]`.
        bins: numbers of the bins that hold a value, ascending, int64 `[used]`; `edges` gives the
            values they hold.
        bin_counts: how many values each of these bins holds, int64 `[used]`.
        threshold: the firing threshold; None if it is not known.

    >>> import numpy as np
    >>> from neuroact import Recording, Signal
    >>> recording = Recording(statistics=Signal(threshold=1.0))
    >>> recording.observe("mem", np.array([[[0.0, 0.5]], [[-0.5, 2.0]]]), kind="analog")
    >>> membrane = recording.report()["mem"][Signal]
    >>> membrane.mean, membrane.min, membrane.max, membrane.zeros_share
    (0.5, -0.5, 2.0, 0.25)
    >>> membrane.distance_mean, membrane.distance_min, membrane.above_share
    (0.5, -1.0, 0.25)
    """

    mean_per_neuron: Floats
    std_per_neuron: Floats
    min_per_neuron: Floats
    max_per_neuron: Floats
    zeros: Integers
    above: Integers
    step_observations: Integers
    mean_by_step: Floats
    std_by_step: Floats
    bins: Integers
    bin_counts: Integers
    threshold: float | None = field(default=None, kw_only=True)

    per_neuron: ClassVar = frozenset(
        f"{name}_per_neuron" for name in ("mean", "std", "min", "max")
    ) | {"zeros", "above"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unreliable is not None:
            for name in self.real_arrays():
                nothing = np.full(getattr(self, name).shape, np.nan)
                nothing.flags.writeable = False
                object.__setattr__(self, name, nothing)

    @property
    def neurons(self) -> int:
        """Number of neurons of the layer."""
        return self.zeros.size

    @property
    def observations(self) -> int:
        """Number of valid (time step, sample) pairs: how many values each neuron has."""
        return int(self.step_observations.sum())

    @property
    def steps(self) -> int:
        """Number of time steps of the longest sequence."""
        return len(self.step_observations)

    @cached_property
    def mean(self) -> float:
        """Mean of all values, `Σ value / (neurons · observations)`; NaN if there are none."""
        return math.fsum(self.mean_per_neuron.flat) / self.neurons if self.neurons else math.nan

    @cached_property
    def std(self) -> float:
        """Standard deviation of all values (ddof 0); NaN if there are none.

        `sqrt(Σ (std_i² + (mean_i - mean)²) / neurons)` over the neurons i.
        """
        parts = np.concatenate(
            [self.std_per_neuron.ravel(), self.mean_per_neuron.ravel() - self.mean]
        )
        # Divided first, since squares may leave the range of float64.
        largest = float(np.abs(parts).max(initial=0.0))
        if not largest > 0:
            return largest if self.neurons else math.nan
        return largest * math.sqrt(math.fsum((parts / largest) ** 2) / self.neurons)

    @property
    def min(self) -> float:
        """Smallest value; NaN if there are none."""
        return float(self.min_per_neuron.min()) if self.neurons else math.nan

    @property
    def max(self) -> float:
        """Largest value; NaN if there are none."""
        return float(self.max_per_neuron.max()) if self.neurons else math.nan

    @property
    def median(self) -> float:
        """Median of all values, see `quantile`."""
        return self.quantile(0.5)

    @property
    def q1(self) -> float:
        """First quartile of all values, see `quantile`."""
        return self.quantile(0.25)

    @property
    def q3(self) -> float:
        """Third quartile of all values, see `quantile`."""
        return self.quantile(0.75)

    def quantile(self, q: float, method: str = "linear") -> float:
        """Quantile of all values, from the histogram.

        Each value is replaced by the middle of its bin, or by the smallest or largest value where
        that is nearer. So the quantile differs from that of the values by at most 2^-7 (0.8 %) of
        the larger of the two values that it lies between. Zeros, the smallest and the largest value
        are exact. Magnitudes below 2^-128 are wrong by up to 2^-128. A quantile among magnitudes of
        2^128 or more is infinite or NaN.

        Args:
            q: level in [0, 1].
            method: one of the thirteen names of `numpy.quantile`; "linear" is type 7.

        Returns:
            The quantile; NaN if there are no values.

        Raises:
            ValueError: a level outside [0, 1] or an unknown method.
        """
        middles = middles_of(self.bins) if self._known else np.empty(0)
        nearer = np.clip(middles, self.min, self.max)
        values = np.where(np.isfinite(middles), nearer, middles)
        found = quantile_or_nan(values, self.bin_counts, q, method)
        return {0.0: self.min, 1.0: self.max}.get(q, found)

    @property
    def edges(self) -> tuple[Floats, Floats]:
        """Lower and upper edge of each of `bins`, two float64 `[used]`.

        A bin of positive values has its lower edge and not its upper one; a bin of negative values
        is its mirror image. Zero's edges are both 0. The outermost bins end at infinity.
        """
        return edges_of(self.bins)

    @property
    def zeros_share_per_neuron(self) -> Floats:
        """Share of each neuron's values that are 0, `zeros / observations`, float64 `[*neurons]`.

        NaN if there are no values.
        """
        return ratio(self.zeros, self.observations * self._known)

    @property
    def zeros_share(self) -> float:
        """Share of values that are 0, `Σ zeros / (neurons · observations)`; NaN if there are none.

        In an ANN this is the activation sparsity.
        """
        return float(ratio(int(self.zeros.sum()), self._values))

    @property
    def density(self) -> float:
        """Activation density, the share of values that are not 0, `1 - zeros_share`.

        NaN if there are no values.
        """
        return float(ratio(self._values - int(self.zeros.sum()), self._values))

    @property
    def l0(self) -> float:
        """Mean number of values that are not 0 in an observation: the L0 "norm" of an activation.

        `Σ (observations - zeros) / observations`, from 0 to the number of neurons. NaN if there are
        no values.
        """
        values = self._values
        return float(ratio(values - int(self.zeros.sum()), self.observations if values else 0))

    @property
    def norm(self) -> float:
        """Root mean square over observations of the values' L2 norm; NaN if there are no values.

        `sqrt(Σ value² / observations)`: for gradients, how large the layer's gradient is.
        """
        return math.hypot(self.mean, self.std) * math.sqrt(self.neurons)

    @property
    def norm_by_step(self) -> Floats:
        """`norm` of each step over its samples, float64 `[steps]`; NaN where there are no values.

        Of gradients: how large they are, step by step away from the loss.
        """
        return np.hypot(self.mean_by_step, self.std_by_step) * math.sqrt(self.neurons)

    @property
    def above_share_per_neuron(self) -> Floats:
        """Share of each neuron's values at or above the threshold, `above / observations`.

        Float64 `[*neurons]`. NaN without a threshold, and if there are no values.
        """
        return ratio(self.above, self.observations * (self._known and self.threshold is not None))

    @property
    def above_share(self) -> float:
        """Share of values at or above the threshold, `Σ above / (neurons · observations)`.

        NaN without a threshold, and if there are no values.
        """
        return float(ratio(int(self.above.sum()), self._values * (self.threshold is not None)))

    @property
    def distance_mean(self) -> float:
        """Mean distance to the threshold, `threshold - mean`.

        Negative if values are above it on average. NaN without a threshold.
        """
        return math.nan if self.threshold is None else self.threshold - self.mean

    @property
    def distance_min(self) -> float:
        """Smallest distance to the threshold, `threshold - max`; 0 or less if a value reached it.

        NaN without a threshold.
        """
        return math.nan if self.threshold is None else self.threshold - self.max

    def beyond_share(self, low: float, high: float) -> float:
        """Share of values outside `[low, high]`, from the histogram; NaN if there are none.

        A bin counts by its middle. So values within 2^-7 (0.8 %) of `low` or `high` may be counted
        on the other side.
        """
        middles = middles_of(self.bins)
        outside = self.bin_counts[(middles < low) | (middles > high)]
        return float(ratio(int(outside.sum()), self._values))

    @property
    def _known(self) -> bool:
        """Whether there are values that can be trusted."""
        return self.unreliable is None and len(self.bins) > 0

    @property
    def _values(self) -> int:
        return self.neurons * self.observations if self._known else 0

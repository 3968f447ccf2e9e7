"""What is wrong with a network: verdicts on a report's layers, with value and threshold."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroact.printable import printable
from neuroact.quantiles import tally
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.signal_measures import far_share, gradient_ratios
from neuroact.stream.chunk import SignalKind

DEAD, SATURATED, FADING, BUSY, BIMODAL = 0.4, 0.07, 0.1, 3.0, 0.85
SATURATING, VANISHING, EXPLODING = 0.5, 1e-3, 1e3
"""Default thresholds. `diagnose` gives the source of each."""
THRESHOLDS: Mapping[str, float] = {
    "dead": DEAD,
    "saturated": SATURATED,
    "fading": FADING,
    "busy": BUSY,
    "bimodal": BIMODAL,
    "saturating": SATURATING,
    "vanishing": VANISHING,
    "exploding": EXPLODING,
}
"""The default threshold of each verdict that has one."""

# Thresholds that are no shares, with the smallest that says something.
_LEAST_NUMBERS = {"busy": 0.0, "exploding": 1.0}
# With fewer layers (or neurons), a ratio, a quartile or a split says little.
_LEAST_DEEP, _LEAST_COMPARED, _LEAST_SPLIT = 3, 5, 20
_LEAST_GROUP = 0.1
# A busy layer is above both: this event rate, and this multiple of the layers' median.
_LEAST_BUSY, _LEAST_TIMES = 0.07, 2.0

_ADVICE = {
    "silent": "Raise the layer's input (weights, bias, input scale) or lower its threshold until "
    "neurons fire. A silent layer passes nothing on, and far below threshold hardly a gradient "
    "comes back through it.",
    "dead": "Lower the learning rate or the threshold, start from larger weights, or add a loss on "
    "neurons that fire too little. If more data does not make them fire, prune them.",
    "saturated": "Raise the threshold or the leak, normalise the layer's input, or add a loss on "
    "neurons that fire too much. A neuron that always fires says nothing and costs the most.",
    "fading": "Scale the weights (or thresholds) of the deeper layers to the activity that reaches "
    "them, add normalisation or skip connections, or use a wider surrogate gradient.",
    "busy": "Look at this layer's threshold, leak and input scale first: it emits most of the "
    "spikes. A loss on its rate, weighted against the others', lowers it.",
    "bimodal": "Look at each of the two groups (layer.histogram, layer.dead_neurons). Perhaps a "
    "part of the layer hardly fires: then try smaller initial weights or a lower learning rate. "
    "Or the groups have two roles, which the layer's mean hides.",
    "saturating": "Most membranes are so far from the threshold that hardly a surrogate gradient "
    "comes through. Normalise the layer's input, scale its weights to the threshold, or use a "
    "wider surrogate gradient.",
    "vanishing": "Hardly a gradient reaches this layer. Use a wider or steeper surrogate gradient, "
    "start from larger weights, add normalisation or skip connections, or unroll fewer steps.",
    "exploding": "Clip gradients, start from smaller weights, lower the learning rate, or use a "
    "less steep surrogate gradient.",
}
_OF_RECTIFIED = (
    "These units output 0 for all inputs, so no gradient reaches their weights. Lower the learning "
    "rate, start from other weights or biases, normalise the input, or use a leaky ReLU. If more "
    "data does not wake them, prune them."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that is wrong with a layer.

    Attributes:
        layer: the layer's reported name.
        name: "silent", "dead", "saturated", "fading", "busy" or "bimodal"; of real values "dead",
            "saturating", "vanishing" or "exploding".
        figure: what was measured, in words.
        value: the measured number.
        threshold: the number it was compared with.
        advice: what people usually do about it.
    """

    layer: str
    name: str
    figure: str
    value: float
    threshold: float
    advice: str

    def __str__(self) -> str:
        return (
            f'layer "{printable(self.layer)}" is {self.name}: {self.figure} {self.value:.4g} '
            f"(threshold {self.threshold:g}). {self.advice}"
        )


def diagnose(
    report: Mapping[str, LayerActivity] | Iterable[LayerActivity],
    *,
    dead: float = DEAD,
    saturated: float = SATURATED,
    fading: float = FADING,
    busy: float = BUSY,
    bimodal: float = BIMODAL,
    saturating: float = SATURATING,
    vanishing: float = VANISHING,
    exploding: float = EXPLODING,
) -> tuple[Verdict, ...]:
    """What is wrong with a report's layers.

    Layers without figures get no verdict. The *event rate* is the share of values that are not
    zero. In a binary layer, these are spikes per neuron and step.

    ==========  ===========================================================================
    verdict     where, in a binary or graded layer
    ==========  ===========================================================================
    silent      no neuron of the layer has an event
    dead        the share of neurons without an event is above `dead`
    saturated   the share of neurons with an event at every step is above `saturated`
    fading      the layer's event rate, divided by that of the busiest layer before it, is
                below `fading`, and the same holds for every later layer; only the first of
                them gets the verdict
    busy        the layer's event rate is above three bounds: `busy` interquartile ranges
                above the upper quartile, twice the median, and 0.07. Quartiles and median
                are of the event rates of the layers that fire, at least five.
                A dead layer is not busy.
    bimodal     the best split of the neurons into two groups explains more than the share
                `bimodal` of the variance of their event rates. Each group must have at least
                a tenth of the neurons, and the layer at least 20 neurons.
    ==========  ===========================================================================

    ==========  ===========================================================================
    verdict     where, in an analog layer
    ==========  ===========================================================================
    dead        the layer is `rectified`, such as a ReLU, and the share of units whose output
                is always 0 is above `dead`
    saturating  a membrane (recorded with `Signal(threshold=...)`): the share of values further
                from the threshold than the threshold from 0 is above `saturating`
    vanishing   a gradient (`of="grad"`, with `Signal`): its norm, divided by that of the last
                layer recorded, is below `vanishing`
    exploding   a gradient: the same ratio is above `exploding`
    ==========  ===========================================================================

    Args:
        report: a report, or its layers in the model's order.
        dead: share of neurons, in [0, 1]. Why 0.4: CS231n's notes on dying ReLUs take 40 % dead
            neurons as the sign of too high a learning rate.
        saturated: share of neurons, in [0, 1]. Why 0.07: spiking networks save energy above a
            sparsity of about 93 % (Yan et al.). If more than 7 % of a layer's neurons always fire,
            its sparsity is lower than that.
        fading: ratio of event rates, in [0, 1]. It needs three spiking layers. Why 0.1: it is an
            order of magnitude. Micheli et al. describe how spikes vanish with depth, but give no
            number.
        busy: number of interquartile ranges, 0 or more. Why 3: Tukey calls values beyond it "far
            out". Silent layers are left out, or every layer that fires would be far out. The
            bound of twice the median is for layers that are nearly alike: their interquartile
            range is almost 0. The bound of 0.07 is there because a layer sparser than 93 % saves
            energy (Yan et al.), however quiet the others are. A dead layer is left out, because
            its dead neurons are what is wrong.
        bimodal: share of variance, in [0, 1]. Why 0.85: the best split (Otsu) explains 0.64 of the
            variance of a normal distribution, 0.75 of a uniform one, and 1 of two points. Of
            samples of 50 from a uniform distribution, 99 of 100 stay below 0.85.
        saturating: share of values, in [0, 1]. Why: surrogate gradients are close to 0 far from the
            threshold; Guo et al. name saturation among the problems of a shifted distribution of
            membranes. 0.5 means most of them; it is not a published number. If the firing threshold
            is 0, it says nothing of what is far, and no layer is saturating.
        vanishing: ratio of norms, in [0, 1]. Why 0.001: it is three orders of magnitude, and not a
            published number. Bengio et al. describe how gradients change over time steps, Glorot
            and Bengio how they do from layer to layer.
        exploding: ratio of norms, 1 or more. Why 1000: the same in the other direction.

    Returns:
        The verdicts, layer by layer; empty if nothing is wrong.

    Raises:
        ValueError: a threshold outside its range, or NaN.

    Source of the defaults: Karpathy, CS231n course notes, "Neural Networks Part 1"; Yan, Bai and
    Wong, arXiv:2409.08290v1, 2024; Micheli et al., arXiv:2410.00580, 2024; Tukey, Exploratory Data
    Analysis, 1977; Otsu, A threshold selection method from gray-level histograms, IEEE Transactions
    on Systems, Man, and Cybernetics 9, 1979, doi:10.1109/TSMC.1979.4310076; Guo et al., RecDis-SNN:
    Rectifying membrane potential distribution for directly training spiking neural networks, CVPR
    2022, doi:10.1109/CVPR52688.2022.00042; Bengio, Simard and Frasconi, Learning long-term
    dependencies with gradient descent is difficult, IEEE Transactions on Neural Networks 5, 1994,
    doi:10.1109/72.279181; Glorot and Bengio, Understanding the difficulty of training deep
    feedforward neural networks, AISTATS 2010.

    >>> import torch
    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.observe("lif", torch.tensor([[[0, 0, 0, 1]], [[0, 0, 0, 1]]]))
    >>> for verdict in recording.report().diagnose():
    ...     print(verdict.layer, verdict.name, verdict.value, verdict.threshold)
    lif dead 0.75 0.4
    lif saturated 0.25 0.07
    """
    thresholds = {
        "dead": dead,
        "saturated": saturated,
        "fading": fading,
        "busy": busy,
        "bimodal": bimodal,
        "saturating": saturating,
        "vanishing": vanishing,
        "exploding": exploding,
    }
    for name, value in thresholds.items():
        check_threshold(name, value)
    return judge(report, thresholds)


def check_threshold(name: str, value: Any) -> None:
    """Check the threshold of a verdict.

    Raises:
        ValueError: it is out of range. The message says what was expected, and may suggest a value.

    >>> from neuroact.results.diagnosis import check_threshold
    >>> check_threshold("dead", 30)
    Traceback (most recent call last):
    ValueError: dead=30: expected a share in [0, 1]; did you mean dead=0.3?
    """
    expected, least, most = "a share in [0, 1]", 0.0, 1.0
    if name in _LEAST_NUMBERS:
        least, most = _LEAST_NUMBERS[name], sys.float_info.max
        expected = f"a number of {least:g} or more"
    number = isinstance(value, Real) and not isinstance(value, bool)
    if number and least <= value <= most:
        return
    shown = f"{float(value):g}" if number else repr(value)
    share = number and most == 1
    meant = f"; did you mean {name}={value / 100:g}?" if share and 1 < value <= 100 else ""
    raise ValueError(f"{name}={shown}: expected {expected}{meant}")


def judge(
    report: Mapping[str, LayerActivity] | Iterable[LayerActivity], thresholds: Mapping[str, float]
) -> tuple[Verdict, ...]:
    """`diagnose` with checked thresholds, one for each of `THRESHOLDS`."""
    layers = list(report.values() if isinstance(report, Mapping) else report)
    judged = [layer for layer in layers if _is_judged(layer)]
    rates = np.array([event_rate(layer) for layer in judged])
    fades, far_out = _fades_from(rates, thresholds["fading"]), _fence(rates, thresholds["busy"])
    verdicts: list[Verdict] = []
    for number, layer in enumerate(judged):
        verdicts += _shares(layer, thresholds["dead"], thresholds["saturated"])
        if number == fades:
            ratio = rates[number] / rates[:number].max()
            verdicts.append(
                _verdict(
                    layer,
                    "fading",
                    "share of the busiest earlier rate",
                    ratio,
                    thresholds["fading"],
                )
            )
        if rates[number] > far_out and not layer.dead_share > thresholds["dead"]:
            verdicts.append(_verdict(layer, "busy", "event rate", rates[number], far_out))
        if (split := _split(layer)) > thresholds["bimodal"]:
            verdicts.append(
                _verdict(
                    layer, "bimodal", "variance between two groups", split, thresholds["bimodal"]
                )
            )
    verdicts += _of_real_values(layers, thresholds)
    order = {layer.name: place for place, layer in enumerate(layers)}
    return tuple(sorted(verdicts, key=lambda verdict: order[verdict.layer]))


def event_rate(layer: LayerActivity) -> float:
    """Share of the layer's values that are not zero, `1 - sparsity`."""
    return int(layer.events.sum()) / (layer.neurons * layer.observations)


def separation(values: ArrayLike, least_group: float = _LEAST_GROUP) -> float:
    """Share of the variance between two groups of values, at the best split (Otsu's criterion).

    A split lies between two different values, and leaves at least the share `least_group` of the
    values on each side. 0 if there is no such split.

    >>> from neuroact.results.diagnosis import separation
    >>> separation([1, 1, 9, 9])
    1.0
    """
    distinct, counts = tally(values)
    n, weighted = int(counts.sum()), distinct * counts.astype(np.float64)
    below, sums = np.cumsum(counts)[:-1], np.cumsum(weighted)
    allowed = (below >= least_group * n) & (n - below >= least_group * n)
    if not allowed.any():
        return 0.0
    below, lower = below[allowed], sums[:-1][allowed]
    gaps = (sums[-1] - lower) / (n - below) - lower / below
    between = below / n * (n - below) / n * gaps**2
    variance = (counts * (distinct - sums[-1] / n) ** 2).sum() / n
    return float(min(1.0, between.max() / variance))


def _is_judged(layer: LayerActivity) -> bool:
    return layer.problem is None and layer.kind is not SignalKind.ANALOG


def _of_real_values(
    layers: Iterable[LayerActivity], thresholds: Mapping[str, float]
) -> Iterator[Verdict]:
    analog = [
        layer for layer in layers if layer.problem is None and layer.kind is SignalKind.ANALOG
    ]
    ratios = gradient_ratios(analog)
    for layer in analog:
        if layer.rectified and layer.dead_share > (dead := thresholds["dead"]):
            share = float(layer.dead_share)
            yield Verdict(layer.name, "dead", "dead", share, dead, _OF_RECTIFIED)
        if (far := far_share(layer)) > (most := thresholds["saturating"]):
            yield _verdict(layer, "saturating", "share of values far from the threshold", far, most)
        ratio = ratios.get(layer.name, 1.0)
        for name, wrong in (
            ("vanishing", ratio < thresholds["vanishing"]),
            ("exploding", ratio > thresholds["exploding"]),
        ):
            if wrong:
                figure = "norm of the gradient, of the last layer's"
                yield _verdict(layer, name, figure, ratio, thresholds[name])


def _shares(layer: LayerActivity, dead: float, saturated: float) -> Iterator[Verdict]:
    if layer.dead_share == 1:
        yield _verdict(layer, "silent", "dead", layer.dead_share, 1.0)
    elif layer.dead_share > dead:
        yield _verdict(layer, "dead", "dead", layer.dead_share, dead)
    if layer.saturated_share > saturated:
        yield _verdict(layer, "saturated", "saturated", layer.saturated_share, saturated)


def _fades_from(rates: NDArray[np.float64], fading: float) -> int | None:
    """Index of the first layer that is too quiet along with all later ones, or None."""
    if len(rates) < _LEAST_DEEP:
        return None
    busiest = np.maximum.accumulate(rates)
    quiet = rates[1:] < fading * busiest[:-1]
    loud = np.flatnonzero(~quiet)
    first = int(loud[-1]) + 2 if len(loud) else 1
    return first if first < len(rates) else None


def _fence(rates: NDArray[np.float64], busy: float) -> float:
    """The event rate above which a layer is busy; infinite if too few layers fire."""
    firing = rates[rates > 0]
    if len(firing) < _LEAST_COMPARED:
        return np.inf
    q1, median, q3 = np.quantile(firing, [0.25, 0.5, 0.75])
    return float(max(q3 + busy * (q3 - q1), _LEAST_TIMES * median, _LEAST_BUSY))


def _split(layer: LayerActivity) -> float:
    if layer.neurons < _LEAST_SPLIT:
        return 0.0
    return separation(layer.events)


def _verdict(
    layer: LayerActivity, name: str, figure: str, value: float, threshold: float
) -> Verdict:
    return Verdict(layer.name, name, figure, float(value), float(threshold), _ADVICE[name])

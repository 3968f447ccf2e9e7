"""What is wrong with a network: verdicts on a report's layers, with value and threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroact.card import Answers, Carded
from neuroact.quantiles import tally
from neuroact.results import verdict_words as words
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.signal_measures import far_share, gradient_ratios
from neuroact.results.verdict_kinds import (
    KINDS,
    OF_RECTIFIED,
    PAGE,
    THRESHOLDS,
    Severity,
    check_threshold,
)
from neuroact.stream.chunk import SignalKind

# With fewer layers (or neurons), a ratio, a quartile or a split says little.
_LEAST_DEEP, _LEAST_COMPARED, _LEAST_SPLIT = 3, 5, 20
_LEAST_GROUP = 0.1
# A busy layer is above both: this event rate, and this multiple of the layers' median.
_LEAST_BUSY, _LEAST_TIMES = 0.07, 2.0
# With fewer dimensions, the first is not known to be one of channels.
_LEAST_DIMENSIONS = 3


@dataclass(frozen=True, slots=True, repr=False)
class Verdict(Carded):
    """One thing that is wrong with a layer, or with layers that follow each other.

    `str(verdict)` says it in a sentence, with the threshold and what people do about it.

    Attributes:
        layer: the layer's reported name; of several layers, where it starts.
        name: the kind of verdict, a name that stays the same: "silent", "dead", "saturated",
            "fading", "busy", "bimodal" or "dead_channels"; of real values "dead", "saturating",
            "vanishing" or "exploding".
        sentence: what was found, in words.
        figure: what was measured, in two or three words.
        value: the measured number.
        threshold: the number it was compared with.
        advice: what people usually do about it.
        layers: names of all layers that it is about, in the model's order.

    >>> import torch
    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.observe("lif", torch.tensor([[[0, 0, 0, 1]], [[0, 0, 0, 0]]]))
    >>> verdict = recording.report().diagnose()[0]
    >>> print(verdict.severity, verdict.name, verdict.sentence, sep=", ")
    warning, dead, 75 % of lif never fired: 3 of its 4 neurons
    """

    layer: str
    name: str
    sentence: str
    figure: str
    value: float
    threshold: float
    advice: str
    layers: tuple[str, ...]

    @property
    def severity(self) -> Severity:
        """How bad it is: "severe", "warning", or "note" for what a healthy network may have."""
        return KINDS[self.name].severity

    @property
    def meaning(self) -> str:
        """When a layer has such a verdict: its rule, in words."""
        return KINDS[self.name].where

    @property
    def page(self) -> str:
        """Where it is documented: a file of the project and a place in it."""
        return f"{PAGE}#{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain JSON values, with its severity and page."""
        return {**asdict(self), "severity": self.severity, "page": self.page}

    def __str__(self) -> str:
        if self.name not in THRESHOLDS:
            return f"{self.sentence}. {self.advice}"
        bound = words.bound_text(self.threshold)
        return f"{self.sentence} ({self.name}, threshold {bound}). {self.advice}"


class Diagnosis(Answers[Verdict]):
    """The verdicts on a report: a tuple, the most severe first.

    Printed, it is a line for each verdict. Without one, it says that no threshold was passed, and
    which layer came closest to being dead.

    >>> import torch
    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.observe("lif", torch.tensor([[[0, 1, 0, 1]], [[0, 0, 1, 0]]]))
    >>> recording.report().diagnose()
    no threshold passed; most dead: lif, 25 %
    """

    def _lines(self) -> list[str]:
        return [f"{verdict.severity}: {verdict}" for verdict in self] or [self.nothing]


def diagnose(
    report: Mapping[str, LayerActivity] | Iterable[LayerActivity],
    *,
    dead: float = THRESHOLDS["dead"],
    saturated: float = THRESHOLDS["saturated"],
    fading: float = THRESHOLDS["fading"],
    busy: float = THRESHOLDS["busy"],
    bimodal: float = THRESHOLDS["bimodal"],
    dead_channels: float = THRESHOLDS["dead_channels"],
    saturating: float = THRESHOLDS["saturating"],
    vanishing: float = THRESHOLDS["vanishing"],
    exploding: float = THRESHOLDS["exploding"],
) -> Diagnosis:
    """What is wrong with a report's layers.

    Layers without figures get no verdict. The *event rate* is the share of values that are not
    zero. In a binary layer, these are spikes per neuron and step.

    Args:
        report: a report, or its layers in the model's order.
        dead: a layer is dead above this share of neurons, or units of a ReLU, without an event.
        saturated: it is saturated above this share of neurons with an event at every step.
        fading: activity fades at a layer from which on all have less than this share of the event
            rate of the busiest layer before.
        busy: a layer is busy this many interquartile ranges above the others; 0 or more.
        bimodal: it is bimodal if two groups explain more than this share of the variance.
        dead_channels: it has dead channels if they are more than this share of its channels.
        saturating: a membrane is saturating above this share of values far from the threshold.
        vanishing: a gradient vanishes below this share of the last layer's norm.
        exploding: it explodes above this multiple of the last layer's norm; 1 or more.

    Returns:
        The verdicts: the most severe first, those of one kind in the model's order. Empty if
        nothing is wrong.

    Raises:
        ThresholdError: a ValueError; a threshold is outside its range, or NaN.

    docs/reference/verdicts.md gives the rule of each verdict, why the defaults are what they are,
    how often they are right, and what to do. Shares are in [0, 1].

    >>> import torch
    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.observe("lif", torch.tensor([[[0, 0, 0, 1]], [[0, 0, 0, 1]]]))
    >>> for verdict in recording.report().diagnose():
    ...     print(verdict.layer, verdict.name, verdict.value, verdict.threshold)
    lif dead 0.75 0.7
    lif saturated 0.25 0.07
    """
    thresholds = {
        "dead": dead,
        "saturated": saturated,
        "fading": fading,
        "busy": busy,
        "bimodal": bimodal,
        "dead_channels": dead_channels,
        "saturating": saturating,
        "vanishing": vanishing,
        "exploding": exploding,
    }
    for name, value in thresholds.items():
        check_threshold(name, value)
    return judge(report, thresholds)


def judge(
    report: Mapping[str, LayerActivity] | Iterable[LayerActivity], thresholds: Mapping[str, float]
) -> Diagnosis:
    """`diagnose` with checked thresholds, one for each of `THRESHOLDS`."""
    layers = list(report.values() if isinstance(report, Mapping) else report)
    spiking = [layer for layer in layers if _is_judged(layer)]
    found = [
        *_silences(spiking),
        *_shares(spiking, thresholds),
        *_channels(spiking, thresholds["dead_channels"]),
        *_rates(spiking, thresholds),
        *_bimodal(spiking, thresholds),
        *_of_real_values(layers, thresholds),
    ]
    kinds = {name: place for place, name in enumerate(KINDS)}
    order = {layer.name: place for place, layer in enumerate(layers)}
    found.sort(key=lambda verdict: (kinds[verdict.name], order[verdict.layer]))
    return Diagnosis(found, words.nothing_passed(layers))


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


def _silences(layers: Sequence[LayerActivity]) -> Iterator[Verdict]:
    for silent, group in groupby(layers, key=lambda layer: layer.dead_share == 1):
        if silent:
            run = list(group)
            names = tuple(layer.name for layer in run)
            yield _verdict(run[0], "silent", words.silence(run), "dead", 1.0, 1.0, names)


def _shares(layers: Iterable[LayerActivity], thresholds: Mapping[str, float]) -> Iterator[Verdict]:
    for layer in layers:
        share = layer.dead_share
        if thresholds["dead"] < share < 1:
            yield _verdict(layer, "dead", words.dead(layer), "dead", share, thresholds["dead"])
        if (share := layer.saturated_share) > (most := thresholds["saturated"]):
            said = words.saturated(layer)
            yield _verdict(layer, "saturated", said, "saturated", share, most)


def _channels(layers: Iterable[LayerActivity], most: float) -> Iterator[Verdict]:
    for layer in layers:
        if len(layer.shape) < _LEAST_DIMENSIONS or layer.dead_share == 1:
            continue
        dead = np.flatnonzero(~layer.events.any(axis=tuple(range(1, len(layer.shape)))))
        if (share := len(dead) / layer.shape[0]) > most:
            said = words.dead_channels(layer, dead)
            yield _verdict(layer, "dead_channels", said, "dead channels", share, most)


def _rates(layers: Sequence[LayerActivity], thresholds: Mapping[str, float]) -> Iterator[Verdict]:
    """Whether activity fades, and which layers are busy beside the others."""
    rates = np.array([event_rate(layer) for layer in layers])
    fades = _fades_from(rates, thresholds["fading"])
    if fades < len(layers) and rates[fades] > 0:
        busiest = int(np.argmax(rates[:fades]))
        ratio = rates[fades] / rates[busiest]
        said = words.fading(layers[fades], layers[busiest], ratio)
        figure = "share of the busiest earlier rate"
        yield _verdict(layers[fades], "fading", said, figure, ratio, thresholds["fading"])
    # A sick layer is no measure of the others.
    well = [n for n in range(fades) if layers[n].dead_share <= thresholds["dead"] and rates[n] > 0]
    if len(well) < _LEAST_COMPARED:
        return
    q1, median, q3 = np.quantile(rates[well], [0.25, 0.5, 0.75])
    bound = max(q3 + thresholds["busy"] * (q3 - q1), _LEAST_TIMES * median, _LEAST_BUSY)
    for number in well:
        if (rate := rates[number]) > bound:
            said = words.busy(layers[number], rate, median)
            yield _verdict(layers[number], "busy", said, "event rate", rate, bound)


def _fades_from(rates: NDArray[np.float64], fading: float) -> int:
    """Index of the first layer that is too quiet along with all later ones; else their number."""
    if len(rates) < _LEAST_DEEP:
        return len(rates)
    busiest = np.maximum.accumulate(rates)
    quiet = rates[1:] < fading * busiest[:-1]
    loud = np.flatnonzero(~quiet)
    return int(loud[-1]) + 2 if len(loud) else 1


def _bimodal(layers: Iterable[LayerActivity], thresholds: Mapping[str, float]) -> Iterator[Verdict]:
    most = thresholds["bimodal"]
    for layer in layers:
        if layer.neurons < _LEAST_SPLIT or layer.dead_share > thresholds["dead"]:
            continue
        if (split := separation(layer.events)) > most:
            said = words.bimodal(layer, split)
            yield _verdict(layer, "bimodal", said, "variance between two groups", split, most)


def _of_real_values(
    layers: Iterable[LayerActivity], thresholds: Mapping[str, float]
) -> Iterator[Verdict]:
    analog = [
        layer for layer in layers if layer.problem is None and layer.kind is SignalKind.ANALOG
    ]
    for layer in analog:
        if layer.rectified and (share := layer.dead_share) > (dead := thresholds["dead"]):
            said = words.dead(layer)
            yield _verdict(layer, "dead", said, "dead", share, dead, advice=OF_RECTIFIED)
        if (far := far_share(layer)) > (most := thresholds["saturating"]):
            said, figure = words.saturating(layer, far), "share of values far from the threshold"
            yield _verdict(layer, "saturating", said, figure, far, most)
    yield from _gradients(analog, thresholds)


def _gradients(
    layers: Sequence[LayerActivity], thresholds: Mapping[str, float]
) -> Iterator[Verdict]:
    ratios = gradient_ratios(layers)

    def wrong(layer: LayerActivity) -> str | None:
        if ratios[layer.name] > thresholds["exploding"]:
            return "exploding"
        return "vanishing" if ratios[layer.name] < thresholds["vanishing"] else None

    for name, group in groupby((x for x in layers if x.name in ratios), key=wrong):
        if name is not None:
            run = list(group)
            last = run[-1]  # the first that a gradient reaches on its way back
            ratio, names = ratios[last.name], tuple(layer.name for layer in run)
            said, figure = words.gradient(run, ratio), "norm of the gradient, of the last layer's"
            yield _verdict(last, name, said, figure, ratio, thresholds[name], names)


def _verdict(
    layer: LayerActivity,
    name: str,
    sentence: str,
    figure: str,
    value: float,
    threshold: float,
    layers: tuple[str, ...] = (),
    advice: str | None = None,
) -> Verdict:
    advice = KINDS[name].advice if advice is None else advice
    names = layers or (layer.name,)
    return Verdict(
        layer.name, name, sentence, figure, float(value), float(threshold), advice, names
    )

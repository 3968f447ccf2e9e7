"""The kinds of verdict: when a layer gets which, how severe it is, why, and what people do."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from neuroact.errors import ThresholdError

Severity = Literal["severe", "warning", "note"]
SEVERITIES: Mapping[Severity, str] = {
    "severe": "the network cannot do its work: mend this first",
    "warning": "a part of the network does not do its work",
    "note": "worth a look; a healthy network may have it",
}
"""What each severity means, the most severe first."""
PAGE = "docs/reference/verdicts.md"
"""The page that says of each kind of verdict what it means and what to do."""


@dataclass(frozen=True, slots=True)
class VerdictKind:
    """What a kind of verdict is.

    Attributes:
        severity: one of `SEVERITIES`.
        where: the rule by which a layer gets it.
        advice: what people usually do about it.
        why: where the rule and its threshold come from.
        threshold: the default threshold; None if there is nothing to choose.
        least: the smallest threshold that says something.
        most: the largest one; 1 if the threshold is a share.
    """

    severity: Severity
    where: str
    advice: str
    why: str
    threshold: float | None = None
    least: float = 0.0
    most: float = 1.0


KINDS: Mapping[str, VerdictKind] = {
    "silent": VerdictKind(
        "severe",
        "No neuron of the layer has an event. Silent layers that follow each other have one "
        "verdict, which names the first.",
        "Raise the layer's input (weights, bias, input scale) or lower its threshold until "
        "neurons fire. A silent layer passes nothing on, and far below threshold hardly a gradient "
        "comes back through it.",
        "By definition.",
    ),
    "exploding": VerdictKind(
        "severe",
        'A gradient (`of="grad"`, with `Signal`): its norm, divided by that of the last layer '
        "recorded, is above the threshold. Layers that follow each other have one verdict, which "
        "names the one nearest to the loss.",
        "Clip gradients, start from smaller weights, lower the learning rate, or use a "
        "less steep surrogate gradient.",
        "Bengio, Simard and Frasconi (1994) describe how gradients change over time steps, Glorot "
        "and Bengio (2010) how they do from layer to layer. 1000 is three orders of magnitude; it "
        "is not a published number.",
        1e3,
        least=1.0,
        most=sys.float_info.max,
    ),
    "vanishing": VerdictKind(
        "severe",
        'A gradient (`of="grad"`, with `Signal`): its norm, divided by that of the last layer '
        "recorded, is below the threshold. Layers that follow each other have one verdict, which "
        "names the one nearest to the loss.",
        "Use a wider or steeper surrogate gradient, "
        "start from larger weights, add normalisation or skip connections, or unroll fewer steps.",
        "As of exploding gradients, in the other direction.",
        1e-3,
    ),
    "dead": VerdictKind(
        "warning",
        "The share of neurons without an event is above the threshold. Of real values, only a "
        "layer that is `rectified`, such as a ReLU, can be dead: a unit is if its output is "
        "always 0.",
        "Lower the learning rate or the threshold, start from larger weights, or add a loss on "
        "neurons that fire too little. If more data does not make them fire, prune them.",
        "Networks that learn well at 4 % activity have layers of which up to 60 % are dead, sick "
        "ones mostly more than 70 %: see below. CS231n's notes on dying ReLUs (Karpathy) take 40 % "
        "as the sign of too high a learning rate; for sparse spikes that is too low.",
        0.7,
    ),
    "fading": VerdictKind(
        "warning",
        "The layer's event rate, divided by that of the busiest layer before it, is below the "
        "threshold, and the same holds for every later layer. Only the first of them gets the "
        "verdict, unless it is silent. It needs three spiking layers.",
        "Scale the weights (or thresholds) of the deeper layers to the activity that reaches "
        "them, add normalisation or skip connections, or use a wider surrogate gradient.",
        "Micheli et al. (2024) describe how spikes vanish with depth, but give no number. 0.1 is "
        "an order of magnitude.",
        0.1,
    ),
    "saturated": VerdictKind(
        "warning",
        "The share of neurons with an event at every step is above the threshold.",
        "Raise the threshold or the leak, normalise the layer's input, or add a loss on "
        "neurons that fire too much. A neuron that always fires says nothing and costs the most.",
        "Spiking networks save energy above a sparsity of about 93 % (Yan et al., 2024). If more "
        "than 7 % of a layer's neurons always fire, its sparsity is lower than that.",
        0.07,
    ),
    "saturating": VerdictKind(
        "warning",
        "A membrane (recorded with `Signal(threshold=...)`): the share of values further from the "
        "firing threshold than ten times its size is above the threshold.",
        "Normalise the layer's input, scale its weights to the threshold, or use a wider "
        "surrogate gradient: far from the threshold hardly one comes through.",
        "Surrogate gradients are close to 0 far from the threshold; Guo et al. (2022) name "
        "saturation among the problems of a shifted distribution of membranes. Ten times and 0.5, "
        "most of them, are no published numbers; the study below found them. A firing threshold "
        "of 0 says nothing of what is far.",
        0.5,
    ),
    "dead_channels": VerdictKind(
        "note",
        "Of a layer of three dimensions or more (`[channel, height, width]`), the share of "
        "channels in which no neuron has an event is above the threshold.",
        "Prune these channels, or wake them: start from larger weights or biases, or lower the "
        "learning rate.",
        "A filter that never fires can be removed without changing an output. The default asks "
        "for a single one.",
        0.0,
    ),
    "busy": VerdictKind(
        "note",
        "The layer's event rate is above three bounds: this many interquartile ranges above the "
        "upper quartile, twice the median, and 0.07. Quartiles and median are of the layers that "
        "fire, are not dead and do not fade, at least five; only these can be busy.",
        "Look at this layer's threshold, leak and input scale first: it emits most of the "
        "spikes. A loss on its rate, weighted against the others', lowers it.",
        'Tukey (1977) calls values beyond three ranges "far out". Twice the median is for layers '
        "that are nearly alike: their range is almost 0. A layer sparser than 93 % saves energy "
        "(Yan et al., 2024), however quiet the others are.",
        3.0,
        most=sys.float_info.max,
    ),
    "bimodal": VerdictKind(
        "note",
        "The best split of the neurons into two groups explains more than this share of the "
        "variance of their event rates. Each group must have at least a tenth of the neurons, the "
        "layer at least 20, and the layer is not dead: then the dead ones are one of the groups.",
        "Look at each of the two groups (layer.histogram, layer.dead_neurons). Perhaps a "
        "part of the layer hardly fires: then try smaller initial weights or a lower learning "
        "rate. Or the groups have two roles, which the layer's mean hides.",
        "The best split (Otsu, 1979) explains 0.64 of the variance of a normal distribution, 0.75 "
        "of a uniform one, and 1 of two points. Of samples of 50 from a uniform distribution, 99 "
        "of 100 stay below 0.85.",
        0.85,
    ),
}
"""Every kind of verdict by its name, in the order in which verdicts are told."""

OF_RECTIFIED = (
    "These units output 0 for all inputs, so no gradient reaches their weights. Lower the learning "
    "rate, start from other weights or biases, normalise the input, or use a leaky ReLU. If more "
    "data does not wake them, prune them."
)
"""The advice on a dead ReLU."""

THRESHOLDS: Mapping[str, float] = {
    name: kind.threshold for name, kind in KINDS.items() if kind.threshold is not None
}
"""The default threshold of each kind of verdict that has one."""


def check_threshold(name: str, value: Any) -> None:
    """Check the threshold of a verdict.

    Raises:
        ThresholdError: a ValueError; it is out of range. The message says what was expected, and
            may suggest a value.

    >>> from neuroact.results.verdict_kinds import check_threshold
    >>> check_threshold("dead", 30)
    Traceback (most recent call last):
    neuroact.errors.ThresholdError: dead=30: expected a share in [0, 1]; did you mean dead=0.3?
    """
    kind = KINDS[name]
    is_share = kind.most == 1
    number = isinstance(value, Real) and not isinstance(value, bool)
    if number and kind.least <= value <= kind.most:
        return
    expected = "a share in [0, 1]" if is_share else f"a number of {kind.least:g} or more"
    shown = f"{float(value):g}" if number else repr(value)
    meant = (
        f"; did you mean {name}={value / 100:g}?"
        if number and is_share and 1 < value <= 100
        else ""
    )
    raise ThresholdError(f"{name}={shown}: expected {expected}{meant}", verdict=name)

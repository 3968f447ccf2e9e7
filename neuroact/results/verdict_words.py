"""What a verdict says, in the words of a person."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuroact.printable import printable
from neuroact.results.layer_activity import LayerActivity

_MOST_CHANNELS = 8
_MOST_LAYERS = 3
_PLAIN = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)


def percent(share: float) -> str:
    """A share in percent, in few characters: `0 %` and `100 %` only if exact.

    >>> from neuroact.results.verdict_words import percent
    >>> [percent(share) for share in (0.4297, 0.0372, 0.9996, 1.0, 0.0, 2e-05)]
    ['43 %', '3.7 %', '> 99 %', '100 %', '0 %', '< 0.1 %']
    """
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    if share >= 0.0995 or share == 0 or math.isnan(share):
        return f"{100 * share:.0f} %"
    return f"{100 * share:.2g} %"


def bound_text(threshold: float) -> str:
    """A threshold as text: a share in percent, other numbers as they are.

    >>> from neuroact.results.verdict_words import bound_text
    >>> [bound_text(bound) for bound in (0.0, 0.7, 0.0001, 3.0)]
    ['0 %', '70 %', '0.0001', '3']
    """
    is_share = 0.001 <= threshold <= 1 or threshold == 0
    return percent(threshold) if is_share else f"{threshold:g}"


def called(name: str) -> str:
    """A layer's name within a sentence: as it is if it reads like one, such as `fc1.lif`.

    >>> from neuroact.results.verdict_words import called
    >>> print(called("fc1.lif"), "and", called("3"))
    fc1.lif and layer "3"
    """
    return name if _PLAIN.fullmatch(name) else f'layer "{printable(name)}"'


def subject(layer: LayerActivity) -> str:
    """What of a layer a sentence is about."""
    return f"the input of {called(layer.name)}" if layer.of == "input" else called(layer.name)


def silence(run: Sequence[LayerActivity]) -> str:
    """Silent layers that follow each other."""
    first, *rest = run
    if rest:
        after = f"the {len(rest)} layers after it are" if len(rest) > 1 else "the layer after it is"
        return f"silence starts at {subject(first)}; {after} silent too"
    some = f"none of its {_neurons(first)}" if first.neurons > 1 else "its neuron never"
    return f"{subject(first)} is silent: {some} fired"


def dead(layer: LayerActivity) -> str:
    """Neurons, or units of a ReLU, that never fired."""
    never = "was always 0" if layer.rectified else "never fired"
    units = f"{layer.neurons:,} units" if layer.rectified else _neurons(layer)
    return f"{percent(layer.dead_share)} of {subject(layer)} {never}: {layer.dead:,} of its {units}"


def saturated(layer: LayerActivity) -> str:
    """Neurons that fired at every step."""
    return (
        f"{percent(layer.saturated_share)} of {subject(layer)} fired at every step: "
        f"{layer.saturated:,} of its {_neurons(layer)}"
    )


def dead_channels(layer: LayerActivity, dead: NDArray[np.int64]) -> str:
    """Channels in which no neuron fired, by their numbers."""
    numbers = ", ".join(map(str, dead[:_MOST_CHANNELS]))
    more = len(dead) - _MOST_CHANNELS
    numbers += f" and {more:,} more" if more > 0 else ""
    return (
        f"{len(dead):,} of the {layer.shape[0]:,} channels of {subject(layer)} never fired: "
        f"{numbers}"
    )


def fading(layer: LayerActivity, busiest: LayerActivity, ratio: float) -> str:
    """Activity that is lost on its way through the layers."""
    return (
        f"activity fades at {subject(layer)}: it has {percent(ratio)} of the event rate of "
        f"{called(busiest.name)}, and no later layer has more"
    )


def busy(layer: LayerActivity, rate: float, median: float) -> str:
    """A layer that fires far more than the others."""
    return (
        f"{subject(layer)} is far busier than the others: its neurons fire at {percent(rate)} of "
        f"all steps, those of a median layer at {percent(median)}"
    )


def bimodal(layer: LayerActivity, explained: float) -> str:
    """Neurons of two kinds."""
    return (
        f"{subject(layer)} has two groups of neurons, quiet and busy ones: this explains "
        f"{percent(explained)} of how their rates differ"
    )


def saturating(layer: LayerActivity, far: float) -> str:
    """A membrane far from its threshold."""
    return f"{percent(far)} of the membrane values of {called(layer.name)} are far from threshold"


def gradient(run: Sequence[LayerActivity], ratio: float) -> str:
    """Gradients far smaller or larger than the last layer's, in layers that follow each other."""
    *before, last = run
    name = called(last.name)
    also = f" and the {len(before)} layers before it" if len(before) > 1 else ""
    also = f" and {called(before[0].name)}" if len(before) == 1 else also
    what = "hardly any gradient reaches" if ratio < 1 else "the gradient explodes at"
    return f"{what} {name}{also}: at {name} its norm is {ratio:.3g} times that of the last layer"


def nothing_passed(layers: Sequence[LayerActivity]) -> str:
    """What there is to say if there is no verdict.

    It names the layer of which the largest share is dead, and the layers that have no figures.
    """
    judged = [layer for layer in layers if layer.problem is None and layer.has_meaning("dead")]
    text = "no threshold passed"
    if judged:
        most = max(judged, key=lambda layer: layer.dead_share)
        text += (
            f"; most dead: {subject(most)}, {percent(most.dead_share)}"
            if most.dead
            else "; no neuron is dead"
        )
    if missing := [called(layer.name) for layer in layers if layer.problem is not None]:
        more = len(missing) - _MOST_LAYERS
        text += f"; without figures: {', '.join(missing[:_MOST_LAYERS])}"
        text += f" and {more:,} more" if more > 0 else ""
    return text


def _neurons(layer: LayerActivity) -> str:
    return f"{layer.neurons:,} neuron{'' if layer.neurons == 1 else 's'}"

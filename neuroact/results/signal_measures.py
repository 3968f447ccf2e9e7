"""How the real values of layers are measured for verdicts: membranes and gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuroact.results.layer_activity import LayerActivity
from neuroact.statistics.signal_result import SignalResult

FAR = 10.0
"""From how many times the threshold's own size on a membrane is far from it."""


def far_share(layer: LayerActivity) -> float:
    """Share of a membrane's values that are further from the threshold than `FAR` times its size.

    NaN if the layer is no membrane: it was not recorded with `Signal(threshold=...)`, or it is a
    gradient. NaN also if the threshold is 0, which says nothing of what is far.

    >>> import numpy as np
    >>> from neuroact import Recording, Signal
    >>> from neuroact.results.signal_measures import far_share
    >>> recording = Recording(statistics=Signal(threshold=1.0))
    >>> recording.observe("mem", np.array([[[-30.0, -1.0, 0.5, 12.0]]]), kind="analog")
    >>> far_share(recording.report()["mem"])
    0.5
    """
    signal = _signal(layer)
    if signal is None or not signal.threshold or layer.of == "grad":
        return math.nan
    reach = FAR * abs(signal.threshold)
    return signal.beyond_share(signal.threshold - reach, signal.threshold + reach)


def gradient_ratios(layers: Sequence[LayerActivity]) -> dict[str, float]:
    """The norm of each layer's gradient, divided by that of the last layer, by the layer's name.

    The last layer is the one nearest to the loss. Its own ratio is left out. 0 if a layer receives
    no gradient at all. Empty if there are fewer than two gradients, or if the last one is 0.

    Args:
        layers: in the model's order; only those with `of="grad"`, `Signal` and figures count.
    """
    norms = {
        layer.name: signal.norm
        for layer in layers
        if layer.of == "grad" and (signal := _signal(layer)) is not None
    }
    *earlier, last = norms or [""]
    if not earlier or norms[last] == 0:
        return {}
    return {name: norms[name] / norms[last] for name in earlier}


def _signal(layer: LayerActivity) -> SignalResult | None:
    signal = layer.results.get("Signal")
    return signal if isinstance(signal, SignalResult) and layer.problem is None else None

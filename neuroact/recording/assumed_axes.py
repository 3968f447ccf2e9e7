"""Warns where the order of a layer's dimensions is neither known nor stated."""

from __future__ import annotations

import warnings

from neuroact.errors import AssumedAxesWarning
from neuroact.layers.layer_info import LayerInfo
from neuroact.stream.chunk import SpikeChunk


class AssumedAxes:
    """Warns once in a recording, of the first layer whose dimensions may mean something else.

    Values of one or two dimensions are one step: of neurons, or of samples and neurons. A third
    dimension may be time, or a neurons' dimension such as a convolution's.
    """

    def __init__(self) -> None:
        self._warned = False

    def tell(self, info: LayerInfo, chunk: SpikeChunk) -> None:
        """Take notice of a layer's first chunk.

        Warns:
            AssumedAxesWarning: its values have three dimensions or more.
        """
        if self._warned or len(chunk.neurons) < 2:
            return
        self._warned = True
        warnings.warn(
            f"{info}: a value of shape {list(chunk.values.shape[1:])} is read as one step of "
            f'{chunk.batch} samples (axes="BN"), since axes= does not say otherwise; other layers '
            'without axes= are read likewise. If that is right, say axes="BN"; if not, the order '
            'of the dimensions, such as axes="BTN".',
            AssumedAxesWarning,
            stacklevel=2,
        )

"""Models to check the adapter with, and by hand what is true of them."""

from __future__ import annotations

import torch

from neuroact.testing import AdapterExample, ExpectedLayer, pass_state
from tidepool import Chain, Echo, Mix, Tide

PULSES = ExpectedLayer("BNT", spikes=lambda wave: wave.pulses)

EXAMPLES = (
    AdapterExample(
        name="two tides",
        model=lambda: Chain(Mix(4, 5), Tide(), Mix(5, 6), Echo(Tide())),
        inputs=lambda steps, batch: torch.randn(batch, 4, steps) * 2,
        layers={"1": PULSES, "3.tide": PULSES},
        run=pass_state,
    ),
)

"""Every neuron class of SpikingJelly 0.0.0.0.12: for docs/reference/frameworks.md."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from framework_rows import BATCH, TIME, Sample
from spikingjelly.clock_driven import neuron
from test_clock_driven import NODES, build, feed


def samples() -> Iterator[Sample]:
    file = "apart/test_clock_driven.py"
    for name in NODES:
        yield Sample(
            f"clock_driven.neuron.{name}",
            lambda name=name: build(name),
            lambda node: feed(node, torch.rand(TIME, BATCH, 5) * 2),
            f"{file}::test_figures_of_a_node_equal_numpy_on_the_raw_outputs",
        )
    yield Sample(
        "clock_driven.neuron.LIAFNode",
        lambda: neuron.LIAFNode(torch.relu, threshold_related=False),
        lambda node: feed(node, torch.rand(TIME, BATCH, 5) * 2),
        f"{file}::test_an_analog_node_is_recorded_by_request",
    )

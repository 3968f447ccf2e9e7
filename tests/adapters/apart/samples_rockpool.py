"""Every class of Rockpool's layers: for docs/reference/frameworks.md."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from framework_rows import BATCH, TIME, Sample
from test_rockpool import CASES, build


def samples() -> Iterator[Sample]:
    for name, options, _ in CASES:
        for batch in (BATCH, 1):  # of which only one keeps its state
            yield Sample(
                name,
                lambda name=name, options=options: build(name, options),
                lambda layer, batch=batch: layer(torch.rand(batch, TIME, 5) * 2),
                "apart/test_rockpool.py::test_figures_of_a_layer_equal_numpy_on_the_raw_outputs",
            )

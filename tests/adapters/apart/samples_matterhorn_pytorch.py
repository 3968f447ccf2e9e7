"""Every soma of Matterhorn: for docs/reference/frameworks.md."""

from __future__ import annotations

from collections.abc import Iterator

import matterhorn_pytorch.snn as snn
import torch
from framework_rows import BATCH, TIME, Sample
from test_matterhorn import CASES


def samples() -> Iterator[Sample]:
    for name, options in CASES:
        sizes = (BATCH, TIME) if options.get("batch_first") else (TIME, BATCH)
        yield Sample(
            name,
            lambda name=name, options=options: getattr(snn, name)(**options),
            lambda layer, sizes=sizes: layer(torch.rand(*sizes, 5) * 3),
            "apart/test_matterhorn.py::test_figures_of_a_soma_equal_numpy_on_the_raw_outputs",
        )

"""Every sinabs layer class: for docs/reference/frameworks.md."""

from __future__ import annotations

from collections.abc import Iterator

from framework_rows import Sample
from test_sinabs import CASES, currents


def samples() -> Iterator[Sample]:
    for case in CASES.values():
        yield Sample(
            type(case.build()).__name__,
            case.build,
            lambda module, case=case: module(currents(case)),
            "test_sinabs.py::test_figures_of_a_layer_equal_numpy_on_the_raw_outputs",
        )

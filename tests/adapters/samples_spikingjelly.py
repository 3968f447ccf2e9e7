"""Every SpikingJelly neuron class: for docs/reference/frameworks.md."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from framework_rows import BATCH, TIME, Sample
from test_spikingjelly import CASES, Case
from test_spikingjelly_state import CELLS, RNNS


def samples() -> Iterator[Sample]:
    for case in CASES:
        for mode in case.training:
            yield Sample(
                named(case),
                lambda case=case, mode=mode: case.build(train=mode == "t"),
                lambda module, case=case: case.run(module, case.current(BATCH)),
                "test_spikingjelly.py::test_figures_of_every_class_equal_numpy_on_the_raw_outputs",
            )
    for name, build in RNNS.items():
        yield Sample(
            name,
            lambda build=build: build(4, 8, 1),
            lambda module: module(torch.rand(TIME, BATCH, 4)),
            "test_spikingjelly_state.py::test_figures_of_a_recurrent_layer_equal_numpy",
        )
    for name, build in CELLS.items():
        yield Sample(
            name,
            lambda build=build: build(4, 8),
            lambda module: module(torch.rand(BATCH, 4)),
            "test_spikingjelly_state.py::test_figures_of_a_cell_equal_numpy",
        )


def named(case: Case) -> str:
    """The class's name, with its package if that is not the usual one."""
    package = case.home.removeprefix("spikingjelly.").removeprefix("activation_based.")
    return case.cls if package == "neuron" else f"{package}.{case.cls}"

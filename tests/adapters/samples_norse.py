"""Every Norse class: for docs/reference/frameworks.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import norse.torch as snn
import torch
from framework_rows import BATCH, TIME, Sample
from norse.torch.module.exp_filter import ExpFilter
from test_norse import (
    CELLS_OF_1_0,
    LEAKY_CELLS_OF_1_1,
    LEAKY_SEQUENCES_OF_1_0,
    SEQUENCES_OF_1_1,
    WEIGHTED_CELLS_OF_1_0,
    WEIGHTED_SEQUENCES_OF_1_0,
    build,
    currents,
    is_sequence,
    run,
)
from test_norse_values import ENCODERS, data

NEURONS = CELLS_OF_1_0 | LEAKY_CELLS_OF_1_1 | LEAKY_SEQUENCES_OF_1_0 | SEQUENCES_OF_1_1
NEURONS |= WEIGHTED_CELLS_OF_1_0 | WEIGHTED_SEQUENCES_OF_1_0


def samples() -> Iterator[Sample]:
    for name in sorted(name for name in NEURONS if hasattr(snn, name)):
        yield Sample(
            name,
            lambda name=name: build(name),
            lambda module, name=name: run(module, currents(name, BATCH), "by position"),
            test_of(name),
        )
    for name, (encoder, _) in ENCODERS.items():
        yield Sample(name, encoder, lambda module, name=name: module(data(name)), ENCODED)
    yield Sample(
        "ExpFilter", lambda: ExpFilter(5, 4), lambda m: m(torch.rand(TIME, BATCH, 5)), FILTER
    )
    yield Sample("LIFCorrelation", lambda: snn.LIFCorrelation(5, 4), correlate, CORRELATION)


FILTER = "test_norse.py::test_an_exponential_filter_is_analog_and_keeps_no_state"
CORRELATION = "test_norse.py::test_the_state_of_lif_correlation_comes_after_its_weights"
ENCODED = "test_norse_values.py::test_encoders_are_recorded_by_request_with_their_own_time_axis"


def test_of(name: str) -> str:
    if name in LEAKY_CELLS_OF_1_1 | LEAKY_SEQUENCES_OF_1_0:
        return "test_norse.py::test_leaky_integrators_are_analog_and_recorded_by_request"
    part = "sequence_module" if is_sequence(name) else "cell"
    return f"test_norse.py::test_figures_of_a_{part}_equal_numpy_on_the_raw_outputs"


def correlate(module: Any) -> None:
    state = None
    for x in torch.rand(TIME, 1, 5) * 10:
        _, state = module(x, torch.randn(4, 5), torch.rand(4, 4), state)

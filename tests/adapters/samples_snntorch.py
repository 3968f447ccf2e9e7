"""Every snnTorch class, used in each way: for docs/reference/frameworks.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import snntorch as snn
import torch
from framework_rows import BATCH, TIME, Sample
from snntorch_cases import SEQUENCE_CASES, STEP_CASES, StepCase


def samples() -> Iterator[Sample]:
    for case in STEP_CASES.values():
        for hidden in (False, True):
            yield Sample(
                case.cls,
                lambda case=case, hidden=hidden: case.build(init_hidden=hidden),
                lambda module, case=case, hidden=hidden: steps(module, case, hidden),
                "test_snntorch.py::test_figures_of_a_step_class_equal_numpy_on_the_raw_outputs",
            )
    for sequence in SEQUENCE_CASES.values():
        yield Sample(
            sequence.cls,
            sequence.build,
            lambda module, size=sequence.inputs: module(torch.rand(TIME, BATCH, size)),
            SEQUENCES,
        )
    if hasattr(snn, "StateLeaky"):
        for cls, sizes in {"StateLeaky": {"channels": 5}, "LinearLeaky": LINEAR}.items():
            yield Sample(
                cls,
                lambda cls=cls, sizes=sizes: getattr(snn, cls)(0.5, output=False, **sizes),
                lambda module: module(torch.rand(TIME, BATCH, 5)),
                REAL,
            )
        yield Sample(
            "AssociativeLeaky",
            lambda: snn.AssociativeLeaky(5, 3, 2, 6),
            lambda module: module(torch.rand(TIME, BATCH, 5)),
            REAL,
        )


SEQUENCES = "test_snntorch.py::test_figures_of_a_sequence_class_equal_numpy_on_the_raw_outputs"
REAL = "test_snntorch_kinds.py::test_the_kind_is_what_the_layer_emits"
LINEAR = {"in_features": 5, "out_features": 4}


def steps(module: Any, case: StepCase, hidden: bool) -> None:
    passed: tuple[Any, ...] = ()
    if case.tuple_always and not hidden:  # the one class that has to be given its first state
        zeros = torch.zeros(BATCH, *case.neurons)
        passed = ((zeros, zeros),)
    for _ in range(3):
        output = module(torch.rand(BATCH, *case.inputs), *passed)
        passed = () if hidden else case.passed(output)

"""A stated reading is a part of the program that `torch.compile` makes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from own_modules import (
    BATCH,
    NEURONS,
    STEPS,
    InPlace,
    Keeping,
    Passing,
    currents,
    kept,
    kept_in_place,
    passed,
    spikes_of,
)
from torch import Tensor, nn

import neuroact
from neuroact import Reading, record
from neuroact.errors import AdapterReadError


def compiled(net: nn.Module, **options: Any) -> Any:
    torch._dynamo.reset()
    return torch.compile(net, backend="eager", **options)


@pytest.mark.parametrize("statistics", [None, "TimeCourse"])
def test_a_passed_state_is_traced_without_a_graph_break(statistics: str | None) -> None:
    net, x = Passing(), currents()
    reading = {"model": Reading(kind="binary", values=0, state=1)}
    with record(net, layers=reading, statistics=statistics) as recording, torch.no_grad():
        passed(compiled(net, fullgraph=True), x)
    layer, truth = recording.report()["model"], spikes_of(x)
    np.testing.assert_array_equal(layer.events, truth.sum((0, 1, 2)))
    assert (layer.sequences, layer.observations) == (2 * BATCH, 2 * STEPS * BATCH)
    if statistics:
        course = layer[neuroact.TimeCourse]
        np.testing.assert_array_equal(course.events, truth.sum((0, 2, 3)))


def test_a_loop_within_the_program_is_one_sequence() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif = Passing()

        def forward(self, x: Tensor) -> Tensor:
            mem, total = None, x.new_zeros(())
            for step in x:
                spikes, mem = self.lif(step, mem)
                total = total + spikes.sum()
            return total

    net, x = Loop(), currents()
    with record(net, layers="lif", kind="binary", values=0, state=1) as recording:
        run = compiled(net, fullgraph=True)
        counted = sum(int(run(sequence)) for sequence in x)
    layer = recording.report()["lif"]
    assert (layer.sequences, layer.events.sum()) == (2 * BATCH, counted)


@pytest.mark.parametrize("axes", ["TBN", "BTN", "(T=7 B)N"])
def test_a_module_without_state_is_traced_without_a_graph_break(axes: str) -> None:
    net, x = nn.Sequential(nn.Identity()), (torch.rand(7, 3, 4) > 0.5).float()
    given = {"TBN": x, "BTN": x.transpose(0, 1), "(T=7 B)N": x.reshape(21, 4)}[axes]
    with record(net, layers="0", axes=axes, kind="binary") as recording:
        run = compiled(net, fullgraph=True)
        for _ in range(3):
            run(given)
    layer = recording.report()["0"]
    assert (layer.sequences, layer.observations) == (9, 63)
    np.testing.assert_array_equal(layer.events, 3 * x.sum((0, 1)).numpy())


@pytest.mark.parametrize(("build", "run"), [(Keeping, kept), (InPlace, kept_in_place)])
def test_a_kept_state_is_read_right_too(build: Any, run: Any) -> None:
    net, x = build(), currents()
    with record(net, layers="model", kind="binary", state="mem") as recording, torch.no_grad():
        run(compiled(net), x)
    layer = recording.report()["model"]
    np.testing.assert_array_equal(layer.events, spikes_of(x).sum((0, 1, 2)))
    assert (layer.sequences, layer.observations) == (2 * BATCH, 2 * STEPS * BATCH)


def test_what_is_not_where_it_was_said_to_be_is_an_error_when_compiled() -> None:
    net = nn.Sequential(Passing())
    with (
        record(net, layers="0"),
        warnings.catch_warnings(action="ignore"),  # Dynamo's, of what it cannot trace
        pytest.raises(AdapterReadError, match=r'layer "0".*a tuple of .*say where'),
    ):
        compiled(net)(torch.ones(BATCH, NEURONS))

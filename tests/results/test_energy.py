"""An estimate of energy is operations times published costs, with its source beside it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from neuroact import energy
from neuroact.energy import HOROWITZ_45NM_FP32, HOROWITZ_45NM_INT32, OperationCosts
from neuroact.errors import SamplesUnknownError
from neuroact.report.operations_report import OperationsReport
from neuroact.results.operations import LayerOperations

SETS = [each for each in vars(energy).values() if isinstance(each, OperationCosts)]


def connection(name: str, acs: int, macs: int) -> LayerOperations:
    figures: dict[str, Any] = {"framework": "torch", "layer_type": "Linear", "shape": (2,)}
    counts = {"observations": 9, "events": 7, "connections": 10, "dense": 90, "unpruned": 80}
    return LayerOperations(name=name, acs=acs, macs=macs, weighted=None, **figures, **counts)


def two(**more: Any) -> OperationsReport:
    return OperationsReport([connection("a", 10, 0), connection("b", 20, 5)], **more)


def test_each_layer_and_the_total_are_operations_times_costs() -> None:
    found = two(samples={"lif": 4}).energy(HOROWITZ_45NM_FP32)
    assert dict(found) == {"a": 10 * 0.9, "b": 20 * 0.9 + 5 * 4.6}
    assert found.total == 30 * 0.9 + 5 * 4.6
    assert found.total_per_sample == pytest.approx(found.total / 4, rel=1e-12)


def test_energy_per_sample_needs_a_number_of_samples() -> None:
    with pytest.raises(SamplesUnknownError, match="one number of them above 0"):
        _ = two().energy(HOROWITZ_45NM_FP32).total_per_sample


def test_the_sets_are_those_of_the_source() -> None:
    assert (HOROWITZ_45NM_FP32.ac, HOROWITZ_45NM_FP32.mac) == (0.9, 4.6)
    assert (HOROWITZ_45NM_INT32.ac, HOROWITZ_45NM_INT32.mac) == (0.1, 3.2)
    assert len(SETS) == 2
    for costs in SETS:
        assert "doi:" in costs.source
        assert "memory" in costs.left_out
        assert "45 nm" in costs.node


def test_printed_it_says_costs_source_node_what_is_left_out_and_not_counted() -> None:
    text = str(two(not_counted={"cell": "nobody knows"}).energy(HOROWITZ_45NM_FP32))
    assert re.search(r"^total +5 +30 +50$", text, re.MULTILINE)
    costs = HOROWITZ_45NM_FP32
    for part in (costs.name, costs.source, costs.node, costs.left_out, "does not predict"):
        assert part in text
    assert "! cell" in text
    assert "0.9 pJ an AC, 4.6 pJ a MAC" in text


@pytest.mark.parametrize("ac", [-1.0, float("nan"), float("inf")])
def test_costs_are_numbers(ac: float) -> None:
    with pytest.raises(ValueError, match="expected ac= to be a number of pJ from 0 on"):
        OperationCosts(name="mine", ac=ac, mac=1.0, source="me")


@pytest.mark.parametrize("source", [" ", None])
def test_costs_without_a_source_are_refused(source: Any) -> None:
    with pytest.raises(ValueError, match='the costs "mine" have no source'):
        OperationCosts(name="mine", ac=1.0, mac=1.0, source=source)


def test_what_is_no_set_of_costs_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected costs from neuroact\.energy.*came 0.9"):
        two().energy(0.9)  # type: ignore[arg-type]

"""An estimate of energy is operations times published costs, with its source beside it."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from typing import Any

import pytest

from neuroact import energy
from neuroact.energy import HOROWITZ_45NM_FP32, LOIHI_1, OperationCosts
from neuroact.errors import SamplesUnknownError
from neuroact.report.operations_report import OperationsReport
from neuroact.results.beside_operations import NeuronUpdates
from neuroact.results.operations import LayerOperations
from neuroact.stream.chunk import SignalKind

SETS = {name: s for name, s in vars(energy).items() if isinstance(s, OperationCosts)}


def connection(name: str, acs: int, macs: int) -> LayerOperations:
    figures: dict[str, Any] = {"framework": "torch", "layer_type": "Linear", "shape": (2,)}
    counts = {"observations": 9, "events": 7, "ones": 3, "connections": 10, "dense": 90}
    beside: dict[str, Any] = {"output_shape": (3,), "parameters": 6, "bias_additions": 27}
    return LayerOperations(
        name=name, acs=acs, macs=macs, unpruned=80, weighted=None, **figures, **counts, **beside
    )


def two(**more: Any) -> OperationsReport:
    return OperationsReport([connection("a", 10, 0), connection("b", 20, 5)], **more)


def with_neurons(**more: Any) -> OperationsReport:
    """Two connections and, under the name of one of them and another, two layers of neurons."""
    kind: Any = {"kind": SignalKind.BINARY, "observations": 9}
    updates = [
        NeuronUpdates(name="b", neurons=3, events=4, **kind),
        NeuronUpdates(name="lif", neurons=2, events=1, **kind),
    ]
    return two(updates=updates, **more)


def test_each_layer_and_the_total_are_operations_times_costs() -> None:
    found = two(samples={"lif": 4}).energy(HOROWITZ_45NM_FP32)
    assert dict(found) == {"a": 10 * 0.9, "b": 20 * 0.9 + 5 * 4.6}
    assert found.total == 30 * 0.9 + 5 * 4.6
    assert found.total_per_sample == pytest.approx(found.total / 4, rel=1e-12)
    assert (found.arithmetic, found.memory) == (dict(found), {})
    assert found.total_memory == 0


def test_what_has_a_cost_beside_the_operations_is_in_its_part_and_its_layer() -> None:
    beside = {"bias_addition": 0.5, "neuron_update": 7, "weight_read": 11, "potential_read": 13}
    more = {"potential_write": 17, "input_read": 19, "output_write": 23}
    costs = OperationCosts(name="mine", source="me", ac=2, mac=3, **beside, **more)
    found = with_neurons().energy(costs)
    assert found.arithmetic == {
        "a": 10 * 2 + 27 * 0.5,
        "b": 20 * 2 + 5 * 3 + 27 * 0.5 + 27 * 7,
        "lif": 18 * 7,
    }
    assert found.memory == {
        "a": 10 * (11 + 13 + 17) + 7 * 19,
        "b": 25 * (11 + 13 + 17) + 7 * 19 + 27 * (13 + 17) + 4 * 23,
        "lif": 18 * (13 + 17) + 1 * 23,
    }
    assert dict(found) == {n: found.arithmetic[n] + found.memory[n] for n in ("a", "b", "lif")}
    assert found.total == found.total_arithmetic + found.total_memory == sum(found.values())
    assert costs.missing == ()


@pytest.mark.parametrize("cost", list(energy.BESIDE))
def test_a_cost_that_is_none_is_left_out_and_said(cost: str) -> None:
    alone = OperationCosts(name="one", source="me", ac=0, mac=0, **{cost: 2.0})
    ops = with_neurons(samples={"lif": 1}, steps={"lif": 9})
    counted = {
        **asdict(ops.memory),
        "bias_additions": 54,
        "neuron_updates": 45,
    }
    assert ops.energy(alone).total == 2 * counted[f"{cost}s"]
    assert set(alone.missing) == set(energy.BESIDE.values()) - {energy.BESIDE[cost]}
    told = " ".join(str(ops.energy(alone)).split())
    assert f"no cost for {', '.join(alone.missing)}" in told


def test_energy_per_sample_needs_a_number_of_samples() -> None:
    with pytest.raises(SamplesUnknownError, match="one number of them above 0"):
        _ = two().energy(HOROWITZ_45NM_FP32).total_per_sample


def test_the_sets_are_those_of_their_sources() -> None:
    assert {name: (costs.ac, costs.mac) for name, costs in SETS.items()} == {
        "HOROWITZ_45NM_INT8": (0.03, 0.23),
        "HOROWITZ_45NM_INT32": (0.1, 3.2),
        "HOROWITZ_45NM_INT32_SRAM": (0.1, 3.2),
        "HOROWITZ_45NM_FP16": (0.4, 1.5),
        "HOROWITZ_45NM_FP32": (0.9, 4.6),
        "LOIHI_1": (23.6, 23.6),
    }
    memory = SETS["HOROWITZ_45NM_INT32_SRAM"]
    accesses = [cost for cost in energy.BESIDE if cost.endswith(("read", "write"))]
    assert {getattr(memory, cost) for cost in accesses} == {5.0}
    assert (memory.neuron_update, SETS["LOIHI_1"].neuron_update) == (None, 81.0)
    for costs in SETS.values():
        assert "doi:" in costs.source
        assert "memory" in costs.left_out
        assert costs.node.endswith(("2014", "2018"))


@pytest.mark.parametrize("costs", SETS.values(), ids=SETS)
def test_printed_it_says_what_a_careful_engineer_would(costs: OperationCosts) -> None:
    known: Any = {"samples": {"lif": 3}, "steps": {"lif": 9}}
    text = str(with_neurons(not_counted={"cell": "nobody knows"}, **known).energy(costs))
    for part in (costs.name, costs.source, costs.node, costs.left_out, "does not predict"):
        assert part in text
    assert f"{costs.ac:g} pJ an AC, {costs.mac:g} pJ a MAC" in text
    assert "! cell" in text
    assert ("arithmetic and memory" in text) == ("8 kB" in costs.name)
    assert ("memory has no cost of its own here" in text) == ("8 kB" not in costs.name)
    assert "3 of 3 steps; " in text
    assert "of an ANN of the same shape, which runs once a sample and is dense: 20 MACs" in text


def test_the_printed_total_is_below_the_layers() -> None:
    text = str(two().energy(HOROWITZ_45NM_FP32))
    assert re.search(r"^total +5 +30 +50$", text, re.MULTILINE)
    assert "samples      not known: " in text
    wide = str(with_neurons().energy(LOIHI_1))
    assert re.search(r"^lif +- +- +18 +1458 ", wide, re.MULTILINE)


def test_the_ratio_to_an_ann_needs_its_operations() -> None:
    known: Any = {"samples": {"lif": 3}, "steps": {"lif": 9}}
    found = two(**known).energy(HOROWITZ_45NM_FP32).ratio_to_dense
    assert found == pytest.approx((30 * 0.9 + 5 * 4.6) / 3 / (4.6 * 20), rel=1e-12)
    free = OperationCosts(name="free", ac=1, mac=0, source="me")
    assert math.isnan(two(**known).energy(free).ratio_to_dense)


@pytest.mark.parametrize("cost", ["ac", "mac", *energy.BESIDE])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "0.9"])
def test_costs_are_numbers(cost: str, value: Any) -> None:
    given: Any = {"ac": 1.0, "mac": 1.0} | {cost: value}
    with pytest.raises(ValueError, match=f"expected {cost}= to be a number of pJ from 0 on"):
        OperationCosts(name="mine", source="me", **given)


def test_an_operation_has_a_cost_in_every_set_and_a_set_a_name() -> None:
    with pytest.raises(ValueError, match="expected mac= to be a number of pJ from 0 on, came None"):
        OperationCosts(name="mine", ac=1.0, mac=None, source="me")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected name= to be what to call the costs, came ''"):
        OperationCosts(name="", ac=1.0, mac=1.0, source="me")


@pytest.mark.parametrize("source", [" ", None])
def test_costs_without_a_source_are_refused(source: Any) -> None:
    with pytest.raises(ValueError, match='the costs "mine" have no source'):
        OperationCosts(name="mine", ac=1.0, mac=1.0, source=source)


def test_what_is_no_set_of_costs_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected costs from neuroact\.energy.*came 0.9"):
        two().energy(0.9)  # type: ignore[arg-type]
